extension StructureScan {
  /// What the file meta information says of the dataset.
  struct MetaInformation {
    var transferSyntaxUID: String
    /// Where the dataset begins.
    var end: Int
  }

  /// The file meta information (PS3.10 7.1), in explicit VRs or, against the standard, without.
  ///
  /// Old archives keep files without preamble, or bare datasets: these are taken where they begin
  /// with an element of group 8, in the coding that its first bytes show.
  ///
  /// - Throws: ``DICOMError`` where nothing says how the dataset is coded.
  mutating func metaInformation() throws(DICOMError) -> MetaInformation {
    let hasPrefix = bytes.count >= 132 && bytes[128..<132].elementsEqual("DICM".utf8)
    var uid: String?
    var offset = hasPrefix ? 132 : 0
    let coding = (isExplicit, isBigEndian)
    defer { (isExplicit, isBigEndian) = coding }
    (isExplicit, isBigEndian) = (!hasPrefix || hasVR(at: offset), false)
    while offset + 8 <= bytes.count, number(offset, 2) == 2 {
      let header = try header(at: offset, end: bytes.count)
      guard header.length != Self.undefined else {
        throw .malformed(file: file, tag: header.tag, reason: "undefined length")
      }
      let value = header.value..<header.value + header.length
      if sought.contains(header.tag) { soughtValues[header.tag] = value }
      if header.tag == .transferSyntaxUID {
        uid = String(decoding: bytes[value].filter { $0 != 0 && $0 != 0x20 }, as: UTF8.self)
      }
      offset = value.upperBound
    }
    if let uid { return MetaInformation(transferSyntaxUID: uid, end: offset) }
    guard let syntax = codingOfDataset(at: offset) else {
      throw hasPrefix
        ? .missingAttribute(file: file, tag: .transferSyntaxUID) : .notDICOM(file: file)
    }
    return MetaInformation(transferSyntaxUID: syntax.rawValue, end: offset)
  }

  /// How a dataset is coded that begins with an element of group 8, as every composite object does;
  /// nil where none begins here.
  func codingOfDataset(at offset: Int) -> TransferSyntax? {
    guard offset + 8 <= bytes.count else { return nil }
    let group = (bytes[offset], bytes[offset + 1])
    if group == (0, 8), bytes[offset + 2] == 0 {
      return hasVR(at: offset) ? .explicitBigEndian : nil
    }
    guard group == (8, 0), bytes[offset + 3] == 0 else { return nil }
    if hasVR(at: offset) { return .explicitLittleEndian }
    // The first values are short: group length, character set, image type, dates, UIDs.
    var little = self
    little.isBigEndian = false
    return little.number(offset + 4, 4) <= 1024 ? .implicitLittleEndian : nil
  }

  /// How a dataset is coded that begins here in another coding than the transfer syntax says; nil
  /// where it is as it says, or where nothing shows for certain how it is.
  func codingOfDataset(at offset: Int, otherThan stated: TransferSyntax) -> TransferSyntax? {
    guard let found = codingOfDataset(at: offset),
      (found.isExplicit, found.isBigEndian) != (stated.isExplicit, stated.isBigEndian)
    else { return nil }
    var scan = self
    scan.takeCoding(of: found)
    let whole = Container(end: bytes.count, depth: 0, isDelimited: false)
    return scan.isStructure(at: offset, after: Tag(0, 0), in: whole, headers: 3) ? found : nil
  }

  private func hasVR(at offset: Int) -> Bool {
    guard offset + 6 <= bytes.count else { return false }
    return VR(rawValue: String(decoding: bytes[offset + 4..<offset + 6], as: UTF8.self)) != nil
  }
}
