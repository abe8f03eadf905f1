import Foundation
import Wording

/// A safetensors file, memory-mapped and checked in full before any tensor is handed out.
///
/// The layout is eight bytes of header length (little-endian), a JSON header, and the tensors'
/// data. Every offset is checked against the file, the tensors must cover the data without overlap
/// or hole, and no name may come twice.
///
/// ```swift
/// let file = try SafetensorsFile(path: "weights.safetensors")
/// let shape = file.entry("out1.conv.conv.weight")?.shape  // [14, 16, 1, 1, 1]
/// let values = try file.floats("out1.conv.conv.weight")   // row-major
/// ```
public final class SafetensorsFile: Sendable {
  /// The longest header that is read, the limit of the reference implementation.
  public static let headerLimit = 100_000_000

  public let path: String
  /// The `__metadata__` entries.
  public let metadata: [String: String]
  /// The tensors' names in ascending order.
  public let tensorNames: [String]

  private let entries: [String: TensorEntry]
  private let mapping: MappedFile
  private let dataStart: Int

  /// Maps and checks the file at `path`.
  public init(path: String) throws(SafetensorsError) {
    let mapping: MappedFile
    do throws(MappedFile.Failure) {
      mapping = try MappedFile(path: path)
    } catch {
      throw .unreadable(path: path, reason: error.reason)
    }
    guard mapping.bytes.count >= 8 else {
      throw .unreadable(path: path, reason: "it has only \(counted(mapping.bytes.count, "byte"))")
    }
    let (header, dataStart) = try Self.readHeader(mapping.bytes, path: path)
    self.path = path
    self.mapping = mapping
    self.dataStart = dataStart
    entries = header.entries
    metadata = header.metadata
    tensorNames = header.entries.keys.sorted()
  }

  /// Type and shape of a tensor, or nil if the file has none of that name.
  public func entry(_ name: String) -> TensorEntry? { entries[name] }

  /// The values of a floating-point tensor (F32, F16, BF16 or F64) in row-major order.
  public func floats(_ name: String) throws(SafetensorsError) -> [Float] {
    let entry = try existing(name)
    guard let values = entry.type.floats(data(entry)) else {
      throw .wrongType(path: path, name: name, type: entry.type, wanted: "a floating-point type")
    }
    return values
  }

  /// The values of an I64 or I32 tensor.
  public func integers(_ name: String) throws(SafetensorsError) -> [Int64] {
    let entry = try existing(name)
    switch entry.type {
    case .int64: return load(data(entry), Int64.self) { $0 }
    case .int32: return load(data(entry), Int32.self) { Int64($0) }
    default: throw .wrongType(path: path, name: name, type: entry.type, wanted: "I64 or I32")
    }
  }

  /// Hands the tensor's values to `body`, straight from the mapped file where it holds aligned F32
  /// values, converted otherwise.
  public func withFloats<Result>(
    _ name: String, _ body: (UnsafeBufferPointer<Float>) -> Result
  ) throws(SafetensorsError) -> Result {
    let entry = try existing(name)
    let bytes = data(entry)
    if entry.type == .float32, Int(bitPattern: bytes.baseAddress) % 4 == 0 {
      return body(bytes.bindMemory(to: Float.self))
    }
    return try floats(name).withUnsafeBufferPointer(body)
  }

  /// The tensor's values in the mapped file itself, brought into memory, valid as long as this
  /// object; nil where they are not aligned F32 values. Whoever overwrites the file changes them: a
  /// file in use may be renamed or removed, not written.
  public func mappedFloats(_ name: String) throws(SafetensorsError) -> UnsafeBufferPointer<Float>? {
    let entry = try existing(name)
    let bytes = data(entry)
    guard entry.type == .float32, Int(bitPattern: bytes.baseAddress) % 4 == 0 else { return nil }
    let pages = pages(bytes, rounded: .up)
    // Who forecasts the memory of a job starts from what the process has already. Systems before
    // Linux 5.14 do not know this advice and read the pages when they are used.
    let populateRead: Int32 = 22
    if let first = pages.baseAddress {
      madvise(UnsafeMutableRawPointer(mutating: first), pages.count, populateRead)
    }
    return bytes.bindMemory(to: Float.self)
  }

  /// Tells the system that a tensor's values were copied and will not be read again soon, so that
  /// the file's pages do not count twice. They may be read all the same.
  public func release(_ name: String) throws(SafetensorsError) {
    // Whole pages within the tensor: its neighbours may be in use.
    let pages = pages(data(try existing(name)), rounded: .down)
    guard let first = pages.baseAddress else { return }
    madvise(UnsafeMutableRawPointer(mutating: first), pages.count, Int32(MADV_DONTNEED))
  }

  private enum Rounding { case up, down }

  /// The pages that a tensor touches (up) or fills (down).
  private func pages(_ bytes: UnsafeRawBufferPointer, rounded: Rounding) -> UnsafeRawBufferPointer {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let (start, end) = (
      Int(bitPattern: bytes.baseAddress), Int(bitPattern: bytes.baseAddress) + bytes.count
    )
    let first = (rounded == .up ? start : start + page - 1) / page * page
    let last = (rounded == .up ? end + page - 1 : end) / page * page
    return UnsafeRawBufferPointer(
      start: first < last ? UnsafeRawPointer(bitPattern: first) : nil, count: max(0, last - first))
  }

  private func existing(_ name: String) throws(SafetensorsError) -> TensorEntry {
    guard let entry = entries[name] else { throw .missingTensor(path: path, name: name) }
    return entry
  }

  private func data(_ entry: TensorEntry) -> UnsafeRawBufferPointer {
    mapping[dataStart + entry.bytes.lowerBound..<dataStart + entry.bytes.upperBound]
  }

  private static func readHeader(
    _ mapping: UnsafeRawBufferPointer, path: String
  ) throws(SafetensorsError) -> (SafetensorsHeader, dataStart: Int) {
    let length = UInt64(littleEndian: mapping.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(headerLimit) else {
      throw .headerTooLarge(path: path, bytes: length, limit: headerLimit)
    }
    let dataStart = 8 + Int(length)
    guard dataStart <= mapping.count else {
      throw .headerBeyondFile(path: path, bytes: length, fileBytes: mapping.count)
    }
    let header = try SafetensorsHeader(
      UnsafeRawBufferPointer(rebasing: mapping[8..<dataStart]),
      dataBytes: mapping.count - dataStart, path: path)
    return (header, dataStart)
  }
}
