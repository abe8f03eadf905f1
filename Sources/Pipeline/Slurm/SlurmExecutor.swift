import FileSystem
import Foundation
import JobLedger
import Logging
import Segmentation
import SeriesProcessing
import Synchronization

/// Has jobs computed by the nodes of a Slurm cluster. The ledger knows what is to be done, and Slurm only
/// computes: a job is found again by its name and its folder, and only its result counts, whatever Slurm says.
///
/// While Slurm computes, the job's row stays `running`. A daemon that ends leaves Slurm's job alone, and the
/// next one finds it.
struct SlurmExecutor: JobExecutor {
  let settings: SlurmSettings
  let folders: SlurmJobFolders
  let cluster: SlurmCluster
  let processor: SeriesProcessor
  let bundles: ModelBundles
  let logger: Logger
  let sweep: SlurmSweep

  func dependencies(of input: ModelInput, model: String) async throws -> ResultDependencies {
    try processor.dependencies(of: input, model: await bundles.bundle(model))
  }

  func execute(
    _ request: JobRequest, progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> JobOutcome {
    let (folder, description) = try await self.folder(of: request)
    let following = SlurmFollowing(
      executor: self, request: request, folder: folder, progress: progress)
    var submission =
      try folder.submission()
      ?? JobSubmission(
        memory: settings.memory, threads: settings.threads, minutes: settings.minutes)
    var endings = 0
    while true {
      switch try await following.end(of: submission) {
      case .result:
        let outcome: JobFolderOutcome
        do {
          outcome = try folder.takeResult(submission.number, of: description, to: request.output)
        } catch {
          // Made anew, as is all that may be at fault.
          if case .notWritten = error { throw error }
          await remove(folder)
          throw error
        }
        switch outcome.end {
        case .processed(let processed):
          logger.info("computed by \(outcome.host) as \(folder.name(submission.number))")
          return JobOutcome(
            processed: processed, modelVersion: outcome.modelVersion,
            times: StageTimes(seconds: outcome.seconds), peakMemory: outcome.peakMemory)
        case .memory(let needed, let reason):
          guard !submission.hasMoreMemory, needed > submission.memory ?? 0 else {
            await remove(folder)
            throw SlurmFailure(
              "a node has too little memory for the job: \(reason)",
              isPermanent: submission.hasMoreMemory)
          }
          submission.askMemory(needed + needed / 8)
        case .failed(let reason, let isPermanent):
          await remove(folder)
          throw SlurmFailure("on node \(outcome.host): \(reason)", isPermanent: isPermanent)
        }
      case .ended("OUT_OF_MEMORY"):
        guard !submission.hasMoreMemory else {
          await remove(folder)
          throw SlurmFailure(
            "Slurm ended the job for its memory, \((submission.memory ?? 0) >> 20) MiB, twice what "
              + "was asked for at first: raise slurm.memoryGB", isPermanent: true)
        }
        submission.askMemory(2 * (submission.memory ?? settings.memory))
      case .ended("TIMEOUT"), .ended("DEADLINE"):
        guard !submission.hasMoreTime else {
          await remove(folder)
          throw SlurmFailure(
            "Slurm ended the job after \(submission.minutes) minutes, twice what was asked for at "
              + "first: raise slurm.wallTimeMinutes", isPermanent: true)
        }
        submission.hasMoreTime = true
        submission.minutes *= 2
      case .ended("FAILED"):
        let words = logTail(folder, submission.number)
        if words.isInterruption {
          break
        }
        await remove(folder)
        throw SlurmFailure(
          "Slurm's job \(folder.name(submission.number)) failed without a result: \(words.text)")
      case .ended(let state):
        logger.notice("Slurm's job \(folder.name(submission.number)) ended as \(state)")
      }
      endings += 1
      guard endings <= settings.resubmissions else {
        await remove(folder)
        throw SlurmFailure("Slurm's jobs of \(folder.name) ended \(endings) times without a result")
      }
      submission.number += 1
      try folder.record(submission)
    }
  }

  func removeLeftovers(_ ended: @Sendable ([Int64]) throws -> [Int64]) async throws {
    guard sweep.isTime() else { return }
    let all = folders.all()
    guard !all.isEmpty else { return }
    let jobs = Set(try ended(Array(Set(all.map(\.job)))))
    for (job, folder) in all where jobs.contains(job) { await remove(folder) }
  }

  /// The folder of a job, that of an earlier attempt where it is for the same work.
  private func folder(of request: JobRequest) async throws -> (JobFolder, JobDescription) {
    let bundle = try await bundles.bundle(request.model)
    let made = try JobFolder.make(
      in: folders.parent, name: folders.name(of: request.job), input: request.input,
      settings: JobSettings(
        model: JobDescription.Model(bundle, named: request.model), identity: request.identity,
        installation: processor.installation, geometry: processor.geometry,
        options: processor.options,
        checkpointInterval: request.control.checkpoints?.interval))
    let description = try made.description()
    var found = (made, description)
    for (job, folder) in folders.all() where job == request.job && folder.name != made.name {
      if found.0.name == made.name, let earlier = try? folder.description(),
        earlier.isSameWork(as: description), (try? folder.submission()) != nil
      {
        found = (folder, earlier)
      } else {
        await remove(folder)
      }
    }
    if found.0.name != made.name { await remove(made) }
    return found
  }

  /// Removes a folder, and what Slurm still has of it.
  private func remove(_ folder: JobFolder) async {
    if let submission = try? folder.submission() {
      let name = folder.name(submission.number)
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

  /// The end of what a submission logged.
  private func logTail(_ folder: JobFolder, _ number: Int) -> (text: String, isInterruption: Bool) {
    let file = folder.url.appendingPathComponent("log.\(number)")
    let end = ((try? Data(contentsOf: file)) ?? Data()).suffix(2000)
    let lines = String(decoding: end, as: UTF8.self).split(separator: "\n")
    let isInterruption = lines.last?.hasPrefix("stopped: ") == true
    return (
      lines.isEmpty ? "it logged nothing" : lines.suffix(3).joined(separator: "; "), isInterruption
    )
  }
}

extension JobSubmission {
  fileprivate mutating func askMemory(_ bytes: Int) {
    memory = bytes
    hasMoreMemory = true
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
