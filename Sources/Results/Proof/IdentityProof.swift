import DICOM
import Foundation
import Volumes

/// The proof that a written object belongs to the patient and the study of its source images.
///
/// Texts are compared as the bytes that are on disk in both files, found by a walk over their structure and
/// not by the parser that the copying code reads with; sequences are compared item by item as that parser reads
/// them. The list of attributes is not that of the copying code.
struct IdentityProof {
  private let object: WrittenObject
  private let stack: SliceStack
  /// What objects of this kind have no place for, and must not have.
  private let withoutPlace: Set<Tag>

  init(_ object: WrittenObject, stack: SliceStack, withoutPlace: Set<Tag> = []) {
    self.object = object
    self.stack = stack
    self.withoutPlace = withoutPlace
  }

  /// What must be there even without a value (PS3.3 C.7.1.1, C.7.2.1, C.7.4.1).
  private static let present: [Tag] = [
    .patientName, .patientID, .patientBirthDate, .patientSex, .studyDate, .studyTime,
    .referringPhysicianName, .studyID, .accessionNumber, .positionReferenceIndicator,
  ]

  /// What names the patient, the study and the place, with the character set of the texts.
  static let texts: [Tag] = [
    .specificCharacterSet, .patientName, .patientID, .issuerOfPatientID, .patientBirthDate,
    .patientSex, .accessionNumber, .studyInstanceUID, .studyID, .studyDate, .studyTime,
    .studyDescription, .referringPhysicianName, .patientAge, .patientSize, .patientWeight,
    .patientIdentityRemoved, .deidentificationMethod, .bodyPartExamined, .laterality,
    .positionReferenceIndicator, .institutionName, .patientBirthTime, .otherPatientIDs,
    .otherPatientNames, .ethnicGroup, .patientSpeciesDescription, .patientBreedDescription,
    .responsiblePerson, .responsiblePersonRole, .responsibleOrganization,
    .longitudinalTemporalInformationModified, .physiciansOfRecord,
    .nameOfPhysiciansReadingStudy, .admittingDiagnosesDescription, .admissionID,
    .issuerOfAdmissionID, .serviceEpisodeID, .serviceEpisodeDescription,
    .clinicalTrialSponsorName, .clinicalTrialProtocolID, .clinicalTrialProtocolName,
    .issuerOfClinicalTrialProtocolID, .clinicalTrialSiteID, .clinicalTrialSiteName,
    .issuerOfClinicalTrialSiteID, .clinicalTrialSubjectID, .issuerOfClinicalTrialSubjectID,
    .clinicalTrialSubjectReadingID, .issuerOfClinicalTrialSubjectReadingID,
    .clinicalTrialTimePointID, .clinicalTrialTimePointDescription,
    .clinicalTrialCoordinatingCenterName, .clinicalTrialSeriesID,
    .clinicalTrialSeriesDescription, .clinicalTrialProtocolEthicsCommitteeName,
    .clinicalTrialProtocolEthicsCommitteeApprovalNumber,
  ]

  static let sequences: [Tag] = [
    .issuerOfAccessionNumberSequence, .issuerOfPatientIDQualifiersSequence,
    .otherPatientIDsSequence, .patientSpeciesCodeSequence, .patientBreedCodeSequence,
    .breedRegistrationSequence, .deidentificationMethodCodeSequence,
    .consentForClinicalTrialUseSequence, .procedureCodeSequence, .referencedStudySequence,
    .requestAttributesSequence, .admittingDiagnosesCodeSequence, .issuerOfAdmissionIDSequence,
    .issuerOfServiceEpisodeIDSequence,
  ]

  /// What the frames of the stack say of themselves, read when the series was assessed.
  private static let assessed: [(Tag, @Sendable (ImageFrame) -> String)] = [
    (.patientID, { $0.patientID }), (.patientName, { $0.patientName }),
    (.patientBirthDate, { $0.patientBirthDate }), (.patientSex, { $0.patientSex }),
    (.issuerOfPatientID, { $0.issuerOfPatientID }), (.accessionNumber, { $0.accessionNumber }),
    (.studyID, { $0.studyID }), (.studyDate, { $0.studyDate }),
    (.studyInstanceUID, { $0.studyInstanceUID }),
  ]

  /// - Returns: what the source images say, with the one whose identity the object has.
  /// - Throws: ``ProofError`` where the object's identity is not that of one of the images, byte
  ///   for byte, or lacks what any of them states.
  func prove() throws(ProofError) -> SourceRecord {
    for tag in withoutPlace {
      try object.expect(!object.dataset.contains(tag), tag, "is not expected")
    }
    for tag in Self.present where !withoutPlace.contains(tag) {
      try object.expect(object.dataset.contains(tag), tag, "is absent")
    }
    let written = SourceRecord.unpadded(object.stored)
    for (tag, value) in Self.assessed where written[tag] == nil {
      if stack.frames.contains(where: { !value($0).isEmpty }) {
        throw object.differs(tag, "is blank, the source's is not")
      }
    }
    var record = SourceRecord()
    var match: String?
    var difference: ProofError?
    for frame in stack.frames where record.images[frame.file] == nil {
      let source = try record.add(frame.file, Self.texts)
      try proveImage(frame, of: record, study: source[.studyInstanceUID])
      guard match == nil else { continue }
      let found = try compare(written, with: source, of: frame.file)
      difference = difference ?? found
      if found == nil { match = frame.file }
    }
    guard let match else { throw difference ?? object.differs(.patientID, "has no source") }
    do { record.header = try DICOMFile(path: match).dataset } catch { throw .unreadable(error) }
    return record
  }

  /// The file must hold the image that was assessed.
  private func proveImage(
    _ frame: ImageFrame, of record: SourceRecord, study: [UInt8]?
  ) throws(ProofError) {
    let found = study.map { String(decoding: $0, as: UTF8.self) }
    for (tag, stated, assessed) in [
      (Tag.sopInstanceUID, record.text(.sopInstanceUID, of: frame.file), frame.sopInstanceUID),
      (.sopClassUID, record.text(.sopClassUID, of: frame.file), frame.sopClassUID),
      (.studyInstanceUID, found, frame.studyInstanceUID),
    ] {
      try object.expect(
        (stated ?? "") == assessed, tag, "of a source image is another one than was segmented")
    }
  }

  private func compare(
    _ written: [Tag: [UInt8]], with source: [Tag: [UInt8]], of file: String
  ) throws(ProofError) -> ProofError? {
    for tag in Self.texts
    where !withoutPlace.contains(tag) && !isCopy(written[tag], of: source[tag], tag) {
      return object.differs(
        tag,
        written[tag] == nil ? "is blank, the source image's is not" : "is not the source image's")
    }
    // What the copied dates and times refer to.
    guard offset(written) == offset(source) else {
      return object.differs(.timezoneOffsetFromUTC, "is not the source image's")
    }
    let dataset: Dataset
    do { dataset = try DICOMFile(path: file).dataset } catch { throw .unreadable(error) }
    for tag in Self.sequences
    where !withoutPlace.contains(tag)
      && object.dataset.items(tag).map(\.publicPart) != dataset.items(tag).map(\.publicPart)
    {
      return object.differs(tag, "is not the source image's")
    }
    return nil
  }

  private func isCopy(_ written: [UInt8]?, of source: [UInt8]?, _ tag: Tag) -> Bool {
    if written == source { return true }
    // A number of more digits than DS can hold is rounded (PS3.5 6.2).
    guard tag == .patientSize || tag == .patientWeight, let written, let source,
      source.count > 16, written.count <= 16
    else { return false }
    let numbers = [written, source].map { Double(String(decoding: $0, as: UTF8.self)) }
    guard let a = numbers[0], let b = numbers[1] else { return false }
    return areSame([a], [b])
  }

  /// Seconds from UTC, where it is an offset (PS3.3 C.12.1.1.8).
  private func offset(_ values: [Tag: [UInt8]]) -> Int? {
    guard let bytes = values[.timezoneOffsetFromUTC], bytes.count == 5,
      let number = Int(String(decoding: bytes, as: UTF8.self)), [0x2B, 0x2D].contains(bytes[0]),
      abs(number) % 100 < 60, (-1200...1400).contains(number)
    else { return nil }
    return (number / 100 * 60 + number % 100) * 60
  }
}

/// What the files of the source images say, read anew for the proof.
struct SourceRecord {
  /// Of the image whose identity the object has.
  var header = Dataset()
  /// Whether any of the images was compressed with loss, and the first that was.
  var lossyFile: String?
  /// The values of each file that places an image, by its path.
  private(set) var images: [String: [Tag: [UInt8]]] = [:]

  private static let places: [Tag] = [
    .sopClassUID, .sopInstanceUID, .imagePosition, .imageOrientation, .pixelSpacing,
    .sliceThickness, .lossyImageCompression, .frameOfReferenceUID, .transferSyntaxUID,
    .rescaleType, .units, .burnedInAnnotation,
  ]

  /// Transfer syntaxes in which pixels always lose something: JPEG of 8 and 12 bits, JPEG-LS near-lossless
  /// (PS3.5 A.4).
  private static let lossy: Set<String> = [
    "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81",
  ]

  /// Reads a file.
  ///
  /// - Returns: the values of the tags, and of ``places``.
  fileprivate mutating func add(
    _ file: String, _ tags: [Tag]
  ) throws(ProofError) -> [Tag: [UInt8]] {
    let values = try Self.values(file, tags + Self.places + [.timezoneOffsetFromUTC])
    let places = Set(Self.places)
    images[file] = values.filter { places.contains($0.key) }
    let isLossy =
      text(.lossyImageCompression, of: file) == "01"
      || Self.lossy.contains(text(.transferSyntaxUID, of: file) ?? "")
    if lossyFile == nil, isLossy { lossyFile = file }
    return values
  }

  /// Whether any of the images says that its pixels show whose they are.
  var saysBurnedInAnnotation: Bool {
    images.keys.contains { text(.burnedInAnnotation, of: $0) == "YES" }
  }

  func text(_ tag: Tag, of file: String) -> String? {
    images[file]?[tag].map { String(decoding: $0, as: UTF8.self) }
  }

  /// The numbers of a value at the top of a file; nil where there is none.
  func numbers(_ tag: Tag, of file: String) -> [Double]? {
    guard let text = text(tag, of: file) else { return nil }
    let numbers = text.split(separator: "\\", omittingEmptySubsequences: false)
      .map { Double($0.trimmingCharacters(in: Self.padding)) }
    return numbers.contains { $0?.isFinite != true } ? nil : numbers.compactMap(\.self)
  }

  private static let padding = CharacterSet(charactersIn: " \0")

  /// Values without the padding around them, which has no meaning (PS3.5 6.2); nothing for blanks.
  fileprivate static func values(
    _ path: String, _ tags: [Tag]
  ) throws(ProofError) -> [Tag: [UInt8]] {
    let stored: [Tag: [UInt8]]
    do {
      stored = try DICOMFile.storedValues(of: Set(tags), path: path)
    } catch { throw .unreadable(error) }
    return unpadded(stored)
  }

  fileprivate static func unpadded(_ stored: [Tag: [UInt8]]) -> [Tag: [UInt8]] {
    let isPadding = { (byte: UInt8) in byte == 0x20 || byte == 0 }
    return stored.compactMapValues { bytes in
      guard let first = bytes.firstIndex(where: { !isPadding($0) }),
        let last = bytes.lastIndex(where: { !isPadding($0) })
      else { return nil }
      return Array(bytes[first...last])
    }
  }
}

extension Dataset {
  /// The item of another writer as it may be in an object of ours, for comparing: without private elements,
  /// group lengths and the padding of values.
  var publicPart: Dataset {
    var part = Dataset()
    for (tag, element) in elements where !tag.isPrivate && tag.element != 0 {
      switch element.value {
      case .items(let items): part.set(tag, items.map(\.publicPart))
      case .text(let bytes): part[tag] = DataElement(element.vr, .text(Self.unpadded(bytes)))
      case .bytes(let bytes): part[tag] = DataElement(element.vr, .bytes(Self.unpadded(bytes)))
      case .integers, .reals: part[tag] = element
      }
    }
    return part
  }

  private static func unpadded(_ bytes: [UInt8]) -> [UInt8] {
    Array(bytes.prefix(bytes.count - bytes.reversed().prefix { $0 == 0x20 || $0 == 0 }.count))
  }
}
