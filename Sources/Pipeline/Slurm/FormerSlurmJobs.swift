import ConfigurationFile
import FileSystem
import Foundation
import Ingest
import Logging
import SeriesProcessing
import Synchronization

/// What a cluster has of jobs that this process computes, as the configuration says so by now: their folders, with the
/// checkpoints of what was computed there.
final class FormerSlurmJobs: Sendable {
  private let folders: SlurmJobFolders
  private let commands: SlurmCommands
  private let cluster: SlurmCluster
  private let endedJobs: SlurmEndedJobs?
  private let logger: Logger
  private let sweep = SlurmSweep()
  /// When Slurm last did not answer.
  private let silence = Mutex<ContinuousClock.Instant?>(nil)

  init(
    folders: SlurmJobFolders, commands: SlurmCommands, endedJobs: SlurmEndedJobs? = nil,
    logger: Logger
  ) {
    self.endedJobs = endedJobs
    self.folders = folders
    self.commands = commands
    self.logger = logger
    cluster = SlurmCluster(commands, interval: .milliseconds(500), logger: logger)
  }

  /// Nil where no job of this ledger was ever a cluster's.
  ///
  /// - Throws: where the ledger's name in the cluster cannot be read.
  convenience init?(
    _ slurm: SiteConfiguration.Slurm, state: StateDirectory, logger: Logger
  ) throws {
    guard SlurmJobFolders.areKnown(state) else { return nil }
    self.init(
      folders: try SlurmJobFolders(
        URL(fileURLWithPath: slurm.folder, isDirectory: true), state: state),
      commands: SlurmCommands(folder: slurm.commands),
      endedJobs: SlurmEndedJobs(folder: slurm.endedJobs), logger: logger)
  }

  /// Stops a job there, and takes what was computed of it.
  ///
  /// - Throws: `CancellationError` where this process ends meanwhile: the next one does it then.
  func bringHome(_ request: JobRequest) async throws {
    guard let checkpoints = request.control.checkpoints else { return }
    for (job, folder) in folders.all() where job == request.job {
      await stop(folder)
      try Task.checkCancellation()
      let count = folder.giveCheckpoints(to: checkpoints)
      let outcome = count > 0 ? "it resumes here" : "nothing of it can be taken along"
      logger.notice("\(folder.name) was a cluster's: \(outcome)")
      remove(folder)
    }
  }

  /// Removes the folders of jobs that will not run again.
  func removeLeftovers(_ ended: @Sendable ([Int64]) throws -> [Int64]) async throws {
    guard sweep.isTime() else { return }
    let all = folders.all()
    let jobs = try all.isEmpty ? [] : Set(ended(Array(Set(all.map(\.job)))))
    for (job, folder) in all where jobs.contains(job) {
      await stop(folder)
      remove(folder)
    }
    folders.removeNotes(endedJobs: endedJobs)
  }

  /// Has it end with a checkpoint, as far as Slurm answers: what continues there finds no folder, and nobody waits for it.
  private func stop(_ folder: JobFolder) async {
    guard let submission = try? folder.submission() else { return }
    var next = submission
    next.number += 1
    next.pack = nil
    // What has not begun does nothing then.
    try? folder.record(next)
    // The others of a pack go on.
    guard submission.pack == nil, commands.file("scancel") != nil, isAnswering else { return }
    let name = folder.name(submission)
    do {
      try await cluster.cancel(name)
      let start = ContinuousClock.now
      while start.duration(to: .now) < .seconds(60),
        let job = try await cluster.jobs(since: .now)[name], job.isActive
      {
        try await Task.sleep(for: .milliseconds(500))
      }
    } catch let error as SlurmCommandError {
      logger.warning("Slurm's job \(name) cannot be stopped: \(error)")
      silence.withLock { $0 = .now }
    } catch {}
  }

  /// A controller that is away is asked again after some minutes.
  private var isAnswering: Bool {
    silence.withLock { $0.map { $0.duration(to: .now) > .seconds(300) } ?? true }
  }

  private func remove(_ folder: JobFolder) {
    do { try FileManager.default.removeItem(at: folder.url) } catch {
      guard FileStatus(folder.url.path) != nil else { return }
      logger.warning("\(folder.url.path) cannot be removed: \(SystemError.text(of: error))")
    }
  }
}
