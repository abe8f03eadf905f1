import DICOM

/// Patient and study attributes that a result takes over from its source, so that an archive files
/// it in the same study. The character set goes along, bytes stay as they are.
///
/// Values that break the rules of their VR would make the result invalid: required ones are
/// emptied, optional ones left out.
enum CopiedAttributes {
  /// Type 2: present even without a value (PS3.3 C.7.1.1, C.7.2.1).
  private static let required: [(Tag, VR)] = [
    (.patientName, .PN), (.patientID, .LO), (.patientBirthDate, .DA), (.patientSex, .CS),
    (.studyDate, .DA), (.studyTime, .TM), (.referringPhysicianName, .PN), (.studyID, .SH),
    (.accessionNumber, .SH),
  ]

  private static let optional: [Tag] = [
    .specificCharacterSet, .issuerOfPatientID, .patientAge, .patientSize, .patientWeight,
    .patientIdentityRemoved, .deidentificationMethod, .studyDescription, .bodyPartExamined,
    .laterality,
  ]

  static func copy(from source: Dataset, to dataset: inout Dataset) {
    for (tag, vr) in required {
      let element = source[tag].flatMap { isValid($0) ? $0 : nil }
      dataset[tag] = element ?? DataElement(vr, .text([]))
    }
    for tag in optional {
      if let element = source[tag], !element.isEmpty, isValid(element) { dataset[tag] = element }
    }
  }

  /// Whether a text obeys the length and characters of its VR (PS3.5 6.2).
  static func isValid(_ element: DataElement) -> Bool {
    guard case .text(let bytes) = element.value else { return false }
    let separator = UInt8(ascii: "\\")
    return bytes.split(separator: separator, omittingEmptySubsequences: false).allSatisfy {
      isValid(trimmed($0), element.vr)
    }
  }

  private static func trimmed(_ value: ArraySlice<UInt8>) -> [UInt8] {
    let isPadding = { (byte: UInt8) in byte == 0x20 || byte == 0 }
    return value.drop(while: isPadding).reversed().drop(while: isPadding).reversed()
  }

  private static func isValid(_ value: [UInt8], _ vr: VR) -> Bool {
    if value.isEmpty { return true }
    let isDigit = { (byte: UInt8) in (0x30...0x39).contains(byte) }
    // Control characters other than the escape of character sets are never allowed.
    guard value.allSatisfy({ $0 >= 0x20 || $0 == 0x1B }) else { return false }
    switch vr {
    case .SH: return value.count <= 16
    case .LO: return value.count <= 64
    case .PN: return value.split(separator: UInt8(ascii: "=")).allSatisfy { $0.count <= 64 }
    case .DA: return value.count == 8 && value.allSatisfy(isDigit)
    case .TM:
      return value.count <= 14 && value.count >= 2 && value[0..<2].allSatisfy(isDigit)
        && value.allSatisfy { isDigit($0) || $0 == UInt8(ascii: ".") }
    case .AS:
      return value.count == 4 && value[0..<3].allSatisfy(isDigit) && "DWMY".utf8.contains(value[3])
    case .CS:
      return value.count <= 16
        && value.allSatisfy {
          isDigit($0) || (0x41...0x5A).contains($0) || $0 == 0x5F || $0 == 0x20
        }
    case .DS:
      return value.count <= 16 && Double(String(decoding: value, as: UTF8.self))?.isFinite == true
    default: return false
    }
  }
}
