/// A pickle that was read: its objects in one array, referring to one another by index.
///
/// Indices rather than references: a pickle can make an object contain itself, or nest a million
/// deep, and neither leaks nor overflows the stack here.
struct PickleDocument {
  typealias Index = Int32

  enum Node {
    case none
    case boolean(Bool)
    case integer(Int)
    /// An integer beyond 64 bits, little-endian two's complement.
    case largeInteger([UInt8])
    case float(Double)
    case string(String)
    /// Where the bytes are in the pickle.
    case bytes(Range<Int>)
    case list([Index])
    case tuple([Index])
    case dictionary([(key: Index, value: Index)])
    case global(PickleGlobal)
    /// A tensor's storage, by its place in `storages`.
    case storage(Int)
    /// The result of a call, kept as the call itself, and the state that was set on it.
    case call(PickleGlobal, arguments: Index, state: Index?)
  }

  /// A tensor's elements, which are elsewhere in the file.
  struct Storage: Equatable {
    var type: TensorType
    /// The name that the file has for it.
    var key: String
    /// In elements.
    var count: Int
  }

  var nodes: [Node] = []
  var storages: [Storage] = []
  var root: Index = 0

  subscript(index: Index) -> Node { nodes[Int(index)] }

  func string(_ index: Index) -> String? {
    if case .string(let string) = self[index] { string } else { nil }
  }

  func integer(_ index: Index) -> Int? {
    if case .integer(let value) = self[index] { value } else { nil }
  }

  func integers(_ index: Index) -> [Int]? {
    guard let items = items(index) else { return nil }
    var values: [Int] = []
    for item in items {
      guard let value = integer(item) else { return nil }
      values.append(value)
    }
    return values
  }

  /// The items of a list or tuple.
  func items(_ index: Index) -> [Index]? {
    switch self[index] {
    case .list(let items), .tuple(let items): items
    default: nil
    }
  }

  func dictionary(_ index: Index) -> [(key: Index, value: Index)]? {
    if case .dictionary(let entries) = self[index] { entries } else { nil }
  }

  /// The value of a text key; the last one where it comes twice, as in Python.
  func value(_ key: String, in index: Index) -> Index? {
    dictionary(index)?.last { string($0.key) == key }?.value
  }

  /// The value of an integer key.
  func value(_ key: Int, in index: Index) -> Index? {
    dictionary(index)?.last { integer($0.key) == key }?.value
  }

  /// What kind of object this is, for reports.
  func kind(_ index: Index) -> String {
    switch self[index] {
    case .none: "None"
    case .boolean: "bool"
    case .integer, .largeInteger: "int"
    case .float: "float"
    case .string: "text"
    case .bytes: "bytes"
    case .list(let items): "list of \(items.count)"
    case .tuple(let items): "tuple of \(items.count)"
    case .dictionary(let entries): "mapping of \(entries.count)"
    case .global(.inert(let name)), .call(.inert(let name), _, _): name
    case .global, .call: "object"
    case .storage: "storage"
    }
  }
}
