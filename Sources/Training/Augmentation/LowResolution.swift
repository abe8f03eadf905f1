import Volumes

/// Simulates a coarser acquisition: the image is reduced by taking the nearest voxels and brought
/// back by cubic splines.
public struct LowResolution: IntensityChange, Equatable {
  public var probability: Double
  /// Of the voxels along an axis that remain, at most 1.
  public var factor: ClosedRange<Double>
  /// Along which of z, y, x (0, 1, 2).
  public var axes: [Int]

  public init(probability: Double, factor: ClosedRange<Double>, axes: [Int] = [0, 1, 2]) {
    self.probability = probability
    self.factor = factor
    self.axes = axes
  }

  func apply(to channel: PatchChannel, using generator: inout CounterGenerator) {
    reduce(channel, by: generator.uniform(in: factor))
  }

  func reduce(_ channel: PatchChannel, by factor: Double) {
    let shape = channel.shape
    let small = (0..<3).map { axis in
      axes.contains(axis) ? max(1, Int((Double(shape[axis]) * factor).rounded())) : shape[axis]
    }
    guard small != shape else { return }
    let sources = (0..<3).map { axis in
      (0..<small[axis]).map { place in
        min(
          Int((Double(place) + 0.5) * Double(shape[axis]) / Double(small[axis])), shape[axis] - 1)
      }
    }
    var reduced: [Float] = []
    reduced.reserveCapacity(small.reduce(1, *))
    for z in sources[0] {
      for y in sources[1] {
        let row = (z * shape[1] + y) * shape[2]
        for x in sources[2] { reduced.append(channel.values[row + x]) }
      }
    }
    Resampling(shape: small, newShape: shape, separateAxis: nil)
      .apply(VoxelView(.float(reduced), shape: small), .cubic, into: channel.values)
  }
}
