import DICOM
import Foundation
import JobLedger
import Logging
import ServiceLifecycle

/// Which model segments which series.
public struct ModelRule: Sendable {
  public var model: String
  /// Modalities that match; empty for all.
  public var modalities: [String]
  /// A regular expression on SeriesDescription (0008,103E), without regard to case; nil for all.
  public var seriesDescription: String?

  public init(model: String, modalities: [String], seriesDescription: String?) {
    self.model = model
    self.modalities = modalities
    self.seriesDescription = seriesDescription
  }

  func matches(modality: String, description: String) -> Bool {
    guard modalities.isEmpty || modalities.contains(modality) else { return false }
    guard let seriesDescription else { return true }
    return description.range(of: seriesDescription, options: [.regularExpression, .caseInsensitive])
      != nil
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
    try await repeatUntilShutdown(every: .milliseconds(500), logger: logger) {
      for series in try ledger.seriesDue(quietPeriod: quietPeriod) { try assemble(series) }
      return false
    }
  }

  private func assemble(_ series: SeriesDue) throws {
    let description = try seriesDescription(series)
    let matching = rules.filter {
      $0.matches(modality: series.modality, description: description)
    }
    let jobs = matching.map { rule -> NewJob in
      let identifiers = ResultIdentifiers.generate()
      return NewJob(
        model: rule.model, resultSeriesInstanceUID: identifiers.seriesInstanceUID,
        resultSOPInstanceUID: identifiers.sopInstanceUID)
    }
    try ledger.assembleSeries(series, jobs: jobs, reasonIfNone: "no rule matches: modality \(series.modality)")
    logger.info(
      "series complete",
      metadata: [
        "series": "\(series.seriesInstanceUID)", "instances": "\(series.instanceCount)",
        "models": "\(matching.map(\.model).joined(separator: ","))",
      ])
  }

  private func seriesDescription(_ series: SeriesDue) throws -> String {
    guard rules.contains(where: { $0.seriesDescription != nil }),
      let first = try ledger.instances(series: series.seriesInstanceUID).first
    else { return "" }
    return try DICOMFile(path: state.file(first.spoolPath).path).seriesDescription
  }
}
