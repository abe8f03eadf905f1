/// The Python objects that checkpoints and plans name. Every other is refused.
enum PickleGlobal: Equatable {
  /// An object that training leaves next to the weights, by its full name: kept as a name, passed
  /// over, never made.
  case inert(String)
  case defaultDictionary
  case orderedDictionary
  /// `bytes`, which protocol 2 calls for an empty one.
  case bytes
  case encode
  case rebuildTensor
  case rebuildTensorV2
  case rebuildParameter
  case storage(TensorType)
  case reconstructArray
  case arrayFromBuffer
  case scalar
  case array
  case dataType

  init?(module: String, name: String) {
    switch (module, name) {
    case ("collections", "OrderedDict"): self = .orderedDictionary
    case ("collections", "defaultdict"): self = .defaultDictionary
    case ("builtins", "bytes"), ("__builtin__", "bytes"): self = .bytes
    case ("_codecs", "encode"): self = .encode
    case ("torch._utils", "_rebuild_tensor"): self = .rebuildTensor
    case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensorV2
    case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
    case ("torch._utils", "_rebuild_parameter_with_state"): self = .rebuildParameter
    case ("torch", _) where Self.storages[name] != nil:
      guard let type = Self.storages[name] else { return nil }
      self = .storage(type)
    case ("numpy", "ndarray"): self = .array
    case ("numpy", "dtype"): self = .dataType
    case ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"):
      self = .reconstructArray
    case ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"):
      self = .scalar
    case ("numpy.core.numeric", "_frombuffer"), ("numpy._core.numeric", "_frombuffer"):
      self = .arrayFromBuffer
    default:
      guard InertObjects.contains(module: module, name: name) else { return nil }
      self = .inert("\(module).\(name)")
    }
  }

  private static let storages: [String: TensorType] = [
    "FloatStorage": .float32, "HalfStorage": .float16, "BFloat16Storage": .bfloat16,
    "DoubleStorage": .float64, "LongStorage": .int64, "IntStorage": .int32,
    "ShortStorage": .int16, "CharStorage": .int8, "ByteStorage": .uint8, "BoolStorage": .bool,
  ]

  /// How many arguments a call may have; nil where a call has no place.
  var argumentCounts: ClosedRange<Int>? {
    switch self {
    case .orderedDictionary: 0...1
    case .bytes: 0...0
    case .encode: 2...2
    case .rebuildTensor: 4...4
    case .rebuildTensorV2: 6...7
    case .rebuildParameter: 3...4
    case .defaultDictionary: 0...1
    case .inert: 0...64
    case .reconstructArray: 3...3
    case .arrayFromBuffer: 4...4
    case .scalar: 1...2
    case .dataType: 1...3
    case .storage, .array: nil
    }
  }
}
