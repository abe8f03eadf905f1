import DICOM
import Foundation
import Terminology

/// An object read back from disk, and how parts of it are compared. Values are never shown.
struct WrittenObject {
  let path: String
  let dataset: Dataset
  /// nil where the object has none.
  let pixels: NativePixels?
  /// Whether texts of ours may be in any script.
  let isUTF8: Bool
  /// The values as they are on disk of what names patient and study, and of the file meta information.
  let stored: [Tag: [UInt8]]

  private static let storedTags = Set(IdentityProof.texts).union([
    .timezoneOffsetFromUTC, .mediaStorageSOPClassUID, .mediaStorageSOPInstanceUID,
    .transferSyntaxUID,
  ])

  /// - Parameters:
  ///   - path: of the file.
  ///   - hasPixels: whether it is an image.
  init(_ path: String, hasPixels: Bool = true) throws(ProofError) {
    self.path = path
    do {
      let (file, values) = try DICOMFile.mapped(path: path, storedValuesOf: Self.storedTags)
      (dataset, stored) = (file.dataset, values)
      pixels = hasPixels ? try file.pixelsOnDisk() : nil
    } catch {
      throw .unreadable(error)
    }
    isUTF8 = dataset.text(.specificCharacterSet) == "ISO_IR 192"
  }

  /// The file meta information must be that of the dataset (PS3.10 7.1).
  func proveFileMetaInformation() throws(ProofError) {
    let uid = { (tag: Tag) in
      stored[tag].map { String(decoding: $0.filter { $0 != 0 && $0 != 0x20 }, as: UTF8.self) }
    }
    for (tag, wanted) in [
      (Tag.mediaStorageSOPClassUID, dataset.text(.sopClassUID)),
      (.mediaStorageSOPInstanceUID, dataset.text(.sopInstanceUID)),
      (.transferSyntaxUID, TransferSyntax.explicitLittleEndian.rawValue),
    ] { try expect(uid(tag) == wanted, tag, "is not that of the dataset") }
  }

  // MARK: Comparing

  func differs(_ tag: Tag, _ reason: String, frame: Int? = nil) -> ProofError {
    .differs(file: path, tag: tag, frame: frame.map { $0 + 1 }, reason: reason)
  }

  func expect(
    _ holds: Bool, _ tag: Tag, _ reason: String, frame: Int? = nil
  ) throws(ProofError) {
    if !holds { throw differs(tag, reason, frame: frame) }
  }

  /// An item must have these elements, and no others.
  func expect(
    only tags: Set<Tag>, in item: Dataset, frame: Int? = nil
  ) throws(ProofError) {
    let found = Set(item.elements.keys)
    if let tag = found.subtracting(tags).min() {
      throw differs(tag, "is not expected", frame: frame)
    }
    if let tag = tags.subtracting(found).min() { throw differs(tag, "is absent", frame: frame) }
  }

  /// The one item of a sequence.
  func item(
    _ tag: Tag, of dataset: Dataset, frame: Int? = nil
  ) throws(ProofError) -> Dataset {
    let items = dataset.items(tag)
    try expect(items.count == 1, tag, "\(items.count) items for one", frame: frame)
    return items[0]
  }

  /// The one item of a code sequence must be a concept (PS3.3 8.8), and may have the elements `others`
  /// besides.
  func expect(
    _ concept: CodedConcept, _ tag: Tag, in dataset: Dataset, others: Set<Tag> = [],
    frame: Int? = nil
  ) throws(ProofError) {
    let code = try item(tag, of: dataset, frame: frame)
    try expect(
      only: others.union([.codeValue, .codingSchemeDesignator, .codeMeaning]), in: code,
      frame: frame)
    // A part of a code would be another code.
    for (part, text) in [
      (Tag.codeValue, concept.value), (.codingSchemeDesignator, concept.scheme),
    ] {
      try expect(code.text(part) == text, part, "of \(tag) is not the model's", frame: frame)
    }
    try expect(
      says(concept.meaning, .codeMeaning, in: code, length: 64), .codeMeaning,
      "of \(tag) is not the model's", frame: frame)
  }

  /// Whether an element holds a text of ours, as far as the character set admits it and as much of it as
  /// fits.
  func says(_ wanted: String, _ tag: Tag, in dataset: Dataset, length: Int) -> Bool {
    guard let found = dataset.text(tag) else { return false }
    let whole = isUTF8 ? wanted.precomposedStringWithCanonicalMapping : wanted.decomposed
    let (written, due) = (comparable(found), comparable(whole))
    let isCut = whole.unicodeScalars.count > length
    return found.unicodeScalars.count <= length
      && (isCut
        ? due.hasPrefix(written) && (!written.isEmpty || found.contains("?")) : due == written)
  }

  /// A text without what a character set may lack or an element not hold, in whose place something else is
  /// written.
  private func comparable(_ text: String) -> String {
    let replaced: Set<Unicode.Scalar> = ["\\", "?", "^", "`", "~"]
    let kept = text.unicodeScalars.filter { scalar in
      isUTF8
        ? scalar.properties.generalCategory != .control && scalar != "\\" && scalar != "?"
        : (0x20..<0x7E).contains(scalar.value) && !replaced.contains(scalar)
    }
    return String(String.UnicodeScalarView(kept)).trimmingCharacters(in: .whitespaces)
  }
}

extension String {
  fileprivate var decomposed: String { decomposedStringWithCanonicalMapping }
}

/// Whether numbers are the same, but for what is lost where one of them was written in sixteen characters.
func areSame(_ a: [Double], _ b: [Double]) -> Bool {
  a.count == b.count
    && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-7 * Swift.max(1e-2, Swift.min(abs($0), abs($1))) }
}
