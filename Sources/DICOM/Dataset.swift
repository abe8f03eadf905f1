/// The value of a data element.
public enum DataValue: Sendable, Equatable {
  /// Text as stored: several values separated by a backslash, in the dataset's character set.
  case text([UInt8])
  /// US, SS, UL, SL, and AT as group << 16 | element.
  case integers([Int])
  /// FL, FD.
  case reals([Double])
  /// OB, OW and the other VRs without a structure, little endian.
  case bytes([UInt8])
  case items([Dataset])
}

/// A data element without its tag.
public struct DataElement: Sendable, Equatable {
  public var vr: VR
  public var value: DataValue

  public init(_ vr: VR, _ value: DataValue) {
    self.vr = vr
    self.value = value
  }

  /// Whether there is no value (a type 2 attribute without one).
  public var isEmpty: Bool {
    switch value {
    case .text(let bytes): bytes.allSatisfy { $0 == 0x20 || $0 == 0 }
    case .integers(let values): values.isEmpty
    case .reals(let values): values.isEmpty
    case .bytes(let bytes): bytes.isEmpty
    case .items(let items): items.isEmpty
    }
  }
}

/// A dataset (PS3.5 section 7): elements by tag, nested by sequences. Built by `set`, read by the
/// typed accessors, which return nil or nothing where the element is absent or of another kind.
///
/// ```swift
/// var dataset = Dataset()
/// dataset.set(.modality, .CS, "SEG")
/// dataset.set(.rows, .US, 512)
/// dataset.set(.segmentSequence, [segment])
/// ```
public struct Dataset: Sendable, Equatable {
  public private(set) var elements: [Tag: DataElement] = [:]

  public init() {}

  /// The element of a tag; setting nil removes it.
  public subscript(tag: Tag) -> DataElement? {
    get { elements[tag] }
    set { elements[tag] = newValue }
  }

  public func contains(_ tag: Tag) -> Bool { elements[tag] != nil }

  // MARK: Building

  public mutating func set(_ tag: Tag, _ vr: VR, _ text: String) {
    elements[tag] = DataElement(vr, .text(Array(text.utf8)))
  }

  public mutating func set(_ tag: Tag, _ vr: VR, _ texts: [String]) {
    set(tag, vr, texts.joined(separator: "\\"))
  }

  public mutating func set(_ tag: Tag, _ vr: VR, _ integers: Int...) {
    elements[tag] = DataElement(vr, .integers(integers))
  }

  public mutating func set(_ tag: Tag, _ vr: VR, reals: [Double]) {
    elements[tag] = DataElement(vr, .reals(reals))
  }

  public mutating func set(_ tag: Tag, _ vr: VR, bytes: [UInt8]) {
    elements[tag] = DataElement(vr, .bytes(bytes))
  }

  public mutating func set(_ tag: Tag, _ items: [Dataset]) {
    elements[tag] = DataElement(.SQ, .items(items))
  }

  // MARK: Reading

  /// The whole text without the padding around it, backslashes included; not UTF-8 is read as
  /// Latin-1.
  public func text(_ tag: Tag) -> String? {
    let bytes: [UInt8]
    switch elements[tag]?.value {
    case .text(let text): bytes = text
    // A private attribute of an implicit file has no VR; its text is meant all the same.
    case .bytes(let raw) where elements[tag]?.vr == .UN: bytes = raw
    default: return nil
    }
    let isKept = { (byte: UInt8) in byte != 0x20 && byte != 0 }
    guard let first = bytes.firstIndex(where: isKept), let last = bytes.lastIndex(where: isKept)
    else { return "" }
    let trimmed = bytes[first...last]
    return String(validating: trimmed, as: UTF8.self)
      ?? String(String.UnicodeScalarView(trimmed.map { Unicode.Scalar($0) }))
  }

  /// The values of a text element, each without padding; empty where the element is.
  public func texts(_ tag: Tag) -> [String] {
    guard let text = text(tag), !text.isEmpty else { return [] }
    return text.split(separator: "\\", omittingEmptySubsequences: false).map { value in
      let isPadding = { (c: Character) in c == " " || c == "\0" }
      let kept = value.drop(while: isPadding)
      return String(kept.reversed().drop(while: isPadding).reversed())
    }
  }

  /// Integers of a binary or IS element; nothing where one of them is not a number.
  public func integers(_ tag: Tag) -> [Int] {
    switch elements[tag]?.value {
    case .integers(let values): return values
    case .text, .bytes: return allOrNone(texts(tag).map { Int($0) })
    default: return []
    }
  }

  /// Numbers of a binary, IS or DS element; nothing where one of them is not a finite number.
  public func reals(_ tag: Tag) -> [Double] {
    switch elements[tag]?.value {
    case .reals(let values): return values.allSatisfy(\.isFinite) ? values : []
    case .integers(let values): return values.map(Double.init)
    case .text, .bytes:
      return allOrNone(texts(tag).map { Double($0).flatMap { $0.isFinite ? $0 : nil } })
    default: return []
    }
  }

  public func integer(_ tag: Tag) -> Int? { integers(tag).first }
  public func real(_ tag: Tag) -> Double? { reals(tag).first }

  /// The items of a sequence.
  public func items(_ tag: Tag) -> [Dataset] {
    guard case .items(let items) = elements[tag]?.value else { return [] }
    return items
  }

  public func bytes(_ tag: Tag) -> [UInt8]? {
    guard case .bytes(let bytes) = elements[tag]?.value else { return nil }
    return bytes
  }

  private func allOrNone<Number>(_ numbers: [Number?]) -> [Number] {
    let known = numbers.compactMap { $0 }
    return known.count == numbers.count ? known : []
  }
}
