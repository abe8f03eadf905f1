/// Time and work of each kind of layer.
public final class Profile {
  public struct Entry: Sendable {
    public let kind: String
    public fileprivate(set) var calls = 0
    public fileprivate(set) var seconds = 0.0
    /// Multiplications with addition of the definition, not of the algorithm used.
    public fileprivate(set) var multiplyAdds = 0
    /// Exponentials.
    public fileprivate(set) var exponentials = 0
    /// What must at least be read and written.
    public fileprivate(set) var bytes = 0
  }

  /// In the order in which the kinds first ran.
  public private(set) var entries: [Entry] = []

  public init() {}

  fileprivate func add(
    _ kind: String, _ seconds: Double, _ multiplyAdds: Int, _ exponentials: Int, _ bytes: Int
  ) {
    let index =
      entries.firstIndex { $0.kind == kind }
      ?? {
        entries.append(Entry(kind: kind))
        return entries.count - 1
      }()
    entries[index].calls += 1
    entries[index].seconds += seconds
    entries[index].multiplyAdds += multiplyAdds
    entries[index].exponentials += exponentials
    entries[index].bytes += bytes
  }
}

extension Compute {
  /// Runs `body`; while there is a profile, its time and the work stated go there.
  public func timed(
    _ kind: String, multiplyAdds: Int = 0, exponentials: Int = 0, bytes: Int = 0,
    _ body: () -> Void
  ) {
    guard let profile else { return body() }
    let elapsed = ContinuousClock().measure(body)
    profile.add(kind, elapsed / .seconds(1), multiplyAdds, exponentials, bytes)
  }
}
