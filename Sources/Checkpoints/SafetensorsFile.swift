import Foundation

/// A safetensors file, memory-mapped and checked in full before any tensor is handed out.
///
/// The layout is eight bytes of header length (little-endian), a JSON header, and the tensors'
/// data. Every offset is checked against the file, the tensors must cover the data without overlap
/// or hole, and no name may come twice.
///
/// `@unchecked Sendable`: the mapping is read-only and private, lives as long as the object, and all
/// stored properties are constants.
public final class SafetensorsFile: @unchecked Sendable {
  /// The longest header that is read, the limit of the reference implementation.
  public static let headerLimit = 100_000_000

  public let path: String
  /// The `__metadata__` entries.
  public let metadata: [String: String]
  /// The tensors' names in ascending order.
  public let tensorNames: [String]

  private let entries: [String: TensorEntry]
  private let mapping: UnsafeRawBufferPointer
  private let dataStart: Int

  /// Maps and checks the file at `path`.
  public init(path: String) throws(SafetensorsError) {
    let mapping = try Self.map(path)
    do throws(SafetensorsError) {
      let (header, dataStart) = try Self.readHeader(mapping, path: path)
      self.path = path
      self.mapping = mapping
      self.dataStart = dataStart
      entries = header.entries
      metadata = header.metadata
      tensorNames = header.entries.keys.sorted()
    } catch {
      munmap(UnsafeMutableRawPointer(mutating: mapping.baseAddress), mapping.count)
      throw error
    }
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: mapping.baseAddress), mapping.count) }

  /// Type and shape of a tensor, or nil if the file has none of that name.
  public func entry(_ name: String) -> TensorEntry? { entries[name] }

  /// The values of a floating-point tensor (F32, F16, BF16 or F64) in row-major order.
  public func floats(_ name: String) throws(SafetensorsError) -> [Float] {
    let entry = try existing(name)
    let bytes = data(entry)
    switch entry.type {
    case .float32: return Self.load(bytes, UInt32.self) { Float(bitPattern: $0) }
    case .float16: return Self.load(bytes, UInt16.self) { Float(Float16(bitPattern: $0)) }
    case .bfloat16: return Self.load(bytes, UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
    case .float64: return Self.load(bytes, UInt64.self) { Float(Double(bitPattern: $0)) }
    default:
      throw .wrongType(path: path, name: name, type: entry.type, wanted: "a floating-point type")
    }
  }

  /// The values of an I64 or I32 tensor.
  public func integers(_ name: String) throws(SafetensorsError) -> [Int64] {
    let entry = try existing(name)
    switch entry.type {
    case .int64: return Self.load(data(entry), Int64.self) { $0 }
    case .int32: return Self.load(data(entry), Int32.self) { Int64($0) }
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

  private func existing(_ name: String) throws(SafetensorsError) -> TensorEntry {
    guard let entry = entries[name] else { throw .missingTensor(path: path, name: name) }
    return entry
  }

  private func data(_ entry: TensorEntry) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      rebasing: mapping[dataStart + entry.bytes.lowerBound..<dataStart + entry.bytes.upperBound])
  }

  private static func load<Stored: FixedWidthInteger & BitwiseCopyable, Value>(
    _ bytes: UnsafeRawBufferPointer, _ type: Stored.Type, _ convert: (Stored) -> Value
  ) -> [Value] {
    let width = MemoryLayout<Stored>.size
    return [Value](unsafeUninitializedCapacity: bytes.count / width) { buffer, count in
      count = bytes.count / width
      for i in 0..<count {
        let stored = bytes.loadUnaligned(fromByteOffset: i * width, as: Stored.self)
        buffer.initializeElement(at: i, to: convert(Stored(littleEndian: stored)))
      }
    }
  }

  private static func map(_ path: String) throws(SafetensorsError) -> UnsafeRawBufferPointer {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw .unreadable(path: path, reason: String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw .unreadable(path: path, reason: "it is not a regular file")
    }
    let size = Int(status.st_size)
    guard size >= 8 else { throw .unreadable(path: path, reason: "it has only \(size) bytes") }
    guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0),
      address != MAP_FAILED
    else { throw .unreadable(path: path, reason: String(cString: strerror(errno))) }
    return UnsafeRawBufferPointer(start: address, count: size)
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
