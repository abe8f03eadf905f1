import DICOM
import Foundation
import JobLedger
import Logging
import Results
import ServiceLifecycle

extension NewJob {
  /// A job with new identifiers for its result.
  public init(model: String) {
    let identifiers = SegmentationObject.Identifiers.generate()
    self.init(
      model: model, resultSeriesInstanceUID: identifiers.seriesInstanceUID,
      resultSOPInstanceUID: identifiers.sopInstanceUID)
  }
}

/// Makes jobs of the series in which nothing has arrived for a while.
public struct SeriesAssembler: Service {
  private let state: StateDirectory
  private let ledger: JobLedger
  private let rules: ModelRules
  private let quietPeriod: TimeInterval
  private let logger: Logger

  public init(
    state: StateDirectory, ledger: JobLedger, rules: ModelRules, quietPeriod: TimeInterval,
    logger: Logger
  ) {
    self.state = state
    self.ledger = ledger
    self.rules = rules
    self.quietPeriod = quietPeriod
    self.logger = logger
  }

  public func run() async throws {
    await repeatUntilShutdown(every: .milliseconds(500), logger: logger) {
      for series in try ledger.seriesDue(quietPeriod: quietPeriod) { try assemble(series) }
      return false
    }
  }

  private func assemble(_ series: SeriesDue) throws {
    let image = try ledger.spoolPaths(series: series.seriesInstanceUID).first.map(state.file)
    var models: [String] = []
    var reason =
      "no rule of the configuration matches: Modality (0008,0060) is "
      + (series.modality.isEmpty ? "empty" : series.modality)
    do {
      models = try rules.models(modality: series.modality, image: image)
    } catch let error as DICOMError {
      // Held, so that the series behind it go on.
      reason = error.description
    }
    if models.isEmpty {
      try ledger.assembleSeries(series, jobs: [NewJob(model: "")], heldBecause: reason)
    } else {
      try ledger.assembleSeries(series, jobs: models.map(NewJob.init(model:)), heldBecause: nil)
    }
    logger.info(
      "series complete",
      metadata: [
        "series": "\(series.seriesInstanceUID)", "instances": "\(series.instanceCount)",
        "models": "\(models.joined(separator: ","))",
      ])
  }
}
