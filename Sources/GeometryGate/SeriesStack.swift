/// Series of one study that together are one stack: scanners store short-axis cine as one series for
/// each slice location, with all phases of the heart cycle at it.
public struct SeriesStack: Sendable, Equatable {
  /// Which of the given series, in the order of their slices.
  public var members: [Int]
  /// Why they cannot be stacked; empty where they can.
  public var problems: [GeometryFinding]
}
