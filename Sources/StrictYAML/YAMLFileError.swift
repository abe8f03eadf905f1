/// Why a YAML file does not give the value that was asked for.
public enum YAMLFileError: Error, Sendable, Equatable, CustomStringConvertible {
  case unreadable(file: String, reason: String)
  /// - `line`: from 1, of the key concerned; nil where the fault has no one place.
  case invalid(file: String, line: Int?, message: String)

  public var description: String {
    switch self {
    case .unreadable(let file, let reason): "\(file): cannot be read: \(reason)"
    case .invalid(let file, let line?, let message): "\(file):\(line): \(message)"
    case .invalid(let file, nil, let message): "\(file): \(message)"
    }
  }
}
