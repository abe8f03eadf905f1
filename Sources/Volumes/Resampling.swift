import Foundation

/// Resampling of a three-dimensional array (z, y, x) from one spacing to another, and back.
///
/// Follows the preprocessing of the reference implementation (nnU-Net's, with the semantics of
/// scikit-image 0.19 and later): voxel i of the result is at `(i + 0.5) * old / new - 0.5`, edges
/// are repeated, the arithmetic is in double precision and results keep to the range of the
/// input. Where slices are far apart, each is resampled in its plane, keeps to its own range, and
/// the nearest is taken across.
///
/// ```swift
/// let resampling = Resampling(
///   shape: [40, 256, 256], spacing: [3, 0.8, 0.8], targetSpacing: [1, 1, 1])
/// resampling.newShape  // [120, 205, 205]
/// let values = resampling.apply(voxels, .cubic)
/// ```
public struct Resampling: Sendable, Equatable {
  public let shape: [Int]
  public let newShape: [Int]
  /// The axis along which the nearest slice is taken; nil where all three are interpolated.
  public let separateAxis: Int?

  public init(shape: [Int], newShape: [Int], separateAxis: Int?) {
    self.shape = shape
    self.newShape = newShape
    self.separateAxis = separateAxis
  }

  /// - Parameters:
  ///   - shape: voxels along z, y, x.
  ///   - spacing: mm along z, y, x.
  ///   - targetSpacing: mm along z, y, x of the result.
  public init(shape: [Int], spacing: [Double], targetSpacing: [Double]) {
    let newShape = (0..<3).map { axis in
      let count = (spacing[axis] / targetSpacing[axis] * Double(shape[axis]))
      return max(1, Int(count.rounded(.toNearestOrEven)))
    }
    self.init(
      shape: shape, newShape: newShape,
      separateAxis: Self.separateAxis(spacing: spacing, targetSpacing: targetSpacing))
  }

  /// From the result's shape back to the source's.
  public var inverse: Resampling {
    Resampling(shape: newShape, newShape: shape, separateAxis: separateAxis)
  }

  /// The axis of the largest spacing where it exceeds three times the least, in the source or
  /// else in the target; nil where two axes share the largest.
  static func separateAxis(spacing: [Double], targetSpacing: [Double]) -> Int? {
    for candidate in [spacing, targetSpacing] {
      guard let most = candidate.max(), let least = candidate.min(), most / least > 3 else {
        continue
      }
      let axes = candidate.indices.filter { most / candidate[$0] == 1 }
      return axes.count == 1 ? axes[0] : nil
    }
    return nil
  }

  /// Where the results along an axis are for linear interpolation: the sample at or before each
  /// one, and the share of the sample after it. The share is 0 along `separateAxis`.
  package func linearTaps(axis: Int) -> (below: [Int], share: [Double]) {
    let (count, newCount) = (shape[axis], newShape[axis])
    if axis == separateAxis {
      return (nearestSlices(axis), [Double](repeating: 0, count: newCount))
    }
    let taps = (0..<newCount).map {
      AxisInterpolation.linearTap($0, count: count, newCount: newCount)
    }
    return (taps.map(\.below), taps.map(\.share))
  }

  /// For each new slice along an axis the nearest old one.
  func nearestSlices(_ axis: Int) -> [Int] {
    let scale = Double(shape[axis]) / Double(newShape[axis])
    return (0..<newShape[axis]).map { index in
      min(max(Int((scale * (Double(index) + 0.5)).rounded(.down)), 0), shape[axis] - 1)
    }
  }
}
