/// Why a checkpoint cannot be read.
public enum CheckpointError: Error, Equatable, Sendable, CustomStringConvertible {
  case unreadable(path: String, reason: String)
  /// Neither a PyTorch file nor safetensors.
  case unknownFormat(path: String, found: String)
  case damagedArchive(path: String, entry: String, reason: String)
  /// The pickle is sound but holds something else than tensors by name.
  case notACheckpoint(path: String, reason: String)
  case unusableTensor(path: String, name: String, reason: String)
  case missingTensor(path: String, name: String)
  case duplicateTensor(path: String, name: String)
  case wrongType(path: String, name: String, type: TensorType)
  case pickle(PickleError)
  case safetensors(SafetensorsError)

  public var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
    case .unknownFormat(let path, let found):
      "\(path): is neither a PyTorch checkpoint (zip or legacy) nor safetensors: \(found)"
    case .damagedArchive(let path, let entry, let reason):
      "\(path): the archive\(entry.isEmpty ? "" : "'s entry \(entry)") cannot be read: \(reason)"
    case .notACheckpoint(let path, let reason): "\(path): holds no network: \(reason)"
    case .unusableTensor(let path, let name, let reason): "\(path): the tensor \(name) \(reason)"
    case .missingTensor(let path, let name): "\(path): there is no tensor \(name)"
    case .duplicateTensor(let path, let name): "\(path): the tensor \(name) comes twice"
    case .wrongType(let path, let name, let type):
      "\(path): the tensor \(name) has type \(type.rawValue), wanted a floating-point type"
    case .pickle(let error): error.description
    case .safetensors(let error): error.description
    }
  }
}
