import Checkpoints

/// Why a network cannot be built or run.
public enum NetworkError: Error, Equatable, CustomStringConvertible {
  case invalidDescription(field: String, reason: String)
  case missingTensor(path: String, name: String, expected: [Int])
  case unexpectedTensor(path: String, name: String, shape: [Int])
  case wrongShape(path: String, name: String, expected: [Int], actual: [Int])
  case unreadableWeights(SafetensorsError)
  case notEnoughMemory(bytes: Int)
  case wrongCount(buffer: String, expected: Int, actual: Int)

  public var description: String {
    switch self {
    case .invalidDescription(let field, let reason): "the network's \(field): \(reason)"
    case .missingTensor(let path, let name, let expected):
      "\(path): the tensor \(name) of shape \(expected) is missing"
    case .unexpectedTensor(let path, let name, let shape):
      "\(path): the tensor \(name) of shape \(shape) does not belong to this network"
    case .wrongShape(let path, let name, let expected, let actual):
      "\(path): the tensor \(name) has shape \(actual), this network needs \(expected)"
    case .unreadableWeights(let error): error.description
    case .notEnoughMemory(let bytes): "the network needs \(bytes >> 20) MiB of memory"
    case .wrongCount(let buffer, let expected, let actual):
      "the network's \(buffer) has \(actual) values, \(expected) are needed"
    }
  }
}
