/// The system has no memory for an allocation.
public struct NotEnoughMemory: Error, Equatable, Sendable, CustomStringConvertible {
  public var bytes: Int

  public init(bytes: Int) { self.bytes = bytes }

  public var description: String { "there is no memory for \(bytes) bytes" }
}
