/// Moves intensities away from their mean or towards it, within the range that they had.
public struct Contrast: IntensityChange, Equatable {
  public var probability: Double
  /// Of the distances from the mean.
  public var factor: ClosedRange<Double>

  public init(probability: Double, factor: ClosedRange<Double>) {
    self.probability = probability
    self.factor = factor
  }

  func apply(to channel: PatchChannel, using generator: inout CounterGenerator) {
    change(channel, by: generator.factor(in: factor))
  }

  func change(_ channel: PatchChannel, by factor: Double) {
    let mean = Float(channel.moments.mean)
    let (least, most) = channel.range
    for index in channel.values.indices {
      let moved = (channel.values[index] - mean) * Float(factor) + mean
      channel.values[index] = min(max(moved, least), most)
    }
  }
}
