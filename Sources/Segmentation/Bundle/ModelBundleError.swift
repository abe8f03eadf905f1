/// Why a model bundle cannot be used.
public enum ModelBundleError: Error, Sendable, Equatable, CustomStringConvertible {
  case unreadable(path: String, reason: String)
  case malformed(path: String, reason: String)
  case unknownKey(path: String, key: String, line: Int)
  case missingKey(path: String, key: String, line: Int)
  case invalidValue(path: String, key: String, line: Int, reason: String)
  case wrongChecksum(path: String, expected: String, found: String)

  public var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
    case .malformed(let path, let reason): "\(path): is not YAML: \(reason)"
    case .unknownKey(let path, let key, let line): "\(path):\(line): the key \(key) is unknown"
    case .missingKey(let path, let key, let line): "\(path):\(line): the key \(key) is missing"
    case .invalidValue(let path, let key, let line, let reason):
      "\(path):\(line): \(key) \(reason)"
    case .wrongChecksum(let path, let expected, let found):
      "\(path): has the SHA-256 \(found), not \(expected) as model.yaml says; the file is damaged "
        + "or belongs to another version"
    }
  }
}
