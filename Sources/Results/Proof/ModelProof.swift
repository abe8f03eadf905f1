import DICOM
import Terminology
import Wording

/// The proof that an object was made from the model as its bundle describes it on disk: what the writer was
/// given is compared with `model.yaml`, read anew. What it wrote of that is compared by the other proofs.
struct ModelProof {
  /// Which of a model's segments an object is of.
  enum Content {
    /// Those that results hold: the labels, or the groupings where the model says so.
    case held
    /// The same, but for groupings that overlap, for which a label map has no place.
    case disjoint
    case labels
  }

  private let path: String
  private let origin: ResultOrigin
  private let record: ModelRecord

  /// - Parameters:
  ///   - path: of the object that is to be proved.
  ///   - origin: of the object.
  /// - Throws: ``ProofError/modelChanged(path:reason:)`` where the bundle is not the one that the object was made
  ///   with, or a ``ProofError`` as ``ModelRecord`` throws it.
  init(_ path: String, _ origin: ResultOrigin) throws(ProofError) {
    (self.path, self.origin) = (path, origin)
    record = try ModelRecord(origin.modelFile)
    guard record.sha256 == origin.modelSHA256 else {
      throw .modelChanged(
        path: origin.modelFile, reason: "it is not the one that the result was made with")
    }
    try expect(record.name == origin.modelName, .segmentAlgorithmName, "is not that of model.yaml")
    try expect(
      record.version == origin.modelVersion, .algorithmVersion, "is not that of model.yaml")
  }

  /// - Parameters:
  ///   - segments: all that the object may hold.
  ///   - content: which of the model's they are.
  ///   - parts: further descriptions, each of which has to be one of the segments.
  /// - Throws: ``ProofError`` where they are not those of the bundle.
  func prove(
    _ segments: [SegmentDescription], are content: Content, with parts: [SegmentDescription] = []
  ) throws(ProofError) {
    var due = record.holdsGroupings && content != .labels ? record.groupings : record.labels
    let shared = due.reduce(0) { $0 + $1.labels.count } - Set(due.flatMap(\.labels)).count
    if content == .disjoint, shared > 0 { due = record.labels }
    try expect(
      segments.count == due.count, .segmentSequence,
      "is of \(counted(segments.count, "structure")), of which model.yaml has \(due.count)")
    for segment in due {
      let given = segments.filter { $0.labels == segment.labels }
      try expect(
        given.count == 1, .segmentSequence,
        "lacks \(segment.name) of model.yaml, or has it more than once")
      if let given = given.first { try prove(given, is: segment) }
    }
    for part in parts {
      try expect(
        segments.contains(part), .segmentSequence, "has a structure that model.yaml does not have")
    }
  }

  private func prove(
    _ given: SegmentDescription, is due: SegmentDescription
  ) throws(ProofError) {
    for (tag, isEqual) in [
      (Tag.segmentLabel, given.name == due.name),
      (.segmentedPropertyCategoryCodeSequence, given.category == due.category),
      (.segmentedPropertyTypeCodeSequence, given.type == due.type),
      (.segmentedPropertyTypeModifierCodeSequence, given.modifier == due.modifier),
      (.anatomicRegionSequence, given.anatomicRegion == due.anatomicRegion),
      (.recommendedDisplayCIELabValue, given.color == due.color),
    ] { try expect(isEqual, tag, "of \(due.name) is not that of model.yaml") }
  }

  private func expect(_ holds: Bool, _ tag: Tag, _ reason: String) throws(ProofError) {
    if !holds { throw .differs(file: path, tag: tag, frame: nil, reason: reason) }
  }
}
