// Nothing of a private element is needed that is not coded as it should be. It is skipped where it
// is certain where it ends, because what follows there is structure again.

extension StructureScan {
  /// The dataset or item that holds an element.
  struct Container {
    var end: Int
    var depth: Int
    /// Whether it ends with a delimiter.
    var isDelimited: Bool
  }

  /// The header of the element at an offset; nil where a private element of bad coding was there,
  /// and the offset is behind it now.
  mutating func nextHeader(
    at offset: inout Int, in container: Container
  ) throws(DICOMError) -> Header? {
    let read: Result<Header, DICOMError>
    do { read = .success(try header(at: offset, end: container.end)) } catch {
      read = .failure(error)
    }
    if case .success(let header) = read, !isDoubtful(header, at: offset) { return header }
    if let end = try endOfBadElement(at: offset, in: container) {
      skip(offset..<end, storedTag(offset))
      offset = end
      return nil
    }
    return try read.get()
  }

  /// Whether what should be a length reads as a VR: an explicit element within implicit ones.
  private func isDoubtful(_ header: Header, at offset: Int) -> Bool {
    guard !isExplicit, header.tag.isPrivate, (0x41...0x5A).contains(bytes[offset + 4]) else {
      return false
    }
    return VR(rawValue: String(decoding: bytes[offset + 4..<offset + 6], as: UTF8.self)) != nil
  }

  /// Where a private element ends that is not coded as it should be; nil where it is after all, or
  /// where its end is uncertain.
  private mutating func endOfBadElement(
    at start: Int, in container: Container
  ) throws(DICOMError) -> Int? {
    guard start + 8 <= container.end, storedTag(start).isPrivate else { return nil }
    let tag = storedTag(start)
    try count(tag)
    for value in [8, 12] where start + value <= container.end {
      if number(start + value - 4, 4) == Self.undefined {
        return endOfBadSequence(tag, value: start + value, in: container)
      }
    }
    let ends = Set(possibleEnds(at: start, in: container)).filter {
      isStructure(at: $0, after: tag, in: container, headers: 2)
    }
    guard ends.count == 1, let end = ends.first else { return nil }
    let isAsItShouldBe = !isExplicit && end == start + 8 + number(start + 4, 4)
    return isAsItShouldBe ? nil : end
  }

  /// A sequence of undefined length, whose items may be of either coding.
  private mutating func endOfBadSequence(
    _ tag: Tag, value: Int, in container: Container
  ) -> Int? {
    let outer = coding
    let before = replacements.count
    defer {
      coding = outer
      forgetReplacements(after: before)
    }
    let header = Header(tag: tag, vr: "", length: Self.undefined, value: value)
    let explicit = ElementCoding(isExplicit: true, isBigEndian: outer.isBigEndian)
    coding = codingOfItems(header, .implicit, explicit, end: container.end)
    return try? sequence(header, end: container.end, depth: container.depth)
  }

  /// The coding of the items of a sequence of undefined length: the other one only where its first
  /// item shows it.
  func codingOfItems(
    _ header: Header, _ nominal: ElementCoding, _ other: ElementCoding?, end: Int
  ) -> ElementCoding {
    guard let other, !beginsWithItem(header, in: nominal, end: end),
      beginsWithItem(header, in: other, end: end)
    else { return nominal }
    return other
  }

  /// Whether the first item of a sequence begins with elements of a coding.
  private func beginsWithItem(_ header: Header, in coding: ElementCoding, end: Int) -> Bool {
    var scan = self
    scan.coding = coding
    guard header.value + 8 <= end, scan.storedTag(header.value) == Self.item else { return false }
    let (first, length) = (header.value + 8, scan.number(header.value + 4, 4))
    let isUndefined = length == Self.undefined
    guard isUndefined || first + length <= end else { return false }
    let item = Container(
      end: isUndefined ? end : first + length, depth: 0, isDelimited: isUndefined)
    return scan.isStructure(at: first, after: Tag(0, 0), in: item, headers: 2)
  }

  /// Where an element may end: with a length of four bytes in place of the VR, with one of two bytes
  /// behind two that are no VR, or with one of four bytes behind these and two more.
  private func possibleEnds(at start: Int, in container: Container) -> [Int] {
    var ends = [start + 8 + number(start + 4, 4), start + 8 + number(start + 6, 2)]
    // A header of 12 bytes has a VR, be it an unknown one; without, the length follows the tag.
    if bytes[start + 4] != 0, number(start + 6, 2) == 0, start + 12 <= container.end {
      ends.append(start + 12 + number(start + 8, 4))
    }
    return ends.filter { $0 <= container.end }
  }

  /// Whether a dataset continues or ends at an offset: with the end of what holds it, or with
  /// elements in ascending order.
  ///
  /// - Parameters:
  ///   - offset: in bytes, from the beginning of the file.
  ///   - tag: the element before the offset.
  ///   - container: what holds the elements.
  ///   - headers: how many of them are looked at.
  func isStructure(at offset: Int, after tag: Tag, in container: Container, headers: Int) -> Bool {
    if offset == container.end { return !container.isDelimited }
    guard offset + 8 <= container.end else { return false }
    let next = storedTag(offset)
    if container.isDelimited, next == Self.itemEnd { return number(offset + 4, 4) == 0 }
    guard next > tag, next.group != 0xFFFE else { return false }
    if headers == 0 { return true }
    if let header = try? header(at: offset, end: container.end) {
      if header.length == Self.undefined {
        return ["SQ", "UN", ""].contains(header.vr) || next == .pixelData
      }
      return isStructure(
        at: header.value + header.length, after: next, in: container, headers: headers - 1)
    }
    // Where one element is coded badly, its neighbour of the same vendor may be too.
    guard next.isPrivate, next.group == tag.group else { return false }
    return possibleEnds(at: offset, in: container).contains {
      isStructure(at: $0, after: next, in: container, headers: headers - 1)
    }
  }

  // MARK: What is parsed instead

  /// Has an element parsed as one of the same length whose bytes mean nothing, under an element
  /// number that no creator may reserve (PS3.5 7.8.1).
  mutating func skip(_ range: Range<Int>, _ tag: Tag) {
    var header = encoded(Int(tag.group), size: 2) + encoded(1, size: 2)
    if !isExplicit {
      header += encoded(range.count - 8, size: 4)
    } else if range.count >= 12 {
      header += Array("UN".utf8) + [0, 0] + encoded(range.count - 12, size: 4)
    } else {
      header += Array("LO".utf8) + encoded(range.count - 8, size: 2)
    }
    replace(range.lowerBound, with: header)
  }

  private func encoded(_ number: Int, size: Int) -> [UInt8] {
    let bytes = (0..<size).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    return isBigEndian ? bytes.reversed() : bytes
  }
}
