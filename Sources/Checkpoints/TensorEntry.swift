/// Element types of the safetensors format, by their names in the header.
public enum TensorType: String, Sendable, CaseIterable {
  case bool = "BOOL"
  case uint8 = "U8"
  case int8 = "I8"
  case uint16 = "U16"
  case int16 = "I16"
  case uint32 = "U32"
  case int32 = "I32"
  case uint64 = "U64"
  case int64 = "I64"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case float32 = "F32"
  case float64 = "F64"

  /// Bytes of one element.
  public var width: Int {
    switch self {
    case .bool, .uint8, .int8: 1
    case .uint16, .int16, .float16, .bfloat16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    }
  }

  /// Little-endian values as float32, which holds F16 and BF16 exactly and rounds F64; nil unless
  /// this is a floating-point type.
  func floats(_ bytes: UnsafeRawBufferPointer) -> [Float]? {
    switch self {
    case .float32: load(bytes, UInt32.self) { Float(bitPattern: $0) }
    case .float16: load(bytes, UInt16.self) { Float(Float16(bitPattern: $0)) }
    case .bfloat16: load(bytes, UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
    case .float64: load(bytes, UInt64.self) { Float(Double(bitPattern: $0)) }
    default: nil
    }
  }
}

/// Little-endian integers of a stored type, converted; a rest shorter than one is left out.
func load<Stored: FixedWidthInteger & BitwiseCopyable, Value>(
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

/// What a checkpoint says of one tensor: its type, its shape (row-major, last axis fastest) and
/// where its bytes are in the file's data section.
public struct TensorEntry: Sendable, Equatable {
  public let type: TensorType
  public let shape: [Int]
  public let bytes: Range<Int>

  /// The number of elements; 1 for a scalar.
  public var count: Int { shape.reduce(1, *) }
}
