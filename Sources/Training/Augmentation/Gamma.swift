import Foundation

/// Raises intensities, brought to 0...1, to a power; mean and standard deviation are kept.
public struct Gamma: IntensityChange, Equatable {
  public var probability: Double
  /// Above 0.
  public var exponent: ClosedRange<Double>
  /// Whether the image is inverted before and after, so that bright tissue changes most.
  public var isInverted: Bool

  public init(probability: Double, exponent: ClosedRange<Double>, isInverted: Bool = false) {
    self.probability = probability
    self.exponent = exponent
    self.isInverted = isInverted
  }

  func apply(to channel: PatchChannel, using generator: inout CounterGenerator) {
    change(channel, exponent: generator.factor(in: exponent))
  }

  func change(_ channel: PatchChannel, exponent: Double) {
    let (mean, deviation) = channel.moments
    let (least, most) = channel.range
    guard most > least else { return }
    let (spread, power) = (most - least, Float(exponent))
    for index in channel.values.indices {
      let value = channel.values[index]
      let share = isInverted ? (most - value) / spread : (value - least) / spread
      let raised = powf(share, power)
      channel.values[index] = isInverted ? -raised : raised
    }
    let changed = channel.moments
    guard changed.deviation > 0 else { return }
    let scale = deviation / changed.deviation
    for index in channel.values.indices {
      channel.values[index] = Float((Double(channel.values[index]) - changed.mean) * scale + mean)
    }
  }
}
