/// Stacks that reach beyond the organ: the outermost slices are appended once more, shifted by half
/// their width and height with their labels, so that the organ is elsewhere or out of view.
public struct BeyondStack: Sendable, Equatable {
  public var probability: Double
  /// The most slices at each end.
  public var slices: Int

  public init(probability: Double, slices: Int) {
    self.probability = probability
    self.slices = slices
  }
}
