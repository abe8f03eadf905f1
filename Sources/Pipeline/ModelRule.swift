import DICOM
import Foundation

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

/// The rules of a configuration.
public struct ModelRules: Sendable {
  private let rules: [ModelRule]

  public init(_ rules: [ModelRule]) { self.rules = rules }

  /// The models for a series, each once, in the order of the rules.
  ///
  /// - Parameter image: a file of the series; read only where a rule asks for the description.
  /// - Throws: `DICOMError` where that file cannot be read.
  public func models(modality: String, image: URL?) throws -> [String] {
    var description = ""
    if let image, rules.contains(where: { $0.seriesDescription != nil }) {
      description = try DICOMFile(path: image.path).dataset.text(.seriesDescription) ?? ""
    }
    return rules.filter { $0.matches(modality: modality, description: description) }
      .reduce(into: []) { if !$0.contains($1.model) { $0.append($1.model) } }
  }
}
