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
  private var document = PickleDocument()
  private var stack: [PickleDocument.Index] = []
  private var marks: [Int] = []
  private var memo: [UInt32: PickleDocument.Index] = [:]
  private var items = 0
  /// The opcode being executed and its offset.
  private var opcode = UInt8(0)
  private var opcodeOffset = 0

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
  private mutating func take(_ count: Int) throws(PickleError) -> UnsafeRawBufferPointer {
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

  private func malformed(_ reason: String) -> PickleError {
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
  private mutating func charge(_ count: Int) throws(PickleError) {
    items += count
    guard items <= Self.objectLimit else {
      throw .limit(file: file, offset: opcodeOffset, what: "objects", limit: Self.objectLimit)
    }
  }

  private mutating func push(_ node: PickleDocument.Node) throws(PickleError) {
    try charge(1)
    stack.append(PickleDocument.Index(document.nodes.count))
    document.nodes.append(node)
  }

  private mutating func pop() throws(PickleError) -> PickleDocument.Index {
    guard stack.count > (marks.last ?? 0), let top = stack.popLast() else {
      throw malformed("the stack is empty")
    }
    return top
  }

  private mutating func pop(_ count: Int) throws(PickleError) -> [PickleDocument.Index] {
    guard stack.count - (marks.last ?? 0) >= count else { throw malformed("the stack is empty") }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popToMark() throws(PickleError) -> [PickleDocument.Index] {
    guard let mark = marks.popLast() else { throw malformed("there is no mark") }
    defer { stack.removeLast(stack.count - mark) }
    return Array(stack[mark...])
  }

  private func top() throws(PickleError) -> PickleDocument.Index {
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

// MARK: Objects

extension PickleReader {
  private mutating func pushLong(_ digits: UnsafeRawBufferPointer) throws(PickleError) {
    guard digits.count <= 8 else { return try push(.largeInteger(Array(digits))) }
    var value: UInt64 = (digits.last ?? 0) & 0x80 == 0 ? 0 : .max
    for digit in digits.reversed() { value = value << 8 | UInt64(digit) }
    try push(.integer(Int(truncatingIfNeeded: value)))
  }

  private mutating func pushText(_ text: UnsafeRawBufferPointer) throws(PickleError) {
    guard let string = String(validating: text, as: UTF8.self) else {
      throw malformed("text is not UTF-8")
    }
    try push(.string(string))
  }

  private mutating func pushBytes(_ count: Int) throws(PickleError) {
    let start = position
    _ = try take(count)
    try push(.bytes(start..<start + count))
  }

  private mutating func pushGlobal(module: String, name: String) throws(PickleError) {
    guard let global = PickleGlobal(module: module, name: name) else {
      let shown = "\(module).\(name)".unicodeScalars.prefix(120).map {
        (" "..."~").contains($0) ? Character($0) : "?"
      }
      throw .refusedGlobal(file: file, offset: opcodeOffset, name: String(shown))
    }
    try push(.global(global))
  }

  private mutating func append(_ new: [PickleDocument.Index]) throws(PickleError) {
    let place = Int(try top())
    guard case .list(var list) = document.nodes[place] else { throw malformed("not onto a list") }
    // The document's own reference goes first, or every append would copy the list.
    document.nodes[place] = .none
    list += new
    document.nodes[place] = .list(list)
  }

  private mutating func set(_ new: [PickleDocument.Index]) throws(PickleError) {
    let place = Int(try top())
    guard case .dictionary(var entries) = document.nodes[place] else {
      throw malformed("not into a mapping")
    }
    guard new.count % 2 == 0 else { throw malformed("a key has no value") }
    document.nodes[place] = .none
    for index in stride(from: 0, to: new.count, by: 2) {
      entries.append((key: new[index], value: new[index + 1]))
    }
    document.nodes[place] = .dictionary(entries)
  }

  private mutating func call() throws(PickleError) {
    let arguments = try pop()
    let callee = try pop()
    guard case .global(let global) = document[callee] else {
      throw malformed("what is called is not a named object")
    }
    guard case .tuple(let items) = document[arguments] else {
      throw malformed("the arguments are not a tuple")
    }
    guard let counts = global.argumentCounts, counts.contains(items.count) else {
      throw refusedCall(global, "not with \(items.count) arguments")
    }
    switch global {
    case .orderedDictionary: try pushDictionary(items.first)
    case .bytes: try push(.bytes(0..<0))
    default: try push(.call(global, arguments: arguments, state: nil))
    }
  }

  private func refusedCall(_ global: PickleGlobal, _ reason: String) -> PickleError {
    .refusedCall(file: file, offset: opcodeOffset, name: "\(global)", reason: reason)
  }

  /// A mapping from a list of pairs, as protocol 2 stores it for Python 2.
  private mutating func pushDictionary(_ pairs: PickleDocument.Index?) throws(PickleError) {
    var entries: [(key: PickleDocument.Index, value: PickleDocument.Index)] = []
    if let pairs {
      guard let list = document.items(pairs) else {
        throw refusedCall(.orderedDictionary, "not of a list of pairs")
      }
      try charge(list.count)
      for pair in list {
        guard let items = document.items(pair), items.count == 2 else {
          throw refusedCall(.orderedDictionary, "not of a list of pairs")
        }
        entries.append((key: items[0], value: items[1]))
      }
    }
    try push(.dictionary(entries))
  }

  /// The state of arrays and data types is kept; that of a mapping (its `_metadata`) is not needed.
  private mutating func setState() throws(PickleError) {
    let state = try pop()
    let place = Int(try top())
    switch document.nodes[place] {
    case .dictionary: break
    case .call(let global, let arguments, nil)
    where global == .reconstructArray || global == .dataType:
      document.nodes[place] = .call(global, arguments: arguments, state: state)
    default: throw malformed("state is set on an object that has none")
    }
  }

  /// The persistent id of a tensor's storage: ("storage", type, key, location, elements), and in
  /// the legacy stream a view, which nothing has written for years.
  private mutating func pushStorage(_ identity: PickleDocument.Index) throws(PickleError) {
    guard let fields = document.items(identity), (5...6).contains(fields.count),
      document.string(fields[0]) == "storage", case .global(let type) = document[fields[1]],
      case .storage(let element) = type, let key = document.string(fields[2]),
      document.string(fields[3]) != nil, let count = document.integer(fields[4])
    else { throw malformed("the persistent id is not that of a tensor's storage") }
    if fields.count == 6 {
      guard case .none = document[fields[5]] else { throw malformed("the storage is a view") }
    }
    guard count >= 0, key.utf8.count <= 64 else {
      throw malformed("the storage \(key.prefix(64)) has \(count) elements")
    }
    try push(.storage(document.storages.count))
    document.storages.append(PickleDocument.Storage(type: element, key: key, count: count))
  }
}
