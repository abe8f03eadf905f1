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
}

/// What a checkpoint says of one tensor: its type, its shape (row-major, last axis fastest) and
/// where its bytes lie in the file's data section.
public struct TensorEntry: Sendable, Equatable {
  public let type: TensorType
  public let shape: [Int]
  public let bytes: Range<Int>

  /// The number of elements; 1 for a scalar.
  public var count: Int { shape.reduce(1, *) }
}
