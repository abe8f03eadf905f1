/// Why a file cannot be written so that it is there whole or not at all.
public struct DurableFileError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The final path of the file.
  public var file: String
  public var reason: String
  /// The error of the operating system, where it is one.
  public var system: SystemError?

  public init(file: String, reason: String, system: SystemError? = nil) {
    self.file = file
    self.reason = reason
    self.system = system
  }

  init(_ file: String, _ error: SystemError) {
    self.init(file: file, reason: error.description, system: error)
  }

  public var description: String { "\(file): cannot be written: \(reason)" }
}
