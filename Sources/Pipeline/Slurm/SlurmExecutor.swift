import FileSystem
import Foundation
import JobLedger
import Logging
import Segmentation
import SeriesProcessing
import Synchronization

/// Has jobs computed by the nodes of a Slurm cluster. The ledger knows what is to be done, and Slurm only
/// computes: a job is found again by its name and its folder, and only the result of the submission counts that the
/// ledger has recorded, whatever Slurm and the folder say.
///
/// While Slurm computes, the job's row stays `running`. A daemon that ends leaves Slurm's job alone, and the
/// next one finds it.
struct SlurmExecutor: JobExecutor {
  let settings: SlurmSettings
  let folders: SlurmJobFolders
  let cluster: SlurmCluster
  let packs: SlurmPacks
  let nodes: SlurmNodes
  let processor: SeriesProcessor
  let bundles: ModelBundles
  let logger: Logger
  let sweep: SlurmSweep
  /// As `ProgramBuild` says it, where the nodes shall have this program; nil where any will do that gives the same results.
  var build: String?

  func dependencies(of input: ModelInput, model: String) async throws -> ResultDependencies {
    try processor.dependencies(of: input, model: await bundles.bundle(model))
  }

  func execute(
    _ request: JobRequest, progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> JobOutcome {
    let recorded = try request.submission.last()
    let (folder, description) = try await self.folder(of: request, recorded: recorded)
    // What was computed in this process, before the configuration had jobs computed there.
    if let checkpoints = request.control.checkpoints {
      let count = folder.takeCheckpoints(of: checkpoints)
      if count > 0 { logger.info("\(folder.name) resumes from what was computed here") }
    }
    var attempt = try SlurmAttempt(self, request, folder, description, recorded: recorded)
    return try await attempt.run(progress: progress)
  }

  var sharedFolders: [URL] { [folders.parent] }

  func removeLeftovers(_ ended: @Sendable ([Int64]) throws -> [Int64]) async throws {
    guard sweep.isTime() else { return }
    let all = folders.all()
    let jobs = try all.isEmpty ? [] : Set(ended(Array(Set(all.map(\.job)))))
    for (job, folder) in all where jobs.contains(job) {
      await remove(folder, try? folder.submission())
    }
    folders.removeNotes(endedJobs: settings.endedJobs)
  }

  /// The folder of a job: where it is for the same work, that of the submission that the ledger has recorded.
  private func folder(of request: JobRequest, recorded: String?) async throws -> (
    JobFolder, JobDescription
  ) {
    let bundle = try await bundles.bundle(request.model)
    var settings = JobSettings(
      model: JobDescription.Model(bundle, named: request.model), identity: request.identity,
      installation: processor.installation, geometry: processor.geometry,
      options: (request.isReleased ? processor.releasingResults : processor).options,
      checkpointInterval: request.control.checkpoints?.interval,
      instructionSet: processor.instructionSet)
    settings.build = build
    let made = try JobFolder.make(
      in: folders.parent, name: folders.name(of: request.job), input: request.input,
      settings: settings)
    let description = try made.description()
    var found = (made, description)
    for (job, folder) in folders.all() where job == request.job && folder.name != made.name {
      if folder.number(recordedAs: recorded) != nil, let earlier = try? folder.description(),
        earlier.isSameWork(as: description), (try? folder.submission()) != nil
      {
        found = (folder, earlier)
      } else {
        await remove(folder, try? folder.submission())
      }
    }
    if found.0.name != made.name { await remove(made, nil) }
    return found
  }

  /// Removes a folder, and what Slurm still has of it. A pack continues without it.
  func remove(_ folder: JobFolder, _ submission: JobSubmission?) async {
    await packs.forget(folder)
    if let submission, submission.pack == nil {
      let name = folder.name(submission)
      // Without a folder it would end by itself: where the controller is away nothing is lost.
      if let job = try? await cluster.jobs(since: .now - .seconds(10))[name], job.isActive {
        try? await cluster.cancel(name)
      }
    }
    do { try FileManager.default.removeItem(at: folder.url) } catch {
      guard FileStatus(folder.url.path) != nil else { return }
      logger.warning("\(folder.url.path) cannot be removed: \(SystemError.text(of: error))")
    }
  }
}

/// The bundles of models, without their networks: of each name that which was asked for last time.
actor ModelBundles {
  private let library: ModelLibrary
  private var known: [String: ModelBundle] = [:]

  init(_ library: ModelLibrary) { self.library = library }

  /// - Throws: `ModelLibraryError` or `ModelBundleError`.
  func bundle(_ name: String) throws -> ModelBundle {
    if let bundle = known[name] { return bundle }
    let bundle = try library.bundle(name)
    known[name] = bundle
    return bundle
  }
}

/// When it is looked for folders of jobs that have ended.
final class SlurmSweep: Sendable {
  private let last = Mutex<ContinuousClock.Instant?>(nil)

  /// At the first call, and once a minute.
  func isTime() -> Bool {
    last.withLock { last in
      let now = ContinuousClock.now
      if let last, last.duration(to: now) < .seconds(60) { return false }
      last = now
      return true
    }
  }
}
