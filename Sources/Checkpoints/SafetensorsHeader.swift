/// The JSON header of a safetensors file: tensor entries and `__metadata__`, checked against the
/// number of data bytes behind it.
///
/// The parser is our own because the header comes from outside: a general JSON reader keeps the
/// last of two entries of one name without a word and turns offsets into floating point.
struct SafetensorsHeader {
  private(set) var entries: [String: TensorEntry] = [:]
  private(set) var metadata: [String: String] = [:]

  /// Parses `text` and checks every entry.
  /// - Parameters:
  ///   - text: the header's bytes, without the eight length bytes.
  ///   - dataBytes: how many bytes follow the header.
  ///   - path: named in errors.
  init(_ text: UnsafeRawBufferPointer, dataBytes: Int, path: String) throws(SafetensorsError) {
    var parser = HeaderParser(text: text, path: path)
    try parser.expect("{")
    if try !parser.accept("}") {
      repeat {
        let name = try parser.string()
        try parser.expect(":")
        if name == "__metadata__" {
          try readMetadata(&parser)
        } else {
          try readEntry(name, &parser, dataBytes: dataBytes)
        }
      } while try parser.accept(",")
      try parser.expect("}")
    }
    try parser.expectEnd()
    try checkCover(dataBytes: dataBytes, path: path)
  }

  private mutating func readMetadata(_ parser: inout HeaderParser) throws(SafetensorsError) {
    guard metadata.isEmpty else { throw parser.error("__metadata__ is listed twice") }
    try parser.expect("{")
    if try parser.accept("}") { return }
    repeat {
      let key = try parser.string()
      try parser.expect(":")
      guard metadata.updateValue(try parser.string(), forKey: key) == nil else {
        throw parser.error("metadata \(key) is listed twice")
      }
    } while try parser.accept(",")
    try parser.expect("}")
  }

  private mutating func readEntry(
    _ name: String, _ parser: inout HeaderParser, dataBytes: Int
  ) throws(SafetensorsError) {
    var typeName: String?
    var shape: [Int]?
    var offsets: [Int]?
    try parser.expect("{")
    repeat {
      let key = try parser.string()
      try parser.expect(":")
      switch key {
      case "dtype" where typeName == nil: typeName = try parser.string()
      case "shape" where shape == nil: shape = try parser.integers()
      case "data_offsets" where offsets == nil: offsets = try parser.integers()
      default: throw parser.error("unexpected field \(key) of tensor \(name)")
      }
    } while try parser.accept(",")
    try parser.expect("}")
    guard let typeName, let shape, let offsets, offsets.count == 2 else {
      throw parser.error("tensor \(name) lacks dtype, shape or two data_offsets")
    }
    let entry = try Self.checked(
      name, typeName, shape, offsets[0], offsets[1], dataBytes: dataBytes, path: parser.path)
    guard entries.updateValue(entry, forKey: name) == nil else {
      throw .duplicateTensor(path: parser.path, name: name)
    }
  }

  private static func checked(
    _ name: String, _ typeName: String, _ shape: [Int], _ begin: Int, _ end: Int, dataBytes: Int,
    path: String
  ) throws(SafetensorsError) -> TensorEntry {
    guard let type = TensorType(rawValue: typeName) else {
      throw .unknownType(path: path, name: name, type: typeName)
    }
    guard begin <= end, end <= dataBytes else {
      throw .offsetsOutOfRange(path: path, name: name, begin: begin, end: end, dataBytes: dataBytes)
    }
    var bytes = type.width
    for extent in shape {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
      guard !overflow else {
        throw .sizeMismatch(path: path, name: name, shape: shape, type: type, bytes: end - begin)
      }
      bytes = product
    }
    guard bytes == end - begin else {
      throw .sizeMismatch(path: path, name: name, shape: shape, type: type, bytes: end - begin)
    }
    return TensorEntry(type: type, shape: shape, bytes: begin..<end)
  }

  /// The format demands that the tensors cover the data section without overlap or hole.
  private func checkCover(dataBytes: Int, path: String) throws(SafetensorsError) {
    let order = entries.sorted {
      ($0.value.bytes.lowerBound, $0.value.bytes.upperBound, $0.key)
        < ($1.value.bytes.lowerBound, $1.value.bytes.upperBound, $1.key)
    }
    var position = 0
    for (name, entry) in order {
      let begin = entry.bytes.lowerBound
      guard begin >= position else {
        throw .offsetsOverlap(path: path, name: name, begin: begin, previousEnd: position)
      }
      guard begin == position else { throw .gap(path: path, begin: position, end: begin) }
      position = entry.bytes.upperBound
    }
    guard position == dataBytes else { throw .gap(path: path, begin: position, end: dataBytes) }
  }
}
