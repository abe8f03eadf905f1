/// Reads Python pickles of protocols 2 to 5 without running anything.
///
/// Knows the opcodes that `torch.save` and numpy write (Python's `pickletools` describes them) and
/// the objects of ``PickleGlobal``; whatever else a pickle asks for is refused by name. Calls are
/// not made but kept as data. Time and memory grow linearly with the pickle's length: each byte
/// makes at most one object, lengths are held against what is there, and the number of objects and
/// the depth are limited.
struct PickleReader {
  static let byteLimit = 64 << 20
  static let objectLimit = 4_000_000
  static let markLimit = 1000

  let bytes: UnsafeRawBufferPointer
  /// Named in errors.
  let file: String
  /// The next byte; after `read`, the first one behind the pickle.
  private(set) var position: Int
  var document = PickleDocument()
  private var stack: [PickleDocument.Index] = []
  private var marks: [Int] = []
  private var memo: [UInt32: PickleDocument.Index] = [:]
  private var items = 0
  /// The opcode being executed and its offset.
  private var opcode = UInt8(0)
  var opcodeOffset = 0

  init(_ bytes: UnsafeRawBufferPointer, from position: Int = 0, file: String) {
    self.bytes = bytes
    self.position = position
    self.file = file
  }

  /// Reads a pickle that fills all of `bytes`.
  static func document(_ bytes: [UInt8], file: String) throws(PickleError) -> PickleDocument {
    let result = bytes.withUnsafeBytes { bytes in
      Result { () throws(PickleError) in
        var reader = PickleReader(bytes, file: file)
        let document = try reader.read()
        guard reader.position == bytes.count else {
          throw .bytesAfterEnd(
            file: file, offset: reader.position, count: bytes.count - reader.position)
        }
        return document
      }
    }
    return try result.get()
  }

  /// Reads one pickle up to its end mark.
  mutating func read() throws(PickleError) -> PickleDocument {
    let start = position
    document = PickleDocument()
    stack = []
    marks = []
    memo = [:]
    items = 0
    while true {
      opcodeOffset = position
      guard position - start < Self.byteLimit else {
        throw .limit(file: file, offset: position, what: "bytes", limit: Self.byteLimit)
      }
      opcode = try take(1)[0]
      if opcode == UInt8(ascii: ".") { break }
      try perform()
    }
    document.root = try pop()
    guard stack.isEmpty, marks.isEmpty else { throw malformed("objects are left on the stack") }
    return document
  }

  private mutating func perform() throws(PickleError) {
    if try performLiteral() { return }
    switch opcode {
    case 0x80: try checkProtocol()
    case 0x95: try checkFrame()
    case UInt8(ascii: "("):
      guard marks.count < Self.markLimit else {
        throw .limit(file: file, offset: opcodeOffset, what: "open marks", limit: Self.markLimit)
      }
      marks.append(stack.count)
    case UInt8(ascii: "]"): try push(.list([]))
    case UInt8(ascii: "}"): try push(.dictionary([]))
    case UInt8(ascii: ")"): try push(.tuple([]))
    case UInt8(ascii: "t"): try push(.tuple(try popToMark()))
    case 0x85: try push(.tuple(try pop(1)))
    case 0x86: try push(.tuple(try pop(2)))
    case 0x87: try push(.tuple(try pop(3)))
    case UInt8(ascii: "a"): try append(try pop(1))
    case UInt8(ascii: "e"): try append(try popToMark())
    case UInt8(ascii: "s"): try set(try pop(2))
    case UInt8(ascii: "u"): try set(try popToMark())
    case UInt8(ascii: "q"): try remember(UInt32(try take(1)[0]))
    case UInt8(ascii: "r"): try remember(try number(UInt32.self))
    case 0x94: try remember(UInt32(memo.count))
    case UInt8(ascii: "h"): try recall(UInt32(try take(1)[0]))
    case UInt8(ascii: "j"): try recall(try number(UInt32.self))
    case UInt8(ascii: "c"): try pushGlobal(module: try line(), name: try line())
    case 0x93:
      let names = try pop(2)
      guard let module = document.string(names[0]), let name = document.string(names[1]) else {
        throw malformed("the names of the object are not text")
      }
      try pushGlobal(module: module, name: name)
    case UInt8(ascii: "R"): try call()
    case 0x81: try callNew()
    // The sets of protocol 4, whose items are not needed.
    case 0x8F: try push(.call(.inert("builtins.set"), arguments: try emptyTuple(), state: nil))
    case 0x90: try addToSet(try popToMark())
    case 0x91:
      _ = try popToMark()
      try push(.call(.inert("builtins.frozenset"), arguments: try emptyTuple(), state: nil))
    case UInt8(ascii: "b"): try setState()
    case UInt8(ascii: "Q"): try pushStorage(try pop())
    default: throw .unknownOpcode(file: file, offset: opcodeOffset, opcode: opcode)
    }
  }

  /// Numbers, text and bytes. Returns whether the opcode is one of them.
  private mutating func performLiteral() throws(PickleError) -> Bool {
    switch opcode {
    case UInt8(ascii: "N"): try push(.none)
    case 0x88: try push(.boolean(true))
    case 0x89: try push(.boolean(false))
    case UInt8(ascii: "J"): try push(.integer(Int(try number(Int32.self))))
    case UInt8(ascii: "K"): try push(.integer(Int(try take(1)[0])))
    case UInt8(ascii: "M"): try push(.integer(Int(try number(UInt16.self))))
    case 0x8A: try pushLong(try take(Int(try take(1)[0])))
    case UInt8(ascii: "G"):
      try push(.float(Double(bitPattern: try number(UInt64.self).byteSwapped)))
    case UInt8(ascii: "X"): try pushText(try take(Int(try number(UInt32.self))))
    case 0x8C: try pushText(try take(Int(try take(1)[0])))
    case 0x8D: try pushText(try take(try length()))
    // The byte strings of Python 2, which in checkpoints are names.
    case UInt8(ascii: "U"): try pushText(try take(Int(try take(1)[0])))
    case UInt8(ascii: "T"): try pushText(try take(Int(try number(UInt32.self))))
    case UInt8(ascii: "C"): try pushBytes(Int(try take(1)[0]))
    case UInt8(ascii: "B"): try pushBytes(Int(try number(UInt32.self)))
    case 0x8E, 0x96: try pushBytes(try length())
    default: return false
    }
    return true
  }
}

// MARK: Bytes

extension PickleReader {
  mutating func take(_ count: Int) throws(PickleError) -> UnsafeRawBufferPointer {
    guard count <= bytes.count - position else {
      throw .truncated(file: file, offset: position, wanted: count)
    }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }

  private mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
    _ type: Number.Type
  ) throws(PickleError) -> Number {
    Number(littleEndian: try take(MemoryLayout<Number>.size).loadUnaligned(as: Number.self))
  }

  /// A length of eight bytes.
  private mutating func length() throws(PickleError) -> Int {
    let value = try number(UInt64.self)
    guard let length = Int(exactly: value) else {
      throw .truncated(file: file, offset: position, wanted: .max)
    }
    return length
  }

  /// Text to the end of the line.
  private mutating func line() throws(PickleError) -> String {
    let rest = bytes[position...].prefix(256)
    guard let end = rest.firstIndex(of: 0x0A) else {
      throw malformed("a name does not end within 256 bytes")
    }
    let text = String(decoding: bytes[position..<end], as: UTF8.self)
    position = end + 1
    return text
  }

  func malformed(_ reason: String) -> PickleError {
    .malformed(
      file: file, offset: opcodeOffset, opcode: "opcode 0x\(String(opcode, radix: 16))",
      reason: reason)
  }

  private mutating func checkProtocol() throws(PickleError) {
    let version = try take(1)[0]
    guard (2...5).contains(version) else {
      throw .unsupportedProtocol(file: file, offset: opcodeOffset, version: version)
    }
  }

  private mutating func checkFrame() throws(PickleError) {
    let length = try length()
    guard length <= bytes.count - position else {
      throw .truncated(file: file, offset: position, wanted: length)
    }
  }
}

// MARK: Stack and memo

extension PickleReader {
  mutating func charge(_ count: Int) throws(PickleError) {
    items += count
    guard items <= Self.objectLimit else {
      throw .limit(file: file, offset: opcodeOffset, what: "objects", limit: Self.objectLimit)
    }
  }

  mutating func push(_ node: PickleDocument.Node) throws(PickleError) {
    try charge(1)
    stack.append(PickleDocument.Index(document.nodes.count))
    document.nodes.append(node)
  }

  mutating func pop() throws(PickleError) -> PickleDocument.Index {
    guard stack.count > (marks.last ?? 0), let top = stack.popLast() else {
      throw malformed("the stack is empty")
    }
    return top
  }

  mutating func pop(_ count: Int) throws(PickleError) -> [PickleDocument.Index] {
    guard stack.count - (marks.last ?? 0) >= count else { throw malformed("the stack is empty") }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  mutating func popToMark() throws(PickleError) -> [PickleDocument.Index] {
    guard let mark = marks.popLast() else { throw malformed("there is no mark") }
    defer { stack.removeLast(stack.count - mark) }
    return Array(stack[mark...])
  }

  func top() throws(PickleError) -> PickleDocument.Index {
    guard stack.count > (marks.last ?? 0), let top = stack.last else {
      throw malformed("the stack is empty")
    }
    return top
  }

  private mutating func remember(_ key: UInt32) throws(PickleError) {
    try charge(1)
    memo[key] = try top()
  }

  private mutating func recall(_ key: UInt32) throws(PickleError) {
    guard let index = memo[key] else { throw malformed("the memo has no entry \(key)") }
    try charge(1)
    stack.append(index)
  }
}
