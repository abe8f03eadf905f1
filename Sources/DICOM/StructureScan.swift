import FileSystem

/// The walk behind ``FileStructure``.
struct StructureScan {
  /// Deepest nesting of sequences that is read.
  static let maximumNesting = 64
  /// Most elements and items that are read, a bound on the memory a small file can claim.
  static let maximumElements = 2_000_000

  let bytes: UnsafeRawBufferPointer
  let file: String
  /// What (0002,0010) says.
  private var syntax = TransferSyntax.explicitLittleEndian
  var isExplicit = true
  var isBigEndian = false
  var pixelData: PixelDataLocation?
  /// What is parsed otherwise than it is in the file.
  private(set) var replacements: [HeaderReplacement] = []
  /// Elements at the top, or of the file meta information, whose values are asked for, and those
  /// that were passed.
  var sought: Set<Tag> = []
  var soughtValues: [Tag: Range<Int>] = [:]
  private(set) var visited = 0

  static let undefined = 0xFFFF_FFFF
  static let item = Tag(0xFFFE, 0xE000)
  static let itemEnd = Tag(0xFFFE, 0xE00D)
  private static let sequenceEnd = Tag(0xFFFE, 0xE0DD)
  /// VRs with a four-byte length (PS3.5 7.1.2).
  private static let longVRs: Set<String> = [
    "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV",
  ]

  /// Tag, VR and length before a value.
  struct Header {
    var tag: Tag
    var vr: String
    var length: Int
    var value: Int
  }

  /// How elements are coded (PS3.5 7.1, 7.3).
  struct ElementCoding: Equatable {
    static let implicit = ElementCoding(isExplicit: false, isBigEndian: false)

    var isExplicit: Bool
    var isBigEndian: Bool
  }

  init(bytes: UnsafeRawBufferPointer, file: String) {
    self.bytes = bytes
    self.file = file
  }

  /// Walks on in this transfer syntax.
  mutating func take(_ syntax: TransferSyntax) {
    self.syntax = syntax
    takeCoding(of: syntax)
  }

  var coding: ElementCoding {
    get { ElementCoding(isExplicit: isExplicit, isBigEndian: isBigEndian) }
    set { (isExplicit, isBigEndian) = (newValue.isExplicit, newValue.isBigEndian) }
  }

  /// Walks on over elements that are coded as in another transfer syntax.
  mutating func takeCoding(of other: TransferSyntax) {
    isExplicit = other.isExplicit
    isBigEndian = other.isBigEndian
  }

  /// Walks over elements up to `end`, or to the item's delimiter; returns where they end.
  mutating func elements(
    from start: Int, to end: Int, depth: Int, delimited: Bool
  ) throws(DICOMError) -> Int {
    let container = Container(end: end, depth: depth, isDelimited: delimited)
    var offset = start
    var values: [Tag: Range<Int>] = [:]
    while offset < end {
      guard let header = try nextHeader(at: &offset, in: container) else { continue }
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
        if depth == 0, header.length != Self.undefined, sought.contains(header.tag) {
          soughtValues[header.tag] = header.value..<header.value + header.length
        }
        offset = try value(header, start: offset, end: end, depth: depth)
      }
    }
    if delimited {
      throw .truncated(file: file, tag: Self.itemEnd, needed: 8, available: 0)
    }
    return offset
  }

  /// A standard element that appears twice in a dataset has two meanings (PS3.5 7.1 admits one), of
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
      throw .malformed(file: file, tag: header.tag, reason: "appears twice with different values")
    }
  }

  /// - Parameters:
  ///   - start: of the element, where its tag is.
  ///   - end: of what holds it.
  private mutating func value(
    _ header: Header, start: Int, end: Int, depth: Int
  ) throws(DICOMError) -> Int {
    let isUndefined = header.length == Self.undefined
    switch header.vr {
    case "SQ": return try sequenceOfAnyCoding(header, start: start, end: end, depth: depth)
    case "UN" where isUndefined, "" where isUndefined:
      return try sequenceOfAnyCoding(header, start: start, end: end, depth: depth)
    case "" where startsWithItem(header):
      // Without a VR this may be a sequence or bytes that look like one: only depth is checked.
      let before = replacements.count
      do throws(DICOMError) {
        return try sequence(header, end: end, depth: depth)
      } catch {
        guard !error.isLimit else { throw error }
        forgetReplacements(after: before)
        // The dictionary may make a sequence of it.
        if header.tag.isPrivate { skip(start..<header.value + header.length, header.tag) }
      }
      return header.value + header.length
    default:
      guard isUndefined else { return header.value + header.length }
      guard header.tag.isPrivate else {
        throw .malformed(file: file, tag: header.tag, reason: "undefined length")
      }
      // A private value in fragments, as of encapsulated pixel data.
      let after = try fragments(header, end: end).end
      skip(start..<after, header.tag)
      return after
    }
  }

  /// A sequence in the coding that it should have, or in the other one that some writers give it:
  /// explicit items in a UN element, implicit ones in an SQ element.
  ///
  /// Nothing is needed of a private sequence that can be read in neither: where its length is
  /// known, it is skipped.
  private mutating func sequenceOfAnyCoding(
    _ header: Header, start: Int, end: Int, depth: Int
  ) throws(DICOMError) -> Int {
    let outer = coding
    defer { coding = outer }
    // A UN sequence is coded in Implicit VR Little Endian (PS3.5 6.2.2 note 2).
    let nominal = header.vr == "UN" ? ElementCoding.implicit : outer
    // What can be parsed in place of the other one has no Big Endian.
    let other: ElementCoding? =
      if nominal != outer { outer } else if outer.isBigEndian { nil } else {
        ElementCoding(isExplicit: !outer.isExplicit, isBigEndian: false)
      }
    let isUndefined = header.length == Self.undefined
    let found = isUndefined ? codingOfItems(header, nominal, other, end: end) : nominal
    let before = replacements.count
    do throws(DICOMError) {
      coding = found
      let after = try sequence(header, end: end, depth: depth)
      guard found != nominal else { return after }
      coding = outer
      if outer.isExplicit {
        // As the other VR its items are what they should be.
        replace(start + 4, with: Array((header.vr == "UN" ? "SQ" : "UN").utf8))
      } else {
        guard header.tag.isPrivate else {
          throw .malformed(file: file, tag: header.tag, reason: "items in explicit VRs")
        }
        forgetReplacements(after: before)
        skip(start..<after, header.tag)
      }
      return after
    } catch {
      guard !error.isLimit, !isUndefined, header.tag.isPrivate else { throw error }
      forgetReplacements(after: before)
      coding = outer
      skip(start..<header.value + header.length, header.tag)
      return header.value + header.length
    }
  }

  private func startsWithItem(_ header: Header) -> Bool {
    header.length >= 8 && number(header.value, 2) == 0xFFFE
      && number(header.value + 2, 2) == 0xE000
  }

  mutating func sequence(
    _ header: Header, end: Int, depth: Int
  ) throws(DICOMError) -> Int {
    guard depth < Self.maximumNesting else {
      throw .nestedTooDeeply(
        file: file, tag: header.tag, limit: Self.maximumNesting)
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

  /// Where the pixel data is and the offset after it.
  private mutating func pixelData(
    _ header: Header, start: Int, end: Int
  ) throws(DICOMError) -> (location: PixelDataLocation, end: Int) {
    var found = PixelDataLocation(vr: header.vr.isEmpty ? "OW" : header.vr, start: start)
    guard header.length == Self.undefined else {
      // Also where (0002,0010) says that they are compressed: the length will show it.
      let value = header.value..<header.value + header.length
      found.native = value
      return (found, value.upperBound)
    }
    guard syntax.coding != .none else {
      throw .contradictsTransferSyntax(
        file: file, stated: syntax.rawValue,
        reason: "\(header.tag) is encapsulated, as only compressed pixels are")
    }
    let (values, after) = try fragments(header, end: end)
    found.offsetTable = values.first ?? 0..<0
    found.fragments = Array(values.dropFirst())
    return (found, after)
  }

  /// The fragments of an encapsulated value, the offset table first (PS3.5 A.4), and the offset
  /// after them.
  private mutating func fragments(
    _ header: Header, end: Int
  ) throws(DICOMError) -> (values: [Range<Int>], end: Int) {
    var values: [Range<Int>] = []
    var offset = header.value
    while true {
      if let last = values.last, isPad(at: offset, after: last, end: end) { offset += 1 }
      let item = try delimiter(at: offset, end: end)
      try count(header.tag)
      if item.tag == Self.sequenceEnd { return (values, item.value) }
      guard item.tag == Self.item, item.length != Self.undefined else {
        throw .malformed(file: file, tag: header.tag, reason: "a fragment was expected")
      }
      values.append(item.value..<item.value + item.length)
      offset = item.value + item.length
    }
  }

  /// Whether a zero byte makes a fragment of odd length even without being counted: what should
  /// follow the fragment follows this byte.
  private func isPad(at offset: Int, after fragment: Range<Int>, end: Int) -> Bool {
    guard fragment.count % 2 == 1, offset + 9 <= end, bytes[offset] == 0 else { return false }
    return [Self.item, Self.sequenceEnd].contains(storedTag(offset + 1))
  }

  mutating func replace(_ offset: Int, with bytes: [UInt8]) {
    replacements.append(HeaderReplacement(offset: offset, bytes: bytes))
  }

  mutating func forgetReplacements(after count: Int) {
    replacements.removeLast(replacements.count - count)
  }

  mutating func count(_ tag: Tag) throws(DICOMError) {
    visited += 1
    if visited > Self.maximumElements {
      throw .tooLarge(
        file: file, reason: "more than \(Self.maximumElements) elements at \(tag)")
    }
  }

  // MARK: Bytes

  func number(_ offset: Int, _ size: Int) -> Int {
    var value = 0
    for index in 0..<size {
      let byte = bytes[offset + (isBigEndian ? index : size - 1 - index)]
      value = value << 8 | Int(byte)
    }
    return value
  }

  func storedTag(_ offset: Int) -> Tag {
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

  func header(at offset: Int, end: Int) throws(DICOMError) -> Header {
    let tag = try tag(at: offset, end: end)
    if !isExplicit || tag.group == 0xFFFE { return try delimiter(at: offset, end: end) }
    let vr = String(decoding: bytes[offset + 4..<offset + 6], as: UTF8.self)
    guard VR(rawValue: vr) != nil else {
      let found = bytes[offset + 4..<offset + 6].map { hexadecimal([$0]).uppercased() }
        .joined(separator: " ")
      throw .malformed(
        file: file, tag: tag, reason: "unknown value representation (bytes \(found))")
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

extension DICOMError {
  /// Whether a limit of what is read was met, and not an error of coding.
  fileprivate var isLimit: Bool {
    switch self {
    case .nestedTooDeeply, .tooLarge: true
    default: false
    }
  }
}
