/// The walk behind ``FileStructure``.
struct StructureScan {
  let bytes: UnsafeRawBufferPointer
  let file: String
  var isExplicit = true
  var isBigEndian = false
  var isEncapsulated = false
  var pixelData: FileStructure.PixelData?
  /// The value of Series Instance UID (0020,000E) at the top, once it was passed.
  private(set) var seriesInstanceUID: Range<Int>?
  private var visited = 0

  private static let undefined = 0xFFFF_FFFF
  private static let item = Tag(0xFFFE, 0xE000)
  private static let itemEnd = Tag(0xFFFE, 0xE00D)
  private static let sequenceEnd = Tag(0xFFFE, 0xE0DD)
  /// VRs with a four-byte length (PS3.5 7.1.2).
  private static let longVRs: Set<String> = [
    "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV",
  ]

  /// Tag, VR and length before a value.
  private struct Header {
    var tag: Tag
    var vr: String
    var length: Int
    var value: Int
  }

  init(bytes: UnsafeRawBufferPointer, file: String) {
    self.bytes = bytes
    self.file = file
  }

  /// Walks on in this coding.
  mutating func take(_ syntax: TransferSyntax) {
    isExplicit = syntax.isExplicit
    isBigEndian = syntax.isBigEndian
    isEncapsulated = syntax.coding != .none
  }

  /// What the file meta information says of the dataset.
  struct MetaInformation {
    var transferSyntaxUID: String
    /// The bytes of that UID with its padding; empty where it was told from the dataset.
    var transferSyntaxRange = 0..<0
    /// Where the dataset begins.
    var end: Int
  }

  /// The file meta information (PS3.10 7.1).
  ///
  /// Old archives keep files without preamble, or bare datasets: these are taken where they begin
  /// with an element of group 8, in the coding that its first bytes show.
  ///
  /// - Throws: ``DICOMError`` where nothing says how the dataset is coded.
  func metaInformation() throws(DICOMError) -> MetaInformation {
    let hasPrefix = bytes.count >= 132 && bytes[128..<132].elementsEqual("DICM".utf8)
    var uid: (text: String, range: Range<Int>)?
    var offset = hasPrefix ? 132 : 0
    while offset + 8 <= bytes.count, number(offset, 2) == 2 {
      let header = try header(at: offset, end: bytes.count)
      guard header.length != Self.undefined else {
        throw .malformed(file: file, tag: header.tag, reason: "undefined length")
      }
      let value = header.value..<header.value + header.length
      if header.tag == .transferSyntaxUID {
        let text = bytes[value].filter { $0 != 0 && $0 != 0x20 }
        uid = (String(decoding: text, as: UTF8.self), value)
      }
      offset = value.upperBound
    }
    if let uid {
      return MetaInformation(
        transferSyntaxUID: uid.text, transferSyntaxRange: uid.range, end: offset)
    }
    guard let syntax = codingOfDataset(at: offset) else {
      throw hasPrefix
        ? .missingAttribute(file: file, tag: .transferSyntaxUID) : .notDICOM(file: file)
    }
    return MetaInformation(transferSyntaxUID: syntax.rawValue, end: offset)
  }

  /// How a dataset is coded that begins with an element of group 8, as every composite object does;
  /// nil where none begins here.
  private func codingOfDataset(at offset: Int) -> TransferSyntax? {
    guard offset + 8 <= bytes.count else { return nil }
    let group = (bytes[offset], bytes[offset + 1])
    let vr = String(decoding: bytes[offset + 4..<offset + 6], as: UTF8.self)
    let isExplicit = VR(rawValue: vr) != nil
    if group == (0, 8), bytes[offset + 2] == 0 {
      return isExplicit ? .explicitBigEndian : nil
    }
    guard group == (8, 0), bytes[offset + 3] == 0 else { return nil }
    if isExplicit { return .explicitLittleEndian }
    // The first values are short: group length, character set, image type, dates, UIDs.
    return number(offset + 4, 4) <= 1024 ? .implicitLittleEndian : nil
  }

  /// Walks over elements up to `end`, or to the item's delimiter; returns where they end.
  mutating func elements(
    from start: Int, to end: Int, depth: Int, delimited: Bool
  ) throws(DICOMError) -> Int {
    var offset = start
    var values: [Tag: Range<Int>] = [:]
    while offset < end {
      let header = try header(at: offset, end: end)
      if header.tag == Self.itemEnd, delimited { return header.value }
      try check(header, isNoOtherThan: &values)
      try count(header.tag)
      guard header.tag.group != 0xFFFE else {
        throw .malformed(file: file, tag: header.tag, reason: "delimiter out of place")
      }
      // Icon images within sequences may be encapsulated too.
      if header.tag == .pixelData, depth == 0 || header.length == Self.undefined {
        let found = try pixelData(header, start: offset, end: end)
        if depth == 0 { pixelData = found.location }
        offset = found.end
      } else {
        if header.tag == .seriesInstanceUID, depth == 0, header.length <= 64 {
          seriesInstanceUID = header.value..<header.value + header.length
        }
        offset = try value(header, end: end, depth: depth)
      }
    }
    if delimited {
      throw .truncated(file: file, tag: Self.itemEnd, needed: 8, available: 0)
    }
    return offset
  }

  /// A standard element that stands twice in a dataset has two meanings (PS3.5 7.1 admits one), of
  /// which each reader takes its own. Copies of one value do no harm.
  private func check(
    _ header: Header, isNoOtherThan values: inout [Tag: Range<Int>]
  ) throws(DICOMError) {
    guard header.tag.group % 2 == 0, header.vr != "SQ", header.length != Self.undefined else {
      return
    }
    let value = header.value..<header.value + header.length
    if let other = values.updateValue(value, forKey: header.tag),
      !bytes[other].elementsEqual(bytes[value])
    {
      throw .malformed(file: file, tag: header.tag, reason: "stands twice with other values")
    }
  }

  private mutating func value(_ header: Header, end: Int, depth: Int) throws(DICOMError) -> Int {
    let isUndefined = header.length == Self.undefined
    switch header.vr {
    case "SQ":
      return try sequence(header, end: end, depth: depth)
    case "UN" where isUndefined:
      // Such a sequence is coded in Implicit VR Little Endian (PS3.5 6.2.2 note 2).
      let outer = (isExplicit, isBigEndian)
      (isExplicit, isBigEndian) = (false, false)
      defer { (isExplicit, isBigEndian) = outer }
      return try sequence(header, end: end, depth: depth)
    case "" where isUndefined:
      return try sequence(header, end: end, depth: depth)
    case "" where startsWithItem(header):
      // Without a VR this may be a sequence or bytes that look like one: only depth is judged.
      let before = visited
      do {
        return try sequence(header, end: end, depth: depth)
      } catch {
        if case .nestedTooDeeply = error { throw error }
        if case .tooLarge = error { throw error }
        visited = before + 1
      }
      return header.value + header.length
    default:
      if isUndefined {
        throw .malformed(file: file, tag: header.tag, reason: "undefined length")
      }
      return header.value + header.length
    }
  }

  private func startsWithItem(_ header: Header) -> Bool {
    header.length >= 8 && number(header.value, 2) == 0xFFFE
      && number(header.value + 2, 2) == 0xE000
  }

  private mutating func sequence(
    _ header: Header, end: Int, depth: Int
  ) throws(DICOMError) -> Int {
    guard depth < FileStructure.maximumNesting else {
      throw .nestedTooDeeply(
        file: file, tag: header.tag, limit: FileStructure.maximumNesting)
    }
    let isUndefined = header.length == Self.undefined
    let sequenceLimit = isUndefined ? end : header.value + header.length
    var offset = header.value
    while offset < sequenceLimit {
      let item = try delimiter(at: offset, end: sequenceLimit)
      try count(header.tag)
      if item.tag == Self.sequenceEnd, isUndefined { return item.value }
      guard item.tag == Self.item else {
        throw .malformed(file: file, tag: header.tag, reason: "an item was expected")
      }
      let isItemUndefined = item.length == Self.undefined
      offset = try elements(
        from: item.value, to: isItemUndefined ? sequenceLimit : item.value + item.length,
        depth: depth + 1, delimited: isItemUndefined)
    }
    if isUndefined { throw .truncated(file: file, tag: header.tag, needed: 8, available: 0) }
    return offset
  }

  /// Where pixel data lies and the offset after it.
  private mutating func pixelData(
    _ header: Header, start: Int, end: Int
  ) throws(DICOMError) -> (location: FileStructure.PixelData, end: Int) {
    var found = FileStructure.PixelData(vr: header.vr.isEmpty ? "OW" : header.vr, start: start)
    guard (header.length == Self.undefined) == isEncapsulated else {
      throw .malformed(
        file: file, tag: header.tag,
        reason: isEncapsulated ? "pixel data is not encapsulated" : "undefined length")
    }
    guard isEncapsulated else {
      let value = header.value..<header.value + header.length
      found.native = value
      return (found, value.upperBound)
    }
    var offset = header.value
    var isOffsetTable = true
    while true {
      let item = try delimiter(at: offset, end: end)
      try count(header.tag)
      if item.tag == Self.sequenceEnd { return (found, item.value) }
      guard item.tag == Self.item, item.length != Self.undefined else {
        throw .malformed(file: file, tag: header.tag, reason: "a fragment was expected")
      }
      let value = item.value..<item.value + item.length
      if isOffsetTable { found.offsetTable = value } else { found.fragments.append(value) }
      isOffsetTable = false
      offset = value.upperBound
    }
  }

  private mutating func count(_ tag: Tag) throws(DICOMError) {
    visited += 1
    if visited > FileStructure.maximumElements {
      throw .tooLarge(
        file: file, reason: "more than \(FileStructure.maximumElements) elements at \(tag)")
    }
  }

  // MARK: Bytes

  private func number(_ offset: Int, _ size: Int) -> Int {
    var value = 0
    for index in 0..<size {
      let byte = bytes[offset + (isBigEndian ? index : size - 1 - index)]
      value = value << 8 | Int(byte)
    }
    return value
  }

  private func storedTag(_ offset: Int) -> Tag {
    Tag(UInt16(number(offset, 2)), UInt16(number(offset + 2, 2)))
  }

  private func tag(at offset: Int, end: Int) throws(DICOMError) -> Tag {
    guard offset + 8 <= end else {
      let known = offset + 4 <= end ? storedTag(offset) : Tag(0, 0)
      throw .truncated(file: file, tag: known, needed: 8, available: end - offset)
    }
    return storedTag(offset)
  }

  /// An item or delimiter: a tag and a length, never a VR.
  private func delimiter(at offset: Int, end: Int) throws(DICOMError) -> Header {
    let tag = try tag(at: offset, end: end)
    let found = Header(tag: tag, vr: "", length: number(offset + 4, 4), value: offset + 8)
    return try checked(found, end: end)
  }

  private func header(at offset: Int, end: Int) throws(DICOMError) -> Header {
    let tag = try tag(at: offset, end: end)
    if !isExplicit || tag.group == 0xFFFE { return try delimiter(at: offset, end: end) }
    let vr = String(decoding: bytes[offset + 4..<offset + 6], as: UTF8.self)
    guard VR(rawValue: vr) != nil else {
      throw .malformed(file: file, tag: tag, reason: "unknown value representation")
    }
    guard Self.longVRs.contains(vr) else {
      let found = Header(tag: tag, vr: vr, length: number(offset + 6, 2), value: offset + 8)
      return try checked(found, end: end)
    }
    guard offset + 12 <= end else {
      throw .truncated(file: file, tag: tag, needed: 12, available: end - offset)
    }
    let found = Header(tag: tag, vr: vr, length: number(offset + 8, 4), value: offset + 12)
    return try checked(found, end: end)
  }

  private func checked(_ header: Header, end: Int) throws(DICOMError) -> Header {
    if header.length != Self.undefined, header.value + header.length > end {
      throw .truncated(
        file: file, tag: header.tag, needed: header.length, available: end - header.value)
    }
    return header
  }
}
