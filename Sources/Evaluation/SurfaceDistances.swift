/// Distances between the surfaces of two masks, in both directions.
struct SurfaceDistances {
  /// From each surface voxel of the first mask to the nearest one of the second, ascending.
  let forward: [Double]
  /// The other way round.
  let backward: [Double]

  /// - Parameters:
  ///   - a: a mask that is not empty, in the same box as `b`.
  ///   - b: the other mask.
  ///   - spacing: distance between voxels along z, y, x.
  init(_ a: Mask, _ b: Mask, spacing: [Double]) {
    let (surfaceA, surfaceB) = (a.surface(), b.surface())
    func distances(from: [Bool], to: [Bool]) -> [Double] {
      let squares = squaredDistances(to: to, shape: a.shape, spacing: spacing)
      return from.indices.filter { from[$0] }.map { squares[$0].squareRoot() }.sorted()
    }
    forward = distances(from: surfaceA, to: surfaceB)
    backward = distances(from: surfaceB, to: surfaceA)
  }

  /// The percentile of Hausdorff's distance (100 is the distance itself).
  func hausdorff(percentile: Double, directions: ScoringConvention.Directions) -> Double {
    switch directions {
    case .larger:
      max(
        Evaluation.percentile(percentile, of: forward),
        Evaluation.percentile(percentile, of: backward))
    case .pooled: Evaluation.percentile(percentile, of: (forward + backward).sorted())
    }
  }
}

/// A percentile with linear interpolation between the closest ranks, NumPy's default.
///
/// - Parameters:
///   - percent: from 0 to 100.
///   - values: ascending, at least one.
func percentile(_ percent: Double, of values: [Double]) -> Double {
  let place = percent / 100 * Double(values.count - 1)
  let below = Int(place)
  guard below + 1 < values.count else { return values[values.count - 1] }
  return values[below] + (values[below + 1] - values[below]) * (place - Double(below))
}
