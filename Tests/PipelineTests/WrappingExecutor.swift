import SeriesProcessing

@testable import Pipeline

/// An executor of a test that changes something of what another one does: the rest is as there.
protocol WrappingExecutor: JobExecutor {
  var inner: any JobExecutor { get }
}

extension WrappingExecutor {
  func dependencies(of input: ModelInput, model: String) async throws -> ResultDependencies {
    try await inner.dependencies(of: input, model: model)
  }
}
