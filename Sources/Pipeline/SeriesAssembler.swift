import DICOM
import Foundation
import JobLedger
import Logging
import Results
import ServiceLifecycle

/// Which model segments which series.
public struct ModelRule: Sendable {
  public var model: String
  /// Modalities that match; empty for all.
  public var modalities: [String]
  /// A regular expression on Series Description (0008,103E), without regard to case; nil for all.
  public var seriesDescription: String?

  public init(model: String, modalities: [String] = [], seriesDescription: String? = nil) {
    self.model = model
    self.modalities = modalities
    self.seriesDescription = seriesDescription
  }

  func matches(modality: String, description: String) -> Bool {
    guard modalities.isEmpty || modalities.contains(modality) else { return false }
    guard let seriesDescription else { return true }
    return description.range(
      of: seriesDescription, options: [.regularExpression, .caseInsensitive])
      != nil
  }
}

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
  private let rules: [ModelRule]
  private let quietPeriod: TimeInterval
  private let logger: Logger

  public init(
    state: StateDirectory, ledger: JobLedger, rules: [ModelRule], quietPeriod: TimeInterval,
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
    let description = try seriesDescription(series)
    let models = rules.filter { $0.matches(modality: series.modality, description: description) }
      .map(\.model)
    if models.isEmpty {
      try ledger.assembleSeries(
        series, jobs: [NewJob(model: "")],
        heldBecause: "no rule of the configuration matches: Modality (0008,0060) is "
          + "\(series.modality.isEmpty ? "empty" : series.modality)")
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

  /// Read only where a rule asks for it.
  private func seriesDescription(_ series: SeriesDue) throws -> String {
    guard rules.contains(where: { $0.seriesDescription != nil }),
      let first = try ledger.spoolPaths(series: series.seriesInstanceUID).first
    else { return "" }
    return try DICOMFile(path: state.file(first).path).dataset.text(.seriesDescription) ?? ""
  }
}
