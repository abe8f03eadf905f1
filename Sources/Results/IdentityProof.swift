import DICOM
import Volumes

/// The proof that a written object belongs to the patient and the study of its source images.
///
/// The bytes of both files are compared as they are on disk. Nothing is shared with the code that
/// copies: neither its list of attributes nor the parser that it reads by.
struct IdentityProof {
  let path: String
  let stack: SliceStack

  /// What names the patient, the study and the place, with the character set of the texts.
  private static let identity: [Tag] = [
    .specificCharacterSet, .patientName, .patientID, .issuerOfPatientID, .patientBirthDate,
    .patientSex, .accessionNumber, .studyInstanceUID, .studyID, .studyDate, .studyTime,
    .studyDescription, .referringPhysicianName, .patientAge, .patientSize, .patientWeight,
    .patientIdentityRemoved, .deidentificationMethod, .bodyPartExamined, .laterality,
  ]

  /// What the frames of the stack say of themselves, read when the series was assessed.
  private static let assessed: [(Tag, @Sendable (ImageFrame) -> String)] = [
    (.patientID, { $0.patientID }), (.patientName, { $0.patientName }),
    (.patientBirthDate, { $0.patientBirthDate }), (.patientSex, { $0.patientSex }),
    (.issuerOfPatientID, { $0.issuerOfPatientID }), (.accessionNumber, { $0.accessionNumber }),
    (.studyID, { $0.studyID }), (.studyDate, { $0.studyDate }),
    (.studyInstanceUID, { $0.studyInstanceUID }),
  ]

  /// - Throws: ``ProofError`` where the object's identity is not that of one of the images, byte
  ///   for byte, or lacks what any of them states.
  func prove() throws(ProofError) {
    let written = try values(path)
    for (tag, value) in Self.assessed where written[tag] == nil {
      if stack.frames.contains(where: { !value($0).isEmpty }) {
        throw .differs(file: path, tag: tag, frame: nil, reason: "is blank, the source's is not")
      }
    }
    var difference: ProofError?
    var read: Set<String> = []
    for frame in stack.frames where read.insert(frame.file).inserted {
      guard let found = try compare(written, with: try values(frame.file)) else { return }
      difference = difference ?? found
    }
    if let difference { throw difference }
  }

  private func compare(
    _ written: [Tag: [UInt8]], with source: [Tag: [UInt8]]
  ) throws(ProofError) -> ProofError? {
    let tags = Self.identity + (stack.hasFrameOfReference ? [.frameOfReferenceUID] : [])
    if let tag = tags.first(where: { written[$0] != source[$0] }) {
      let isBlank = written[tag] == nil
      return .differs(
        file: path, tag: tag, frame: nil,
        reason: isBlank ? "is blank, the source image's is not" : "is not the source image's")
    }
    // What the copied dates and times refer to.
    let offset = { (values: [Tag: [UInt8]]) in
      values[.timezoneOffsetFromUTC].flatMap {
        TimezoneOffset(String(decoding: $0, as: UTF8.self))
      }
    }
    guard offset(written) == offset(source) else {
      return .differs(
        file: path, tag: .timezoneOffsetFromUTC, frame: nil, reason: "is not the source image's")
    }
    return nil
  }

  /// Values without the padding around them, which has no meaning (PS3.5 6.2); nothing for blanks.
  private func values(_ path: String) throws(ProofError) -> [Tag: [UInt8]] {
    let tags = Self.identity + [.frameOfReferenceUID, .timezoneOffsetFromUTC]
    let stored: [Tag: [UInt8]]
    do {
      stored = try DICOMFile.storedValues(of: Set(tags), path: path)
    } catch { throw .unreadable(error) }
    let isPadding = { (byte: UInt8) in byte == 0x20 || byte == 0 }
    return stored.compactMapValues { bytes in
      guard let first = bytes.firstIndex(where: { !isPadding($0) }),
        let last = bytes.lastIndex(where: { !isPadding($0) })
      else { return nil }
      return Array(bytes[first...last])
    }
  }
}
