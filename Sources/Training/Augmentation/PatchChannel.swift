/// One channel of a patch, changed in place.
public struct PatchChannel {
  /// z, y, x.
  public let shape: [Int]
  public let values: UnsafeMutableBufferPointer<Float>

  /// - Parameters:
  ///   - values: as many as the shape has voxels; outlive the channel.
  ///   - shape: voxels along z, y, x.
  public init(_ values: UnsafeMutableBufferPointer<Float>, shape: [Int]) {
    self.values = values
    self.shape = shape
  }

  /// Mean and population standard deviation, in double precision and the order of the voxels.
  var moments: (mean: Double, deviation: Double) {
    guard !values.isEmpty else { return (0, 0) }
    var sum = 0.0
    for value in values { sum += Double(value) }
    let mean = sum / Double(values.count)
    var squares = 0.0
    for value in values { squares += (Double(value) - mean) * (Double(value) - mean) }
    return (mean, (squares / Double(values.count)).squareRoot())
  }

  var range: (least: Float, most: Float) {
    var (least, most) = (Float.infinity, -Float.infinity)
    for value in values {
      least = value < least ? value : least
      most = value > most ? value : most
    }
    return (least, most)
  }
}

/// A change of a patch's intensities. Labels stay as they are.
protocol IntensityChange: Sendable {
  /// Of a channel being changed.
  var probability: Double { get }
  /// Changes the channel by parameters that it draws.
  func apply(to channel: PatchChannel, using generator: inout CounterGenerator)
}

extension CounterGenerator {
  /// A factor around 1, as nnU-Net draws it: below 1 and above 1 are as likely, where the range
  /// reaches to both sides.
  mutating func factor(in range: ClosedRange<Double>) -> Double {
    let isBelow = chance(0.5)
    guard range.lowerBound < 1, range.upperBound > 1 else { return uniform(in: range) }
    return uniform(in: isBelow ? range.lowerBound...1 : 1...range.upperBound)
  }
}
