import FileSystem
import Foundation
import Ingest
import JobLedger
import Logging
import Results
import Segmentation
import SeriesProcessing
import SeriesReading
import ServiceLifecycle

/// Runs the ledger's jobs, one for each executor at a time: claims a job, has it executed, records its outcome.
public struct JobRunner: Service {
  let state: StateDirectory
  let ledger: Ledger
  private let executors: [any JobExecutor]
  let destinations: ResultRouting
  private let policy: RetryPolicy
  let checkpoints: JobCheckpoints
  let logger: Logger
  private let stall = MachineStall()
  private let forecasts: JobForecasts

  /// - Parameters:
  ///   - state: the state directory.
  ///   - ledger: the ledger.
  ///   - executors: each runs one job at a time; one at least.
  ///   - destinations: for which results are put in the outbox.
  ///   - policy: when a failed job is tried again, and how often.
  ///   - checkpoints: how often the state of a job is kept on disk.
  ///   - logger: receives the beginning, progress and outcome of each job.
  public init(
    state: StateDirectory, ledger: Ledger, executors: [any JobExecutor],
    destinations: ResultRouting,
    policy: RetryPolicy = .jobs, checkpoints: CheckpointSettings = CheckpointSettings(),
    logger: Logger
  ) {
    self.state = state
    self.ledger = ledger
    self.executors = executors
    self.destinations = destinations
    self.policy = policy
    forecasts = JobForecasts(ledger: ledger)
    self.checkpoints = JobCheckpoints(
      state: state, ledger: ledger, settings: checkpoints, logger: logger)
    self.logger = logger
  }

  public func run() async throws {
    let processing = ProcessingWatch(ledger: ledger, logger: logger)
    let gate = ClaimGate()
    await withTaskGroup(of: Void.self) { group in
      for executor in executors {
        group.addTask {
          await repeatUntilShutdown(every: .milliseconds(500), logger: logger) {
            guard gate.isOpen else { return false }
            try checkpoints.removeOutdated()
            try await executor.removeLeftovers { try ledger.jobsWithoutFuture(among: $0) }
            guard try processing.allowsJobs(), try await isReady(executor) else { return false }
            let steps = ProgressSteps()
            guard let job = try ledger.claimJob() else {
              gate.close()
              return false
            }
            let metadata = metadata(job)
            return try await run(job, by: executor) { progress in
              if steps.isNew(progress) { logger.info("\(progress.line)", metadata: metadata) }
            }
          }
        }
      }
    }
  }

  /// Whether jobs can be run: after a job was stopped by a fault of the machine none is begun while
  /// that lasts, so that on a full disk a thousand jobs do not each fail again and again.
  private func isReady(_ executor: any JobExecutor) async throws -> Bool {
    guard let (fault, bytes) = stall.fault else { return true }
    guard presentFault(executor, bytes: bytes) == nil else {
      try await Task.sleep(for: .seconds(2))
      return false
    }
    stall.fault = nil
    logger.notice("jobs resume after: \(fault)")
    return true
  }

  private func presentFault(_ executor: any JobExecutor, bytes: Int = 4096) -> MachineFault? {
    ([state.results] + executor.sharedFolders).lazy
      .compactMap { MachineFault.present(in: $0, bytes: bytes) }.first
  }

  /// Runs the job of the highest priority that has waited longest, or the given one.
  ///
  /// - Returns: false when none is due, or processing is paused.
  public func runNext(
    id: Int64? = nil, progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> Bool {
    guard let executor = executors.first else { return false }
    return try await run(ledger.claimJob(id: id), by: executor, progress: progress)
  }

  /// Runs a job that was claimed.
  ///
  /// - Returns: false where there is none.
  private func run(
    _ claimed: ClaimedJob?, by executor: any JobExecutor,
    progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> Bool {
    guard let job = claimed else { return false }
    defer { checkpoints.removeUnlessNeeded(job.id) }
    let yielding = YieldWatch(
      job: job.id, ledger: ledger, places: executors.count, logger: logger)
    defer { yielding.end() }
    do {
      logger.info("job started", metadata: metadata(job))
      let input = try await input(of: job)
      let (identity, earlier) = try await identify(job, input, by: executor)
      if let same = earlier.same, earlier.objects.allSatisfy(isIntact) {
        try await retryingLedgerWrite(logger) {
          try ledger.completeJob(
            job.id, sameAs: same, destinations: try destinations.targets(of: job))
        }
        logger.info("job completed: the result of job \(same)", metadata: metadata(job))
        return true
      }
      let forecast = forecasts.forecast(of: job)
      let request = JobRequest(
        model: job.model, input: input, identity: identity, output: try folderForResult(of: job),
        control: SegmentationControl(
          interruption: yielding.interruption,
          checkpoints: checkpoints.settings(for: job, fingerprint: identity.fingerprint)),
        job: job.id, priority: job.priority,
        isReleased: try ledger.isResultReleased(job: job.id), forecast: forecast?.seconds,
        memoryForecast: forecast?.memory, submission: recordedSubmission(of: job)
      ) { note($0, of: job) }
      let outcome = try await executor.execute(request, progress: progress)
      try await retryingLedgerWrite(logger) { try finish(job, outcome) }
    } catch is CancellationError {
      // The process is shutting down: the next one resumes the job.
      try ledger.releaseJob(job.id)
      throw CancellationError()
    } catch let interruption as SegmentationInterrupted {
      try await yield(job, interruption, yielding.reason)
    } catch let shortage as MemoryShortage {
      logger.notice("job waits: \(shortage)", metadata: metadata(job))
      try await retryingLedgerWrite(logger) {
        try ledger.postponeJob(job.id, reason: "\(shortage)", policy: .memory)
      }
    } catch let damage as DamagedSpool {
      logger.error("series held: \(damage)", metadata: metadata(job))
      try await retryingLedgerWrite(logger) {
        try ledger.holdJob(job.id, reason: "\(damage)")
      }
    } catch {
      try await recordFailure(error, of: job, by: executor)
    }
    return true
  }

  /// Gives a job back that yields, unless it has ended by other means.
  private func yield(
    _ job: ClaimedJob, _ interruption: SegmentationInterrupted, _ reason: YieldReason?
  ) async throws {
    if case .ended(let state) = reason {
      logger.notice("job stopped: it is \(state)", metadata: metadata(job))
      return
    }
    let text = [reason?.description, interruption.description].compactMap(\.self)
      .joined(separator: "; ")
    logger.notice("job yields: \(text)", metadata: metadata(job))
    try await retryingLedgerWrite(logger) { try ledger.yieldJob(job.id, reason: text) }
  }

  private func recordFailure(
    _ error: any Error, of job: ClaimedJob, by executor: any JobExecutor
  ) async throws {
    if let fault = MachineFault(error) ?? presentFault(executor) {
      logger.error("job waits: \(fault)", metadata: metadata(job))
      let bytes = (try? spaceNeeded(job)) ?? 0
      // The fault of one node keeps no other job from the others.
      if !(error is SlurmFailure) || presentFault(executor, bytes: bytes) != nil {
        stall.fault = (fault, bytes)
      }
      try await retryingLedgerWrite(logger) {
        try ledger.postponeJob(job.id, reason: "\(fault)", policy: .machineFaults)
      }
    } else if JobFailure.isPermanent(error) || (error as? SlurmFailure)?.kind == .permanent {
      let reason = SystemError.text(of: error)
      logger.error("job held: \(reason)", metadata: metadata(job))
      try await retryingLedgerWrite(logger) { try ledger.holdJob(job.id, reason: reason) }
    } else {
      let reason = SystemError.text(of: error)
      logger.error("job failed: \(reason)", metadata: metadata(job))
      // Whatever it was, the next attempt shall not begin with it.
      checkpoints.remove(job.id)
      try await retryingLedgerWrite(logger) {
        try ledger.failJob(job.id, reason: reason, policy: policy)
      }
    }
  }

  /// Keeps where a job is for people. Nothing depends on it: what keeps the ledger from being written shows up elsewhere.
  private func note(_ place: JobPlace, of job: ClaimedJob) {
    do { try ledger.note(place, of: job.id) } catch {
      logger.debug("\(error)", metadata: metadata(job))
    }
  }

  private func recordedSubmission(of job: ClaimedJob) -> RecordedSubmission {
    RecordedSubmission(
      last: { [ledger] in try ledger.submission(ofJob: job.id) },
      record: { [ledger] name in try ledger.record(submission: name, of: job.id) })
  }

  /// Bytes that the result of a job will need, about: one bit for each voxel of 16 bits, and its
  /// picture. Without them the result of the network would be lost.
  private func spaceNeeded(_ job: ClaimedJob) throws -> Int {
    let series = try [ledger.instances(job: job.id)] + ledger.stackedSeries(job: job.id)
    let bytes = series.flatMap(\.current).map(\.byteCount).reduce(0, +)
    return bytes / 16 + 65_536
  }

  /// The files of a job, after they were compared with what was received.
  private func input(of job: ClaimedJob) async throws -> ModelInput {
    let instances = try ledger.instances(job: job.id)
    let channels = try ledger.channels(job: job.id)
    let stacked = try ledger.stackedSeries(job: job.id)
    try await SpoolCheck(state: state).verify(
      instances.all + stacked.flatMap(\.all) + channels.flatMap(\.instances.all))
    var series = SeriesFiles(instances, in: state)
    series.stackedWith = stacked.map { SeriesFiles($0, in: state) }
    var input = ModelInput(
      series, channels: channels.map { ($0.name, SeriesFiles($0.instances, in: state)) })
    input.volume = try ledger.volume(job: job.id)?.name
    return input
  }

  /// What the result will be, and what there is of it already.
  private func identify(
    _ job: ClaimedJob, _ input: ModelInput, by executor: any JobExecutor
  ) async throws -> (ResultIdentity, EarlierResults) {
    let dependencies = try await executor.dependencies(of: input, model: job.model)
    let known = JobIdentity(
      fingerprint: dependencies.fingerprint, modelSHA256: dependencies.modelSHA256)
    let earlier = try ledger.earlierResults(job: job.id, known)
    let identity = ResultIdentity(
      fingerprint: known.fingerprint,
      replaces: earlier.replaced.map {
        ReplacedSeries(
          studyInstanceUID: $0.studyInstanceUID, seriesInstanceUID: $0.seriesInstanceUID)
      })
    try await retryingLedgerWrite(logger) {
      try ledger.identifyJob(
        job.id, known, seriesInstanceUID: identity.seriesInstanceUID, replaced: earlier.replaced)
    }
    return (identity, earlier)
  }

  /// Whether a file of an earlier result is as it was proved.
  private func isIntact(_ object: StoredObject) -> Bool {
    let file = state.file(object.path)
    guard let sha256 = object.sha256 else {
      return FileManager.default.fileExists(atPath: file.path)
    }
    return (try? hexadecimalSHA256(ofFile: file)) == sha256
  }

  /// A folder for the result, without what an attempt before may have left.
  ///
  /// - Throws: ``MachineFault`` where there is no space for it.
  private func folderForResult(of job: ClaimedJob) throws -> URL {
    let output = state.file(folder(of: job))
    if FileManager.default.fileExists(atPath: output.path) {
      try FileManager.default.removeItem(at: output)
    }
    try FileManager.default.createDirectory(
      at: output, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    try StateDirectory.sync(state.results.path)
    if let fault = MachineFault.present(in: output, bytes: try spaceNeeded(job)) { throw fault }
    return output
  }

  func folder(of job: ClaimedJob) -> String { "results/\(job.id)" }

  func metadata(_ job: ClaimedJob) -> Logger.Metadata {
    [
      "job": "\(job.id)", "study": "\(ledger.studyForLog(ofJob: job.id))",
      "series": "\(job.seriesInstanceUID)", "model": "\(job.model)",
    ]
  }
}
