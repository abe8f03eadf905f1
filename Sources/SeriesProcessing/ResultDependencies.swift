import DICOM
import Foundation
import GeometryGate
import Results
import Segmentation
import SeriesReading
import Tensors

/// Everything that a result depends on. The same on any machine gives the same result.
public struct ResultDependencies: Sendable, Equatable {
  /// SHA-256 of all of it, as 64 hexadecimal digits.
  public let fingerprint: String
  /// SHA-256 of the model: `ModelBundle.sha256`.
  public let modelSHA256: String
  public let modelVersion: String

  /// What the fingerprint is of, as JSON with sorted keys. A field may be left out, but never renamed:
  /// every result would have other UIDs.
  private struct Document: Encodable {
    struct Channel: Encodable {
      var name: String
      var series: String
      var contents: [String]
    }
    var program: String
    var model: String
    var modelName: String
    var series: String
    var contents: [String]
    var channels: [Channel]
    var geometry: [String]
    var phases: String?
    /// How the extremes of a heartbeat are looked for, where that takes other labels than the result has.
    var search: String?
    var volume: String?
    var throughPlane: String
    var installation: String
    var objects: [String]?
    /// Only where it was asked for.
    var instructionSet: String?
  }

  /// Before, the extremes were looked for in mirrored labels, and may have been others.
  private static func search(_ input: ModelInput, _ bundle: ModelBundle) -> String? {
    guard let phases = input.phases ?? bundle.cine?.phases, phases == .extremes,
      bundle.cine != nil, bundle.inference.isSearchedApart
    else { return nil }
    return "unmirrored"
  }

  /// - Throws: `DICOMError`, or an error of Foundation, where a file cannot be read.
  init(
    _ input: ModelInput, bundle: ModelBundle, geometry: GeometryRules, installation: String,
    options: ResultOptions = ResultOptions(), instructionSet: InstructionSet? = nil
  ) throws {
    let document = Document(
      program: SegmentdVersion.results, model: bundle.sha256, modelName: bundle.name,
      series: input.series.seriesInstanceUID, contents: try input.series.contentHashes(),
      channels: try input.channels.map {
        Document.Channel(
          name: $0.name, series: $0.series.seriesInstanceUID,
          contents: try $0.series.contentHashes())
      },
      geometry: geometry.changes,
      phases: input.phases.flatMap { $0 == bundle.cine?.phases ? nil : $0.text },
      search: Self.search(input, bundle), volume: input.volume,
      throughPlane: bundle.inference.throughPlane.rawValue,
      installation: installation,
      objects: options.changes.isEmpty ? nil : options.changes,
      instructionSet: instructionSet?.rawValue)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    fingerprint = hexadecimalSHA256(of: try encoder.encode(document))
    modelSHA256 = bundle.sha256
    modelVersion = bundle.version
  }
}

extension GeometryRules {
  /// The rules that are not the default ones, in the order of their names: a rule that a later version
  /// adds leaves the fingerprints of before as they are.
  fileprivate var changes: [String] {
    let texts = { (rules: GeometryRules) in
      Mirror(reflecting: rules).children.map { "\($0.label ?? "")=\($0.value)" }
    }
    return Set(texts(self)).subtracting(texts(GeometryRules())).sorted()
  }
}
