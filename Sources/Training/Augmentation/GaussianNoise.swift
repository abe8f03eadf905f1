/// Adds normal noise, independent from voxel to voxel.
public struct GaussianNoise: IntensityChange, Equatable {
  public var probability: Double
  /// The noise's standard deviation, in the units of the normalised image.
  public var deviation: ClosedRange<Double>

  public init(probability: Double, deviation: ClosedRange<Double>) {
    self.probability = probability
    self.deviation = deviation
  }

  func apply(to channel: PatchChannel, using generator: inout CounterGenerator) {
    add(generator.uniform(in: deviation), to: channel, using: &generator)
  }

  func add(
    _ deviation: Double, to channel: PatchChannel, using generator: inout CounterGenerator
  ) {
    for index in channel.values.indices {
      channel.values[index] += Float(deviation * generator.normal())
    }
  }
}
