import FileSystem
import Foundation
import Ingest
import JobLedger
import Logging
import Segmentation
import SeriesProcessing
import Synchronization

/// How often the state of a job that runs is kept on disk.
public struct CheckpointSettings: Sendable {
  /// The least time of computing between two checkpoints, in seconds; 0 for none but that of a job that
  /// yields or of a process that ends.
  public var seconds: Double
  /// Bytes that stay free on the disk.
  public var diskReserve: Int

  public init(seconds: Double = 30, diskReserve: Int = 0) {
    self.seconds = seconds
    self.diskReserve = diskReserve
  }
}

/// The checkpoints of all jobs in the state directory: a folder for each job that has any, which goes
/// when the job has ended.
final class JobCheckpoints: Sendable {
  private let state: StateDirectory
  private let ledger: Ledger
  private let settings: CheckpointSettings
  private let logger: Logger
  /// When it was looked for outdated ones.
  private let looked = Mutex<ContinuousClock.Instant?>(nil)

  init(state: StateDirectory, ledger: Ledger, settings: CheckpointSettings, logger: Logger) {
    self.state = state
    self.ledger = ledger
    self.settings = settings
    self.logger = logger
  }

  /// Of one job, for whoever executes it.
  func settings(for job: ClaimedJob, fingerprint: String) -> PredictionCheckpoints {
    PredictionCheckpoints(
      folder: folder(job.id), fingerprint: fingerprint, program: SegmentdVersion.results,
      interval: settings.seconds > 0 ? .seconds(settings.seconds) : nil,
      diskReserve: settings.diskReserve
    ) { [ledger, logger] report in
      let metadata: Logger.Metadata = [
        "job": "\(job.id)", "study": "\(ledger.studyForLog(ofJob: job.id))",
      ]
      switch report {
      case .resumed(let patches, let all):
        let text = "resumes from its checkpoint, after \(patches) of \(all) patches"
        logger.notice("job \(text)", metadata: metadata)
        // Only told: the segmentation does not depend on it.
        try? ledger.noteCheckpoint(job: job.id, text)
      case .discarded(let reason):
        logger.warning("job starts over: \(reason)", metadata: metadata)
        try? ledger.noteCheckpoint(
          job: job.id,
          "starts over: its checkpoint is damaged, or of other images, settings or arithmetic")
      case .notWritten(let reason):
        logger.warning("no checkpoint, the job continues: \(reason)", metadata: metadata)
      case .written(let bytes, let time):
        let seconds = time / .seconds(1)
        logger.debug("checkpoint of \(bytes) bytes in \(seconds) s", metadata: metadata)
      }
    }
  }

  /// Removes the checkpoints of a job.
  func remove(_ job: Int64) { remove(folder(job)) }

  /// Removes the checkpoints of a job that is not to run again.
  func removeUnlessNeeded(_ job: Int64) {
    guard FileStatus(folder(job).path) != nil,
      let ended = try? ledger.jobsWithoutFuture(among: [job])
    else { return }
    for job in ended { remove(job) }
  }

  /// Removes what is left of jobs that have ended without a process that saw it, once a minute and at the
  /// first call.
  ///
  /// - Throws: `LedgerError`
  func removeOutdated() throws {
    let isTime = looked.withLock { looked in
      let now = ContinuousClock.now
      if let looked, looked.duration(to: now) < .seconds(60) { return false }
      looked = now
      return true
    }
    guard isTime else { return }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: state.checkpoints.path)) ?? []
    let jobs = names.compactMap { Int64($0) }
    var outdated = Set(try ledger.jobsWithoutFuture(among: jobs).map(String.init))
    outdated.formUnion(names.filter { Int64($0) == nil })
    for name in outdated { remove(state.checkpoints.appendingPathComponent(name)) }
  }

  private func folder(_ job: Int64) -> URL {
    state.checkpoints.appendingPathComponent("\(job)", isDirectory: true)
  }

  private func remove(_ item: URL) {
    guard FileStatus(item.path) != nil else { return }
    do {
      try FileManager.default.removeItem(at: item)
    } catch {
      logger.warning("\(item.path) cannot be removed: \(SystemError.text(of: error))")
    }
  }
}
