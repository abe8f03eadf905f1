import DICOM

/// A text in the character set of its dataset, as a list of characters that can be cut without decoding
/// (PS3.5 6.1.2).
struct EncodedText {
  /// How the bytes of a character are told.
  private enum Coding {
    /// One byte each.
    case single
    case utf8
    /// GBK and GB18030: the second byte may be that of a backslash.
    case chinese
    /// Escape sequences designate further sets (ISO/IEC 2022).
    case extended
  }

  /// The bytes of each character, with the escape sequences before it.
  private var characters: [[UInt8]] = []
  /// The escape sequence that returns from each character's set to the first one; empty where it is in that.
  private var returns: [[UInt8]] = []
  let characterSet: [String]

  /// An en dash between spaces, or a hyphen where the character set has none.
  var dash: [UInt8] {
    switch Self.coding(characterSet) {
    case .utf8: Array(" – ".utf8)
    case .chinese: [0x20, 0xA8, 0x43, 0x20]
    case .single, .extended: Array(" - ".utf8)
    }
  }

  /// - Parameters:
  ///   - bytes: one value. Backslashes become slashes and control characters spaces: the text is
  ///     going to be a part of another one.
  ///   - characterSet: Specific Character Set (0008,0005).
  init(_ bytes: [UInt8], characterSet: [String]) {
    self.characterSet = characterSet
    let isPadding = { (byte: UInt8) in byte == 0x20 || byte == 0 }
    let kept = Array(
      bytes.drop(while: isPadding).reversed().drop(while: isPadding).reversed())
    switch Self.coding(characterSet) {
    case .single: split(kept) { _ in 1 }
    case .utf8:
      split(kept) { rest in
        let following = rest.dropFirst().prefix { $0 & 0xC0 == 0x80 }.count
        return rest[rest.startIndex] < 0x80 ? 1 : 1 + following
      }
    case .chinese:
      split(kept) { rest in
        guard rest[rest.startIndex] >= 0x81, rest.count > 1 else { return 1 }
        return (0x30...0x39).contains(rest[rest.startIndex + 1]) ? 4 : 2
      }
    case .extended: splitExtended(kept)
    }
  }

  var isEmpty: Bool { characters.isEmpty }

  /// The first characters, in the first character set at their end.
  func prefix(_ count: Int) -> [UInt8] {
    var kept = min(count, characters.count)
    while kept > 0, characters[kept - 1] == [0x20] { kept -= 1 }
    guard kept > 0 else { return [] }
    return characters[..<kept].flatMap(\.self) + returns[kept - 1]
  }

  private static func coding(_ characterSet: [String]) -> Coding {
    if characterSet.count > 1 || characterSet.contains(where: { $0.hasPrefix("ISO 2022") }) {
      return .extended
    }
    switch characterSet.first ?? "" {
    case "ISO_IR 192": return .utf8
    case "GB18030", "GBK": return .chinese
    default: return .single
    }
  }

  private static func plain(_ character: ArraySlice<UInt8>) -> [UInt8] {
    guard character.count == 1, let byte = character.first else { return Array(character) }
    if byte == UInt8(ascii: "\\") { return [UInt8(ascii: "/")] }
    return byte < 0x20 || byte == 0x7F ? [0x20] : [byte]
  }

  private mutating func split(_ bytes: [UInt8], _ length: (ArraySlice<UInt8>) -> Int) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let character = rest.prefix(max(1, length(rest)))
      characters.append(Self.plain(character))
      returns.append([])
      rest = rest.dropFirst(character.count)
    }
  }

  private mutating func splitExtended(_ bytes: [UInt8]) {
    // JIS X 0201 has its own letters in place of ASCII.
    let first: [UInt8] = characterSet.first == "ISO 2022 IR 13" ? [0x28, 0x4A] : [0x28, 0x42]
    let escape: UInt8 = 0x1B
    var (left, leftWidth, rightWidth) = (first, 1, 1)
    var pending: [UInt8] = []
    var rest = bytes[...]
    while let byte = rest.first {
      if byte == escape {
        let middle = rest.dropFirst().prefix { (0x20...0x2F).contains($0) }
        let sequence = Array(rest.dropFirst().prefix(middle.count + 1))
        pending += [escape] + sequence
        rest = rest.dropFirst(1 + sequence.count)
        let isWide = middle.first == 0x24
        // The last of the middle bytes says which half: ( or nothing the left one, ) - . / the right one.
        let isRight = middle.last.map { [0x29, 0x2D, 0x2E, 0x2F].contains($0) } ?? false
        if isRight {
          rightWidth = isWide ? 2 : 1
        } else {
          (left, leftWidth) = (sequence, isWide ? 2 : 1)
        }
        continue
      }
      let character = rest.prefix(byte < 0x80 ? (byte < 0x21 ? 1 : leftWidth) : rightWidth)
      characters.append(pending + (leftWidth == 1 ? Self.plain(character) : Array(character)))
      returns.append(left == first ? [] : [escape] + first)
      pending = []
      rest = rest.dropFirst(character.count)
    }
  }
}
