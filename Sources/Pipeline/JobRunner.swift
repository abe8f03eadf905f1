import Foundation
import JobLedger
import Logging
import Results
import Segmentation
import ServiceLifecycle

/// Works off the ledger's jobs, one at a time.
public struct JobRunner: Service {
  private let state: StateDirectory
  private let ledger: JobLedger
  private let models: ModelLibrary
  private let processor: SeriesProcessor
  private let destinations: [String]
  private let policy: RetryPolicy
  private let logger: Logger

  /// - Parameter destinations: the names under which results are put in the outbox.
  public init(
    state: StateDirectory, ledger: JobLedger, models: ModelLibrary, processor: SeriesProcessor,
    destinations: [String], policy: RetryPolicy = .jobs, logger: Logger
  ) {
    self.state = state
    self.ledger = ledger
    self.models = models
    self.processor = processor
    self.destinations = destinations
    self.policy = policy
    self.logger = logger
  }

  public func run() async throws {
    await repeatUntilShutdown(every: .milliseconds(500), logger: logger) {
      try await runNext { _ in }
    }
  }

  /// Runs the job that has waited longest, or the given one.
  ///
  /// - Returns: false when none is due.
  public func runNext(
    id: Int64? = nil, progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> Bool {
    guard let job = try ledger.claimJob(id: id) else { return false }
    let start = ContinuousClock.now
    do {
      let outcome = try await process(job, progress: progress)
      try finish(job, outcome, seconds: start.duration(to: .now))
    } catch is CancellationError {
      // The process is shutting down: the next one rescues the job.
      throw CancellationError()
    } catch {
      logger.error("job failed: \(error)", metadata: metadata(job))
      try ledger.failJob(job.id, reason: "\(error)", policy: policy)
    }
    return true
  }

  private func process(
    _ job: ClaimedJob, progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> SeriesOutcome {
    logger.info("job started", metadata: metadata(job))
    let files = try ledger.spoolPaths(series: job.seriesInstanceUID).map(state.file)
    let output = state.file(folder(of: job))
    try FileManager.default.createDirectory(
      at: output, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let identifiers = SegmentationObject.Identifiers(
      seriesInstanceUID: job.resultSeriesInstanceUID, sopInstanceUID: job.resultSOPInstanceUID,
      dimensionOrganizationUID: SegmentationObject.Identifiers.generate().dimensionOrganizationUID)
    return try await processor.process(
      SeriesFiles(seriesInstanceUID: job.seriesInstanceUID, files: files),
      segmenter: try await models.segmenter(job.model), identifiers: identifiers, output: output,
      progress: progress)
  }

  private func finish(_ job: ClaimedJob, _ outcome: SeriesOutcome, seconds: Duration) throws {
    switch outcome {
    case .held(let reasons):
      logger.notice(
        "series held: \(reasons.joined(separator: "; "))", metadata: metadata(job))
      try ledger.holdJob(job.id, reason: reasons.joined(separator: "; "))
    case .nothingFound:
      try complete(job, segmentation: nil, summary: "no structure of the model was found")
      logger.info("job completed: nothing found", metadata: metadata(job))
    case .segmented(let proved):
      let summary = proved.millilitres.sorted { $0.key < $1.key }
        .map { "\($0.key) " + String(format: "%.2f ml", $0.value) }.joined(separator: ", ")
      try complete(job, segmentation: proved.segmentation.lastPathComponent, summary: summary)
      logger.info("job completed in \(seconds)", metadata: metadata(job))
    }
  }

  private func complete(_ job: ClaimedJob, segmentation: String?, summary: String) throws {
    let folder = folder(of: job)
    try ledger.completeJob(
      job.id,
      result: JobResult(
        segmentationPath: segmentation.map { "\(folder)/\($0)" },
        picturePath: "\(folder)/contours.png", modelVersion: try models.bundle(job.model).version,
        summary: summary),
      destinations: destinations)
  }

  private func folder(of job: ClaimedJob) -> String { "results/\(job.id)" }

  private func metadata(_ job: ClaimedJob) -> Logger.Metadata {
    ["job": "\(job.id)", "series": "\(job.seriesInstanceUID)", "model": "\(job.model)"]
  }
}
