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

  func add(
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
