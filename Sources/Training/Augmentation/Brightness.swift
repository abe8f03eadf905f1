/// Multiplies intensities and shifts them.
public struct Brightness: IntensityChange, Equatable {
  public var probability: Double
  public var factor: ClosedRange<Double>
  /// The standard deviation of the shift; 0 for none.
  public var offset: Double

  public init(probability: Double, factor: ClosedRange<Double>, offset: Double = 0) {
    self.probability = probability
    self.factor = factor
    self.offset = offset
  }

  func apply(to channel: PatchChannel, using generator: inout CounterGenerator) {
    let factor = Float(generator.uniform(in: factor))
    let shift = Float(offset * generator.normal())
    for index in channel.values.indices {
      channel.values[index] = channel.values[index] * factor + shift
    }
  }
}
