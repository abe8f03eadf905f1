import StrictYAML

/// A configuration that cannot be used.
public enum ConfigurationError: Error, CustomStringConvertible, Equatable {
  case unreadable(file: String, reason: String)
  case invalid(file: String, line: Int?, message: String)

  public var description: String {
    switch self {
    case .unreadable(let file, let reason):
      "\(file): the configuration cannot be read: \(reason)"
    case .invalid(let file, let line?, let message):
      "\(file):\(line): \(message)"
    case .invalid(let file, nil, let message):
      "\(file): \(message)"
    }
  }

  init(_ error: YAMLFileError) {
    switch error {
    case .unreadable(let file, let reason): self = .unreadable(file: file, reason: reason)
    case .invalid(let file, let line, let message):
      self = .invalid(file: file, line: line, message: message)
    }
  }
}
