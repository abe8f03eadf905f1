/// A reader of the JSON subset that safetensors headers use: objects, strings, arrays of
/// non-negative integers.
struct HeaderParser {
  let text: UnsafeRawBufferPointer
  let path: String
  private var position = 0

  init(text: UnsafeRawBufferPointer, path: String) {
    self.text = text
    self.path = path
  }

  func error(_ reason: String) -> SafetensorsError {
    .malformedHeader(path: path, byte: 8 + position, reason: reason)
  }

  private mutating func skipSpace() {
    while position < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[position]) { position += 1 }
  }

  /// Consumes `character` if it comes next.
  mutating func accept(_ character: Unicode.Scalar) throws(SafetensorsError) -> Bool {
    skipSpace()
    guard position < text.count else { throw error("it ends too early") }
    guard UInt32(text[position]) == character.value else { return false }
    position += 1
    return true
  }

  mutating func expect(_ character: Unicode.Scalar) throws(SafetensorsError) {
    guard try accept(character) else { throw error("expected \(character)") }
  }

  mutating func expectEnd() throws(SafetensorsError) {
    skipSpace()
    guard position == text.count else { throw error("there is more after the last brace") }
  }

  mutating func integers() throws(SafetensorsError) -> [Int] {
    try expect("[")
    if try accept("]") { return [] }
    var values: [Int] = []
    repeat { values.append(try integer()) } while try accept(",")
    try expect("]")
    return values
  }

  private mutating func integer() throws(SafetensorsError) -> Int {
    skipSpace()
    let start = position
    var value = 0
    while position < text.count, (0x30...0x39).contains(text[position]) {
      let (tens, first) = value.multipliedReportingOverflow(by: 10)
      let (sum, second) = tens.addingReportingOverflow(Int(text[position] - 0x30))
      guard !first, !second else { throw error("a number is too large") }
      value = sum
      position += 1
    }
    guard position > start else { throw error("expected a whole number, not negative") }
    return value
  }

  mutating func string() throws(SafetensorsError) -> String {
    try expect("\"")
    var bytes: [UInt8] = []
    while position < text.count {
      let byte = text[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: bytes, as: UTF8.self) else {
          throw error("a string is not UTF-8")
        }
        return string
      case UInt8(ascii: "\\"): bytes += try escape()
      case 0..<0x20: throw error("a control character in a string")
      default: bytes.append(byte)
      }
    }
    throw error("a string does not end")
  }

  private mutating func escape() throws(SafetensorsError) -> [UInt8] {
    guard position < text.count else { throw error("a string does not end") }
    let byte = text[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "u"): return try unicodeEscape()
    default: throw error("unknown escape in a string")
    }
  }

  private mutating func unicodeEscape() throws(SafetensorsError) -> [UInt8] {
    var value = UInt32(try codeUnit())
    if (0xD800..<0xDC00).contains(value), position + 1 < text.count,
      text[position] == UInt8(ascii: "\\"), text[position + 1] == UInt8(ascii: "u")
    {
      position += 2
      let low = UInt32(try codeUnit())
      guard (0xDC00..<0xE000).contains(low) else { throw error("half a surrogate pair") }
      value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
    }
    guard let scalar = Unicode.Scalar(value) else { throw error("half a surrogate pair") }
    return Array(String(Character(scalar)).utf8)
  }

  private mutating func codeUnit() throws(SafetensorsError) -> UInt16 {
    guard position + 4 <= text.count else { throw error("a string does not end") }
    let digits = text[position..<position + 4]
    var value: UInt16 = 0
    for digit in digits {
      guard let nibble = Character(Unicode.Scalar(digit)).hexDigitValue else {
        throw error("a \\u escape without four hexadecimal digits")
      }
      value = value << 4 | UInt16(nibble)
    }
    position += 4
    return value
  }
}
