import GeometryGate
import Volumes

/// The assessment of a series without its images: what reports, the ledger and a job's outcome keep.
public struct AssessmentSummary: Sendable, Equatable, Codable {
  /// A volume that the series splits into.
  public struct Volume: Sendable, Equatable, Codable {
    /// Columns, rows, slices.
    public var dims: [Int]
    /// What tells it from the other volumes; empty when alone.
    public var splitBy: [String: String]
    public var images: Int
  }

  public var seriesInstanceUID: String
  public var verdict: Verdict
  /// Everything found, the gravest first; without patient data.
  public var reasons: [String]
  public var volumes: [Volume]

  public init(_ seriesInstanceUID: String, _ assessment: SeriesAssessment) {
    self.seriesInstanceUID = seriesInstanceUID
    verdict = assessment.verdict
    reasons = assessment.reasons
    volumes = assessment.volumes.map(\.stack).map { stack in
      Volume(
        dims: [stack.grid.columns, stack.grid.rows, stack.grid.slices], splitBy: stack.splitBy,
        images: stack.frames.count)
    }
  }

  /// A series that is held before anything of it could be assessed.
  public init(held seriesInstanceUID: String, reasons: [String]) {
    self.seriesInstanceUID = seriesInstanceUID
    verdict = .held
    self.reasons = reasons
    volumes = []
  }
}
