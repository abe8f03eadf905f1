import Segmentation
import SeriesProcessing

/// Runs jobs in this process.
public struct LocalExecutor: JobExecutor {
  private let models: ModelLibrary
  private let processor: SeriesProcessor

  public init(models: ModelLibrary, processor: SeriesProcessor) {
    self.models = models
    self.processor = processor
  }

  public func dependencies(of input: ModelInput, model: String) async throws
    -> ResultDependencies
  {
    try processor.dependencies(of: input, model: await models.segmenter(model).bundle)
  }

  public func execute(
    _ request: JobRequest, progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> JobOutcome {
    let segmenter = try await models.segmenter(request.model)
    let times = StageTimes()
    let processed = try await processor.process(
      request.input, segmenter: segmenter, identity: request.identity,
      output: request.output, times: times, control: request.control, progress: progress)
    return JobOutcome(
      processed: processed, modelVersion: segmenter.bundle.version, times: times)
  }
}
