import DICOM
import Terminology
import Wording

/// An item of a report's content tree as it has to be.
struct DueItem {
  enum Value {
    /// A container.
    case container(template: String?)
    case code(CodedConcept)
    case text(String)
    case uid(String)
    /// A number, as far as it may differ, and its unit.
    case number(Double, within: Double, unit: CodedConcept)
    /// A number that is right where this says so.
    case checked(@Sendable (Double) -> Bool, unit: CodedConcept)
    /// An instance by class and UID, and its segment.
    case image(sopClass: String, uid: String, segment: Int?)
  }

  var relationship: String
  /// nil for an image of the library.
  var concept: CodedConcept?
  var value: Value
  var items: [DueItem] = []

  init(
    _ relationship: String, _ concept: CodedConcept?, _ value: Value, _ items: [DueItem] = []
  ) {
    self.relationship = relationship
    self.concept = concept
    self.value = value
    self.items = items
  }
}

/// The proof of a content tree: that it has the items that are due in their order, and nothing else.
struct ContentProof {
  private let written: WrittenObject

  init(_ written: WrittenObject) { self.written = written }

  /// - Throws: ``ProofError`` at the first item that differs.
  func prove(_ due: [DueItem], in dataset: Dataset, under name: String) throws(ProofError) {
    let found = dataset.items(.contentSequence)
    for (item, wanted) in zip(found, due) {
      try prove(item, wanted)
    }
    try written.expect(
      found.count == due.count, .contentSequence,
      "\(counted(found.count, "item")) under \"\(name)\" for \(due.count)")
  }

  private func prove(_ item: Dataset, _ due: DueItem) throws(ProofError) {
    let name = due.concept?.meaning ?? "image"
    try written.expect(
      item.text(.relationshipType) == due.relationship, .relationshipType,
      "of \"\(name)\" is not \(due.relationship)")
    var tags: Set<Tag> = [.relationshipType, .valueType]
    if let concept = due.concept {
      try written.expect(concept, .conceptNameCodeSequence, in: item)
      tags.insert(.conceptNameCodeSequence)
    }
    let (type, values) = try prove(item, due.value, name)
    try written.expect(
      item.text(.valueType) == type, .valueType, "of \"\(name)\" is not \(type)")
    if !due.items.isEmpty { tags.insert(.contentSequence) }
    try written.expect(only: tags.union(values), in: item)
    try prove(due.items, in: item, under: name)
  }

  /// - Returns: the value type, and the elements that hold the value.
  private func prove(
    _ item: Dataset, _ value: DueItem.Value, _ name: String
  ) throws(ProofError) -> (type: String, Set<Tag>) {
    switch value {
    case .container(let template):
      try written.expect(
        item.text(.continuityOfContent) == "SEPARATE", .continuityOfContent, "is not SEPARATE")
      guard let template else { return ("CONTAINER", [.continuityOfContent]) }
      try prove(template: template, of: item)
      return ("CONTAINER", [.continuityOfContent, .contentTemplateSequence])
    case .code(let code):
      try written.expect(code, .conceptCodeSequence, in: item)
      return ("CODE", [.conceptCodeSequence])
    case .text(let text):
      try written.expect(
        written.says(text, .textValue, in: item, length: 4096), .textValue,
        "of \"\(name)\" is not what is known")
      return ("TEXT", [.textValue])
    case .uid(let uid):
      try written.expect(
        item.text(.uidValue) == uid, .uidValue, "of \"\(name)\" is another one")
      return ("UIDREF", [.uidValue])
    case .number(let number, let tolerance, let unit):
      return try proveNumber(item, unit, name) { abs($0 - number) <= tolerance }
    case .checked(let isRight, let unit): return try proveNumber(item, unit, name, isRight)
    case .image(let sopClass, let uid, let segment):
      try proveReference(item, sopClass, uid, segment, name)
      return ("IMAGE", [.referencedSOPSequence])
    }
  }

  /// The template of the dataset or an item must be one of DCMR's.
  func prove(template: String, of item: Dataset) throws(ProofError) {
    let identified = try written.item(.contentTemplateSequence, of: item)
    for (tag, wanted) in [
      (Tag.mappingResource, "DCMR"), (.mappingResourceUID, "1.2.840.10008.8.1.1"),
      (.templateIdentifier, template),
    ] { try written.expect(identified.text(tag) == wanted, tag, "is not \(wanted)") }
    try written.expect(
      only: [.mappingResource, .mappingResourceUID, .templateIdentifier], in: identified)
  }

  private func proveNumber(
    _ item: Dataset, _ unit: CodedConcept, _ name: String, _ isRight: (Double) -> Bool
  ) throws(ProofError) -> (String, Set<Tag>) {
    let measured = try written.item(.measuredValueSequence, of: item)
    try written.expect(only: [.numericValue, .measurementUnitsCodeSequence], in: measured)
    try written.expect(unit, .measurementUnitsCodeSequence, in: measured)
    let numbers = measured.reals(.numericValue)
    try written.expect(
      numbers.count == 1 && isRight(numbers[0]), .numericValue,
      "of \"\(name)\" is not what is measured in the segmentation and the source images")
    return ("NUM", [.measuredValueSequence])
  }

  private func proveReference(
    _ item: Dataset, _ sopClass: String, _ uid: String, _ segment: Int?, _ name: String
  ) throws(ProofError) {
    let reference = try written.item(.referencedSOPSequence, of: item)
    for (tag, wanted) in [
      (Tag.referencedSOPClassUID, sopClass), (.referencedSOPInstanceUID, uid),
    ] {
      try written.expect(reference.text(tag) == wanted, tag, "of \"\(name)\" is another one")
    }
    var tags: Set<Tag> = [.referencedSOPClassUID, .referencedSOPInstanceUID]
    if let segment {
      tags.insert(.referencedSegmentNumber)
      try written.expect(
        reference.integers(.referencedSegmentNumber) == [segment], .referencedSegmentNumber,
        "is not \(segment)")
    }
    try written.expect(only: tags, in: reference)
  }
}
