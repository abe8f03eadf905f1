/// A file or folder that cannot be read.
public struct UnreadableFile: Error, Sendable, Equatable, CustomStringConvertible {
  public var path: String
  public var system: SystemError

  public init(_ path: String, _ system: SystemError) {
    self.path = path
    self.system = system
  }

  public var description: String { "\(path): cannot be read: \(system)" }
}
