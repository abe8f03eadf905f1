import Segmentation
import SeriesProcessing

/// Runs jobs in this process.
public struct LocalExecutor: JobExecutor {
  private let models: ModelLibrary
  private let processor: SeriesProcessor
  /// What a cluster has of its jobs; nil where none ever had any.
  private let former: FormerSlurmJobs?

  public init(models: ModelLibrary, processor: SeriesProcessor) {
    self.init(models: models, processor: processor, former: nil)
  }

  init(models: ModelLibrary, processor: SeriesProcessor, former: FormerSlurmJobs?) {
    self.models = models
    self.processor = processor
    self.former = former
  }

  public func dependencies(of input: ModelInput, model: String) async throws
    -> ResultDependencies
  {
    try processor.dependencies(of: input, model: await models.segmenter(model).bundle)
  }

  public func execute(
    _ request: JobRequest, progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> JobOutcome {
    try await former?.bringHome(request)
    let segmenter = try await models.segmenter(request.model)
    let times = StageTimes()
    let processor = request.isReleased ? self.processor.releasingResults : self.processor
    let processed = try await processor.process(
      request.input, segmenter: segmenter, identity: request.identity,
      output: request.output, times: times, control: request.control, progress: progress)
    return JobOutcome(
      processed: processed, modelVersion: segmenter.bundle.version, times: times)
  }

  public func removeLeftovers(_ ended: @Sendable ([Int64]) throws -> [Int64]) async throws {
    try await former?.removeLeftovers(ended)
  }
}
