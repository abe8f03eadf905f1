import Foundation

/// Multiplies intensities, counted from the darkest, by a smooth field, as the sensitivity of
/// receiver coils does: the field's logarithm is interpolated between 2 × 3 × 3 normal numbers.
public struct BiasField: IntensityChange, Equatable {
  private static let nodes = [2, 3, 3]

  public var probability: Double
  /// The standard deviation of the field's logarithm at its nodes.
  public var strength: ClosedRange<Double>

  public init(probability: Double, strength: ClosedRange<Double>) {
    self.probability = probability
    self.strength = strength
  }

  func apply(to channel: PatchChannel, using generator: inout CounterGenerator) {
    let strength = generator.uniform(in: strength)
    let nodes = (0..<Self.nodes.reduce(1, *)).map { _ in Float(strength * generator.normal()) }
    multiply(channel, nodes: nodes)
  }

  func multiply(_ channel: PatchChannel, nodes: [Float]) {
    let least = channel.range.least
    let shape = channel.shape
    let taps = (0..<3).map { axis in
      (0..<shape[axis]).map { Self.tap($0, of: shape[axis], nodes: Self.nodes[axis]) }
    }
    let (rows, columns) = (Self.nodes[1], Self.nodes[2])
    var index = 0
    for (z, up) in taps[0] {
      for (y, down) in taps[1] {
        // The field along this row, at its nodes.
        let line = (0..<columns).map { x in
          func plane(_ z: Int) -> Float {
            let near = nodes[(z * rows + y) * columns + x]
            let far = nodes[(z * rows + y + 1) * columns + x]
            return near + down * (far - near)
          }
          return plane(z) + up * (plane(z + 1) - plane(z))
        }
        for (x, along) in taps[2] {
          let field = expf(line[x] + along * (line[x + 1] - line[x]))
          channel.values[index] = (channel.values[index] - least) * field + least
          index += 1
        }
      }
    }
  }

  /// The node before a voxel and the share of the one after it; the outermost nodes are on the
  /// outermost voxels.
  private static func tap(_ place: Int, of count: Int, nodes: Int) -> (Int, Float) {
    let position = count > 1 ? Float(place) * Float(nodes - 1) / Float(count - 1) : 0
    let node = min(Int(position), nodes - 2)
    return (node, position - Float(node))
  }
}
