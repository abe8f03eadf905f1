/// Why a safetensors file could not be read or written.
public enum SafetensorsError: Error, Equatable, CustomStringConvertible {
  case unreadable(path: String, reason: String)
  case unwritable(path: String, reason: String)
  case headerTooLarge(path: String, bytes: UInt64, limit: Int)
  case headerBeyondFile(path: String, bytes: UInt64, fileBytes: Int)
  case malformedHeader(path: String, byte: Int, reason: String)
  case duplicateTensor(path: String, name: String)
  case unknownType(path: String, name: String, type: String)
  case offsetsOutOfRange(path: String, name: String, begin: Int, end: Int, dataBytes: Int)
  case offsetsOverlap(path: String, name: String, begin: Int, previousEnd: Int)
  case gap(path: String, begin: Int, end: Int)
  case sizeMismatch(path: String, name: String, shape: [Int], type: TensorType, bytes: Int)
  case missingTensor(path: String, name: String)
  case wrongType(path: String, name: String, type: TensorType, wanted: String)
  case wrongCount(path: String, name: String, shape: [Int], count: Int)

  public var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
    case .unwritable(let path, let reason): "\(path): cannot be written: \(reason)"
    case .headerTooLarge(let path, let bytes, let limit):
      "\(path): the header claims \(bytes) bytes, more than the \(limit) allowed"
    case .headerBeyondFile(let path, let bytes, let fileBytes):
      "\(path): the header claims \(bytes) bytes but the file has \(fileBytes)"
    case .malformedHeader(let path, let byte, let reason):
      "\(path): malformed header at byte \(byte): \(reason)"
    case .duplicateTensor(let path, let name): "\(path): tensor \(name) is listed twice"
    case .unknownType(let path, let name, let type):
      "\(path): tensor \(name) has the unknown type \(type)"
    case .offsetsOutOfRange(let path, let name, let begin, let end, let dataBytes):
      "\(path): tensor \(name) claims bytes \(begin)..<\(end) of \(dataBytes)"
    case .offsetsOverlap(let path, let name, let begin, let previousEnd):
      "\(path): tensor \(name) begins at byte \(begin), inside a tensor that ends at \(previousEnd)"
    case .gap(let path, let begin, let end): "\(path): bytes \(begin)..<\(end) belong to no tensor"
    case .sizeMismatch(let path, let name, let shape, let type, let bytes):
      "\(path): tensor \(name) of shape \(shape) and type \(type.rawValue) has \(bytes) bytes"
    case .missingTensor(let path, let name): "\(path): there is no tensor \(name)"
    case .wrongType(let path, let name, let type, let wanted):
      "\(path): tensor \(name) has type \(type.rawValue), wanted \(wanted)"
    case .wrongCount(let path, let name, let shape, let count):
      "\(path): tensor \(name) of shape \(shape) was given \(count) values"
    }
  }
}
