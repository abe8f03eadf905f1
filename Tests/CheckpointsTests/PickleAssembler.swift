import CZip
import Foundation

/// Pickles written opcode by opcode, for what no honest program writes.
enum Pickle {
  static let start: [UInt8] = [0x80, 2]
  static let stop: [UInt8] = [UInt8(ascii: ".")]
  static let mark: [UInt8] = [UInt8(ascii: "(")]
  static let tuple: [UInt8] = [UInt8(ascii: "t")]
  static let emptyTuple: [UInt8] = [UInt8(ascii: ")")]
  static let emptyList: [UInt8] = [UInt8(ascii: "]")]
  static let emptyDictionary: [UInt8] = [UInt8(ascii: "}")]
  static let call: [UInt8] = [UInt8(ascii: "R")]
  static let none: [UInt8] = [UInt8(ascii: "N")]
  static let no: [UInt8] = [0x89]
  static let append: [UInt8] = [UInt8(ascii: "a")]
  static let setItem: [UInt8] = [UInt8(ascii: "s")]

  static func text(_ text: String) -> [UInt8] {
    [UInt8(ascii: "X")] + littleEndian(UInt32(text.utf8.count)) + Array(text.utf8)
  }

  /// A signed number of eight bytes.
  static func integer(_ value: Int) -> [UInt8] {
    [0x8A, 8] + littleEndian(UInt64(bitPattern: Int64(value)))
  }

  static func global(_ module: String, _ name: String) -> [UInt8] {
    [UInt8(ascii: "c")] + Array("\(module)\n\(name)\n".utf8)
  }

  static func remember(_ key: UInt8) -> [UInt8] { [UInt8(ascii: "q"), key] }
  static func recall(_ key: UInt8) -> [UInt8] { [UInt8(ascii: "h"), key] }

  static func tuple(_ values: [[UInt8]]) -> [UInt8] { mark + values.flatMap { $0 } + tuple }

  static func storage(
    _ key: String = "0", type: String = "FloatStorage", count: Int
  ) -> [UInt8] {
    tuple([
      text("storage"), global("torch", type), text(key), text("cpu"), integer(count),
    ]) + [UInt8(ascii: "Q")]
  }

  static func tensor(
    _ storage: [UInt8], offset: Int, shape: [Int], strides: [Int]
  ) -> [UInt8] {
    global("torch._utils", "_rebuild_tensor_v2")
      + tuple([
        storage, integer(offset), tuple(shape.map(integer)), tuple(strides.map(integer)), no,
        global("collections", "OrderedDict") + emptyTuple + call,
      ]) + call
  }

  /// A state dictionary.
  static func state(_ tensors: [(String, [UInt8])]) -> [UInt8] {
    start + emptyDictionary + tensors.flatMap { text($0.0) + $0.1 + setItem } + stop
  }

  static func littleEndian<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
    (0..<MemoryLayout<Number>.size).map { UInt8(truncatingIfNeeded: value >> (8 * Number($0))) }
  }
}

/// Writes a zip archive with libzip.
func writeArchive(
  _ entries: [(name: String, bytes: [UInt8])], deflated: Bool = false, to path: String
)
  throws
{
  struct Failure: Error {}
  unlink(path)
  var code: Int32 = 0
  guard let archive = zip_open(path, ZIP_CREATE, &code) else { throw Failure() }
  for (name, bytes) in entries {
    // libzip takes a copy of its own and frees it.
    guard let copy = malloc(max(bytes.count, 1)) else { throw Failure() }
    copy.copyMemory(from: bytes, byteCount: bytes.count)
    guard let source = zip_source_buffer(archive, copy, UInt64(bytes.count), 1) else {
      throw Failure()
    }
    let index = zip_file_add(archive, name, source, 0)
    guard index >= 0 else { throw Failure() }
    zip_set_file_compression(
      archive, UInt64(index), deflated ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 9)
  }
  guard zip_close(archive) == 0 else { throw Failure() }
}
