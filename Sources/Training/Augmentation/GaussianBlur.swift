import Foundation

/// Blurs with a Gaussian kernel, cut at four standard deviations; edges are mirrored.
public struct GaussianBlur: IntensityChange, Equatable {
  public var probability: Double
  /// The kernel's standard deviation in voxels.
  public var sigma: ClosedRange<Double>
  /// Along which of z, y, x (0, 1, 2); thick slices are not blurred into each other.
  public var axes: [Int]

  public init(probability: Double, sigma: ClosedRange<Double>, axes: [Int] = [0, 1, 2]) {
    self.probability = probability
    self.sigma = sigma
    self.axes = axes
  }

  func apply(to channel: PatchChannel, using generator: inout CounterGenerator) {
    blur(channel, sigma: generator.uniform(in: sigma))
  }

  func blur(_ channel: PatchChannel, sigma: Double) {
    guard sigma > 0, let values = channel.values.baseAddress else { return }
    let radius = Int(4 * sigma + 0.5)
    let unscaled = (-radius...radius).map { exp(-Double($0 * $0) / (2 * sigma * sigma)) }
    let kernel = unscaled.map { Float($0 / unscaled.reduce(0, +)) }
    for axis in axes {
      let count = channel.shape[axis]
      let inner = channel.shape[(axis + 1)...].reduce(1, *)
      let outer = channel.shape[..<axis].reduce(1, *)
      let sources = (0..<count).map { place in
        (-radius...radius).map { Self.mirrored(place + $0, count) }
      }
      withUnsafeTemporaryAllocation(of: Float.self, capacity: count * inner) { copy in
        guard let copy = copy.baseAddress else { return }
        for block in 0..<outer {
          let line = values + block * count * inner
          copy.update(from: line, count: count * inner)
          for place in 0..<count {
            let target = line + place * inner
            target.update(repeating: 0, count: inner)
            for (weight, source) in zip(kernel, sources[place]) {
              let from = copy + source * inner
              for index in 0..<inner { target[index] += weight * from[index] }
            }
          }
        }
      }
    }
  }

  /// The place within 0..<count that a place beyond the edges mirrors, the edge's voxel repeated.
  static func mirrored(_ place: Int, _ count: Int) -> Int {
    let period = 2 * count
    let within = ((place % period) + period) % period
    return within < count ? within : period - 1 - within
  }
}
