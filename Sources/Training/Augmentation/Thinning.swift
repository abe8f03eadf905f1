/// Leaves every second slice of a stack of thin slices out, so that the network sees thick ones.
public struct Thinning: Sendable, Equatable {
  public var probability: Double

  public init(probability: Double) { self.probability = probability }
}
