import DICOM
import FileSystem
import Foundation
import Wording

/// Compares a de-identified object, as it is on disk, with the object that it was made from. It shares no rule
/// with ``Deidentifier``: it goes by value representations and by the values themselves.
struct DeidentificationProof {
  private let path: String
  private let original: Dataset
  private let key: DeidentificationKey

  init(of path: String, key: DeidentificationKey) throws(ProofError) {
    self.path = path
    self.key = key
    do { original = try DICOMFile(path: path).dataset } catch { throw .unreadable(error) }
  }

  func prove(_ written: String) throws(ProofError) {
    let object = try WrittenObject(written, hasPixels: original.contains(.bitsAllocated))
    try object.proveFileMetaInformation()
    try object.expect(
      object.dataset.text(.patientIdentityRemoved) == "YES", .patientIdentityRemoved,
      "is not YES")
    try object.expect(
      object.dataset.text(.seriesDescription) == seriesDescription, .seriesDescription,
      "is not of the model and the kind of object alone")
    try proveEquipment(object)
    try prove(object.dataset, original, in: object)
    try proveBytes(object)
    try provePixels(object)
  }

  /// What the series has to be called; nil where the original's is not called anything.
  private var seriesDescription: String? {
    guard original.contains(.seriesDescription) else { return nil }
    let kinds = [
      "1.2.840.10008.5.1.4.1.1.66.7": "label map", "1.2.840.10008.5.1.4.1.1.88.34": "report",
      "1.2.840.10008.5.1.4.1.1.481.3": "structures",
    ]
    let kind =
      original.contains(.maximumFractionalValue)
      ? "probabilities" : kinds[original.text(.sopClassUID) ?? ""] ?? ""
    let name = modelEquipment?.text(.manufacturerModelName) ?? "segmentd"
    let words = HeaderProof.seriesName(name, kind, characters: 44)
    return String(decoding: words, as: UTF8.self) + " (research use only)"
  }

  /// The last item of Contributing Equipment Sequence, which is the model in each of our objects.
  private var modelEquipment: Dataset? {
    original.items(.contributingEquipmentSequence).last {
      $0.text(.contributionDescription)?.hasPrefix("Segmentation by a neural network") == true
    }
  }

  /// The model, and this program; not what made the images, or treated them before.
  private func proveEquipment(_ object: WrittenObject) throws(ProofError) {
    let tag = Tag.contributingEquipmentSequence
    let items = object.dataset.items(tag)
    let model = [modelEquipment].compactMap(\.self)
    try object.expect(
      items.dropLast().map(\.publicPart) == model.map(\.publicPart), tag,
      "is not of the model alone")
    guard let own = items.last else { return }
    try object.expect(only: [.purposeOfReferenceCodeSequence, .manufacturer], in: own)
    try object.expect(own.text(.manufacturer) == "segmentd", tag, "is not of this program")
  }

  // MARK: Elements

  private static let places: Set<Tag> = [
    .patientIdentityRemoved, .deidentificationMethodCodeSequence, .contributingEquipmentSequence,
    .longitudinalTemporalInformationModified, .seriesDescription,
  ]
  /// Groups of patients, of trials with them, and of visits.
  private static let identifyingGroups: Set<UInt16> = [0x0010, 0x0012, 0x0032, 0x0038]

  /// Every element is that of the original, or says nothing of a patient.
  private func prove(
    _ dataset: Dataset, _ original: Dataset, in object: WrittenObject
  ) throws(ProofError) {
    for (tag, element) in dataset.elements where !Self.places.contains(tag) {
      try object.expect(!tag.isPrivate, tag, "is private")
      guard let before = original[tag] else { throw object.differs(tag, "is not in the original") }
      try object.expect(before.vr == element.vr, tag, "has another VR")
      switch element.vr {
      case .SQ:
        let (items, due) = (dataset.items(tag), original.items(tag))
        if items.isEmpty { continue }
        try object.expect(
          items.count == due.count, tag, "has \(items.count) of \(counted(due.count, "item"))")
        for (item, due) in zip(items, due) { try prove(item, due, in: object) }
      case .UI: try proveUIDs(tag, dataset.texts(tag), original.texts(tag), in: object)
      case .DA, .TM, .DT, .AS:
        let text = dataset.text(tag) ?? ""
        try object.expect(
          text.isEmpty || ["19000101", "000000"].contains(text), tag, "is a date, a time or an age")
      case .PN:
        let text = dataset.text(tag) ?? ""
        try object.expect(
          [pseudonym, "segmentd", ""].contains(text), tag, "is a person's name")
      default:
        if Self.identifyingGroups.contains(tag.group) {
          let text = dataset.text(tag) ?? ""
          try object.expect(
            element.isEmpty || tag == .patientID && text == pseudonym, tag, "is of a patient")
        } else {
          try object.expect(
            element.isEmpty || element == before && !warns(before)
              || isReplacement(dataset.text(tag), of: original.text(tag)), tag,
            "is not that of the original")
        }
      }
    }
    try proveNothingIsMissing(dataset, original, in: object)
  }

  /// Whether a text says what is unusual.
  private func warns(_ element: DataElement) -> Bool {
    guard [.ST, .LT, .UT].contains(element.vr), case .text(let bytes) = element.value else {
      return false
    }
    return Data(bytes).range(of: Data("Warning: ".utf8)) != nil
  }

  /// "REMOVED", or the beginning of the original and that the result is unusual.
  private func isReplacement(_ text: String?, of original: String?) -> Bool {
    let warning = "Warning: the result is unusual"
    guard let text, text.hasSuffix(warning) else { return text == "REMOVED" }
    return original?.hasPrefix(text.dropLast(warning.count)) == true
  }

  private var pseudonym: String {
    let id = original.text(.patientID) ?? ""
    return id.isEmpty
      ? "" : key.pseudonym(patientID: id, issuer: original.text(.issuerOfPatientID) ?? "")
  }

  private func proveUIDs(
    _ tag: Tag, _ uids: [String], _ due: [String], in object: WrittenObject
  ) throws(ProofError) {
    try object.expect(uids.count == due.count, tag, "has another number of values")
    for (uid, due) in zip(uids, due) {
      // Those of the standard, of SOP classes and of mapping resources, are not of an instance.
      let isOfStandard = due.hasPrefix("1.2.840.10008.")
      try object.expect(
        uid == (isOfStandard ? due : key.uid(due)), tag, "is not what takes its UID's place")
    }
  }

  /// The result is whole: numbers, codes and references are all there.
  private func proveNothingIsMissing(
    _ dataset: Dataset, _ original: Dataset, in object: WrittenObject
  ) throws(ProofError) {
    for (tag, element) in original.elements where !dataset.contains(tag) {
      let mayGo: Bool =
        switch element.vr {
        case .US, .UL, .FD, .FL, .AT, .IS, .UI, .OB, .OW: tag.isPrivate
        case .DS, .CS: Self.identifyingGroups.contains(tag.group) || tag.isPrivate
        case .SQ: tag.group != 0x0062 && tag.group != 0x5200 && tag != .contentSequence
        default: true
        }
      try object.expect(mayGo, tag, "is absent")
    }
  }

  // MARK: Bytes

  /// No UID of an instance, name, or number of the patient is anywhere in the file, also not in its meta
  /// information or behind its end. Descriptions may be the same as a name of a structure.
  private func proveBytes(_ object: WrittenObject) throws(ProofError) {
    let header: Data
    do { header = try DICOMFile.bytesOutsidePixelData(of: object.path) } catch {
      throw .unreadable(error)
    }
    for (tag, value) in Self.identifyingValues(original) {
      try object.expect(
        header.range(of: Data(value)) == nil, tag, "of the original is in the file")
    }
  }

  /// Values that are long enough not to be there by chance.
  private static func identifyingValues(_ dataset: Dataset) -> [(Tag, [UInt8])] {
    var values: [(Tag, [UInt8])] = []
    for (tag, element) in dataset.elements {
      switch element.value {
      case .items(let items): values += items.flatMap(identifyingValues)
      case .text where element.vr == .UI:
        values += dataset.texts(tag).filter {
          !$0.hasPrefix("1.2.840.10008.") && $0.utf8.count >= 16
        }
        .map { (tag, Array($0.utf8)) }
      case .text(let bytes)
      where element.vr == .PN
        || [
          .patientID, .otherPatientIDs, .accessionNumber, .admissionID, .institutionName,
          .stationName,
        ].contains(tag):
        let value = bytes.reversed().drop { $0 == 0x20 || $0 == 0 }.reversed()
        let isNumber = value.allSatisfy { (0x30...0x39).contains($0) }
        if value.count >= (isNumber ? 12 : 8), Array(value) != Array("segmentd".utf8) {
          values.append((tag, Array(value)))
        }
      default: break
      }
    }
    return values
  }

  private func provePixels(_ object: WrittenObject) throws(ProofError) {
    guard let pixels = object.pixels else { return }
    let isSame: Bool
    do { isSame = try pixels.hasSameBytes(as: DICOMFile.withPixelsOnDisk(path: path).pixels) } catch
    {
      throw .unreadable(error)
    }
    try object.expect(isSame, .pixelData, "is not that of the original")
  }
}
