/// Bends the patch elastically: normal displacements on a coarse grid, between which cubic B-splines
/// interpolate.
public struct Deformation: Sendable, Equatable {
  public var probability: Double
  /// The distance of the grid's nodes in voxels, at least 2.
  public var spacing: Int
  /// The standard deviation of a node's displacement along each axis, in voxels; folds do not arise
  /// below a fifth of `spacing`.
  public var deviation: ClosedRange<Double>

  public init(probability: Double, spacing: Int, deviation: ClosedRange<Double>) {
    self.probability = probability
    self.spacing = spacing
    self.deviation = deviation
  }

  func drawn(patch: [Int], using generator: inout CounterGenerator) -> DisplacementField {
    let deviation = generator.uniform(in: deviation)
    return DisplacementField(patch: patch, spacing: max(2, spacing)) {
      SIMD3(generator.normal(), generator.normal(), generator.normal()) * deviation
    }
  }
}

/// A displacement (z, y, x) of every voxel of a patch.
struct DisplacementField {
  private let spacing: Int
  private let counts: [Int]
  private var nodes: [SIMD3<Float>]

  /// - Parameters:
  ///   - patch: voxels along z, y, x.
  ///   - spacing: voxels between nodes.
  ///   - node: the value of the next node, in the order z, y, x.
  init(patch: [Int], spacing: Int, node: () -> SIMD3<Double>) {
    self.spacing = spacing
    counts = patch.map { ($0 - 1) / spacing + 4 }
    nodes = []
    for _ in 0..<counts.reduce(1, *) { nodes.append(SIMD3<Float>(node())) }
  }

  /// The displacements of the row of voxels along x.
  func addRow(z: Int, y: Int, to positions: UnsafeMutablePointer<SIMD3<Float>>, count: Int) {
    let (planes, rows) = (Self.weights(z, spacing), Self.weights(y, spacing))
    var line = [SIMD3<Float>](repeating: .zero, count: counts[2])
    for (k, plane) in planes.enumerated() {
      for (j, row) in rows.enumerated() {
        let start = ((z / spacing + k) * counts[1] + y / spacing + j) * counts[2]
        for x in line.indices { line[x] += plane * row * nodes[start + x] }
      }
    }
    for x in 0..<count {
      let (weights, first) = (Self.weights(x, spacing), x / spacing)
      for (index, weight) in weights.enumerated() {
        positions[x] += weight * line[first + index]
      }
    }
  }

  /// The four cubic B-splines over a voxel.
  private static func weights(_ place: Int, _ spacing: Int) -> [Float] {
    let t = Float(place % spacing) / Float(spacing)
    let u = 1 - t
    return [
      u * u * u / 6, (4 - 6 * t * t + 3 * t * t * t) / 6, (4 - 6 * u * u + 3 * u * u * u) / 6,
      t * t * t / 6,
    ]
  }
}
