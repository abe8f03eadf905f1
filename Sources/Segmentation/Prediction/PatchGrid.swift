import Foundation
import Volumes

/// Where overlapping patches are in an image, and how much each voxel of a patch counts.
///
/// Shapes are z, y, x. Follows the reference implementation (nnU-Net's tiled prediction).
struct PatchGrid: Equatable {
  let patch: [Int]
  /// The image's shape after padding to at least the patch.
  let padded: [Int]
  /// Zeros before the image's first voxel along each axis.
  let before: [Int]
  /// Start of each patch in the padded image, in the order they are computed.
  let starts: [[Int]]

  init(shape: [Int], patch: [Int], step: Double) {
    self.patch = patch
    padded = zip(shape, patch).map { max($0, $1) }
    before = zip(padded, shape).map { ($0 - $1) / 2 }
    let axes = zip(padded, patch).map { Self.starts(count: $0, patch: $1, step: step) }
    starts = axes[0].flatMap { z in axes[1].flatMap { y in axes[2].map { x in [z, y, x] } } }
  }

  /// Evenly spread starts along one axis, at most `step` of a patch apart.
  static func starts(count: Int, patch: Int, step: Double) -> [Int] {
    let room = Double(count - patch)
    let steps = Int((room / (Double(patch) * step)).rounded(.up)) + 1
    guard steps > 1 else { return [0] }
    let actual = room / Double(steps - 1)
    return (0..<steps).map { Int((actual * Double($0)).rounded(.toNearestOrEven)) }
  }

  /// Weights of a patch's voxels along each axis, in double precision: a Gaussian about voxel
  /// `patch / 2`, 1 there, with a standard deviation of an eighth of the patch.
  static func importanceLines(patch: [Int]) -> [[Double]] {
    patch.map { count in
      (0..<count).map { index in
        let distance = Double(index - count / 2) / (Double(count) / 8)
        return exp(-distance * distance / 2)
      }
    }
  }

  /// Weights of a patch's voxels: the product of those along the axes.
  static func importance(patch: [Int]) -> [Float] {
    let lines = importanceLines(patch: patch)
    var weights: [Float] = []
    weights.reserveCapacity(patch.reduce(1, *))
    for z in lines[0] {
      for y in lines[1] { weights.append(contentsOf: lines[2].map { Float(z * y * $0) }) }
    }
    return weights
  }

  /// The weights' sum at each voxel of the image is the product of these sums along the axes,
  /// because patches are on a grid; of a single patch all weights are 1.
  func weightSums() -> [[Double]] {
    guard starts.count > 1 else { return padded.map { [Double](repeating: 1, count: $0) } }
    let lines = Self.importanceLines(patch: patch)
    return (0..<3).map { axis in
      var sums = [Double](repeating: 0, count: padded[axis])
      for start in Set(starts.map { $0[axis] }).sorted() {
        for index in 0..<patch[axis] { sums[start + index] += lines[axis][index] }
      }
      return sums
    }
  }
}
