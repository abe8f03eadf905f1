import Wording

/// What the opcodes make: numbers, text, mappings, calls kept as data, and storages.
extension PickleReader {
  mutating func pushLong(_ digits: UnsafeRawBufferPointer) throws(PickleError) {
    guard digits.count <= 8 else { return try push(.largeInteger(Array(digits))) }
    var value: UInt64 = (digits.last ?? 0) & 0x80 == 0 ? 0 : .max
    for digit in digits.reversed() { value = value << 8 | UInt64(digit) }
    try push(.integer(Int(truncatingIfNeeded: value)))
  }

  mutating func pushText(_ text: UnsafeRawBufferPointer) throws(PickleError) {
    guard let string = String(validating: text, as: UTF8.self) else {
      throw malformed("text is not UTF-8")
    }
    try push(.string(string))
  }

  mutating func pushBytes(_ count: Int) throws(PickleError) {
    let start = position
    _ = try take(count)
    try push(.bytes(start..<start + count))
  }

  mutating func pushGlobal(module: String, name: String) throws(PickleError) {
    guard let global = PickleGlobal(module: module, name: name) else {
      let printable = "\(module).\(name)".unicodeScalars.prefix(120).map {
        (" "..."~").contains($0) ? Character($0) : "?"
      }
      throw .refusedGlobal(file: file, offset: opcodeOffset, name: String(printable))
    }
    try push(.global(global))
  }

  mutating func append(_ new: [PickleDocument.Index]) throws(PickleError) {
    let place = Int(try top())
    // The items of a queue are not needed.
    if case .call(.inert, _, _) = document.nodes[place] { return }
    guard case .list(var list) = document.nodes[place] else { throw malformed("not onto a list") }
    // The document's own reference goes first, or every append would copy the list.
    document.nodes[place] = .none
    list += new
    document.nodes[place] = .list(list)
  }

  mutating func set(_ new: [PickleDocument.Index]) throws(PickleError) {
    let place = Int(try top())
    guard new.count % 2 == 0 else { throw malformed("a key has no value") }
    // The entries of a mapping of settings are not needed.
    if case .call(.inert, _, _) = document.nodes[place] { return }
    guard case .dictionary(var entries) = document.nodes[place] else {
      throw malformed("not into a mapping")
    }
    document.nodes[place] = .none
    for index in stride(from: 0, to: new.count, by: 2) {
      entries.append((key: new[index], value: new[index + 1]))
    }
    document.nodes[place] = .dictionary(entries)
  }

  mutating func call() throws(PickleError) {
    let arguments = try pop()
    let callee = try pop()
    guard case .global(let global) = document[callee] else {
      throw malformed("what is called is not a named object")
    }
    guard case .tuple(let items) = document[arguments] else {
      throw malformed("the arguments are not a tuple")
    }
    guard let counts = global.argumentCounts, counts.contains(items.count) else {
      throw refusedCall(global, "not with \(counted(items.count, "argument"))")
    }
    switch global {
    case .orderedDictionary: try pushDictionary(items.first)
    case .defaultDictionary: try push(.dictionary([]))
    case .bytes: try push(.bytes(0..<0))
    default: try push(.call(global, arguments: arguments, state: nil))
    }
  }

  /// `cls.__new__(cls, *arguments)`, of objects that are passed over alone.
  mutating func callNew() throws(PickleError) {
    let arguments = try pop()
    let callee = try pop()
    guard case .global(let global) = document[callee], case .tuple(let items) = document[arguments]
    else { throw malformed("what is made is not a named object, or its arguments are no tuple") }
    guard case .inert = global, let counts = global.argumentCounts, counts.contains(items.count)
    else { throw refusedCall(global, "not as a new object of \(counted(items.count, "argument"))") }
    try push(.call(global, arguments: arguments, state: nil))
  }

  mutating func emptyTuple() throws(PickleError) -> PickleDocument.Index {
    try charge(1)
    document.nodes.append(.tuple([]))
    return PickleDocument.Index(document.nodes.count - 1)
  }

  mutating func addToSet(_ items: [PickleDocument.Index]) throws(PickleError) {
    guard case .call(.inert("builtins.set"), _, _) = document.nodes[Int(try top())] else {
      throw malformed("not into a set")
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
  mutating func setState() throws(PickleError) {
    let state = try pop()
    let place = Int(try top())
    switch document.nodes[place] {
    // Nothing of an object that is passed over is needed.
    case .dictionary, .call(.inert, _, _): break
    case .call(let global, let arguments, nil)
    where global == .reconstructArray || global == .dataType:
      document.nodes[place] = .call(global, arguments: arguments, state: state)
    default: throw malformed("state is set on an object that has none")
    }
  }

  /// The persistent id of a tensor's storage: ("storage", type, key, location, elements), and in
  /// the legacy stream a view, which nothing has written for years.
  mutating func pushStorage(_ identity: PickleDocument.Index) throws(PickleError) {
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
