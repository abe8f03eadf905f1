import Foundation
import Pipeline
import Segmentation

/// The outcome for one DICOM series or NIfTI volume as `run` prints it.
struct RunReport: Encodable {
  var seriesInstanceUID: String?
  var volume: String?
  var state: String
  var segmentation: String?
  var labels: String?
  var picture: String?
  var millilitres: [String: Double]?
  var memory: MemoryUse?
  var warnings: [String] = []
  var reasons: [String] = []

  init(series: String? = nil, volume: String? = nil, failure: any Error) {
    seriesInstanceUID = series
    self.volume = volume
    state = failure is InputRefusal ? "held" : "failed"
    reasons = ["\(failure)"]
  }

  init(_ seriesInstanceUID: String, _ outcome: SeriesOutcome) {
    self.seriesInstanceUID = seriesInstanceUID
    switch outcome {
    case .segmented(let result):
      state = "segmented"
      segmentation = result.segmentation.path
      labels = result.labels?.path
      picture = result.picture.path
      millilitres = result.millilitres
      memory = result.memory
      warnings = result.warnings
    case .nothingFound(let picture, let warnings):
      state = "nothing found"
      self.picture = picture.path
      self.warnings = warnings
    case .held(let reasons):
      state = "held"
      self.reasons = reasons
    }
  }

  init(_ volume: String, _ result: LabelledVolume) {
    self.volume = volume
    state = result.millilitres.isEmpty ? "nothing found" : "segmented"
    labels = result.labels.path
    picture = result.picture.path
    millilitres = result.millilitres
    warnings = result.warnings
  }

  var text: String {
    let name = seriesInstanceUID.map { "series \($0)" } ?? "volume \(volume ?? "")"
    var lines = ["\(name): \(state)"]
    if let segmentation { lines.append("  segmentation: \(segmentation)") }
    if let labels { lines.append("  labels: \(labels)") }
    if let picture { lines.append("  picture: \(picture)") }
    for (name, volume) in (millilitres ?? [:]).sorted(by: { $0.key < $1.key }) {
      lines.append("  \(name): " + String(format: "%.2f ml", volume))
    }
    lines += warnings.map { "  warning: \($0)" }
    lines += reasons.map { "  \($0)" }
    return lines.joined(separator: "\n")
  }
}
