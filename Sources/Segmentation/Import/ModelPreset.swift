import Terminology
import UNETRPP

/// One of the published UNETR++ networks: all that its checkpoint does not say.
///
/// The checkpoints hold weights alone. The network's sizes are those of the reference
/// implementation; spacing and intensities come from plans that the authors publish with their
/// preprocessed data, if at all. Each number of a preset therefore names its source.
public struct ModelPreset: Sendable, Equatable {
  /// Where a part of the preset comes from.
  public struct Source: Sendable, Equatable, Codable {
    /// Such as "spacing".
    public var subject: String
    public var source: String
    /// Whether the authors' own published files say so.
    public var isConfirmed: Bool
  }

  /// As given on the command line.
  public var name: String
  public var summary: String
  public var network: NetworkDescription
  public var preprocessing: Preprocessing
  /// The axes along which the reference mirrors each patch, eight passes in all.
  public var mirrorAxes: [Int]
  public var labels: [SegmentDescription]
  /// Unions of labels that the benchmark scores.
  public var groupings: [SegmentDescription] = []
  /// What `model.yaml` says of its series, `channels` or `cine`; empty for nothing.
  public var seriesText = ""
  public var input: InputLimits
  /// What is usual of its results: sizes of structures, and how they are to each other.
  public var output: [OutputLimit] = []
  public var relations: [LabelRelation] = []
  /// Where these rules come from.
  public var rulesSource = ""
  public var trainingData: String
  public var sources: [Source]
  /// What else its user must know.
  public var remarks: [String]

  public static let all: [ModelPreset] = [synapse, btcv, acdc, lung, brats]

  public static func named(_ name: String) -> ModelPreset? { all.first { $0.name == name } }

  mutating func replaceSources(_ subjects: [String], by source: String) {
    sources.removeAll { subjects.contains($0.subject) }
    sources += subjects.map { Source(subject: $0, source: source, isConfirmed: true) }
  }

  /// The rules on results for other labels: each goes with the structure's codes, whatever its value, and is left
  /// out where there is none of them.
  mutating func takeRules(to list: [SegmentDescription]) {
    var values: [UInt8: UInt8] = [:]
    for label in labels {
      values[label.value] =
        list.first {
          $0.type == label.type && $0.modifier == label.modifier
            && $0.anatomicRegion == label.anatomicRegion
        }?.value
    }
    output = output.compactMap { limit in
      guard let value = values[limit.label] else { return nil }
      var limit = limit
      limit.label = value
      return limit
    }
    relations = relations.compactMap { relation in
      guard let label = values[relation.label], let other = values[relation.other] else {
        return nil
      }
      return LabelRelation(label: label, other: other, kind: relation.kind)
    }
  }

  static let architecture = Source(
    subject: "network",
    source: "the authors' reference implementation, github.com/Amshaker/unetr_plus_plus",
    isConfirmed: true)

  /// The Medical Segmentation Decathlon's rule for all of its tasks.
  static let decathlonOrientation = Source(
    subject: "orientation",
    source: "Antonelli et al., Nat. Commun. 13:4128 (2022): all images of the Decathlon were "
      + "transposed to the most approximate right-anterior-superior frame; the authors' files were "
      + "not seen",
    isConfirmed: false)
}

/// Codes and colours as in DICOM PS3.16 (CID 7150, 7151, 7152, 7159, 7168, 244) and the terminology
/// of 3D Slicer and TotalSegmentator.
extension SegmentDescription {
  static let anatomy = CodedConcept(
    value: "91723000", scheme: "SCT", meaning: "Anatomical Structure")
  static let abnormality = CodedConcept(
    value: "49755003", scheme: "SCT", meaning: "Morphologically Abnormal Structure")
  static let right = CodedConcept(value: "24028007", scheme: "SCT", meaning: "Right")
  static let left = CodedConcept(value: "7771000", scheme: "SCT", meaning: "Left")

  /// A structure of the body.
  static func anatomy(
    _ value: UInt8, _ name: String, _ code: String, _ meaning: String,
    side: CodedConcept? = nil, _ color: [UInt8]
  ) -> SegmentDescription {
    SegmentDescription(
      value: value, name: name, category: anatomy,
      type: CodedConcept(value: code, scheme: "SCT", meaning: meaning), modifier: side,
      color: color)
  }

  /// A finding in a part of the body.
  static func finding(
    _ value: UInt8, _ name: String, _ type: CodedConcept, in region: CodedConcept,
    _ color: [UInt8]
  ) -> SegmentDescription {
    SegmentDescription(
      value: value, name: name, category: abnormality, type: type, anatomicRegion: region,
      color: color)
  }
}
