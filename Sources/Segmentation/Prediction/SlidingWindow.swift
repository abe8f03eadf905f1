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

/// Tiled prediction: the network on overlapping patches, each seen in several mirrorings, merged
/// by weighted means.
///
/// ```swift
/// let window = SlidingWindow(
///   patch: [64, 128, 128], channels: 1, classes: 14, step: 0.5, mirrorAxes: [])
/// try window.forEachPlane(image, shape: [148, 512, 512], forward: network) { done, total in
/// } planeDone: { probabilities in  // K, y, x of the next z
/// }
/// ```
struct SlidingWindow {
  /// Channels of a patch (C, D, H, W) to logits of each class (K, D, H, W).
  typealias Forward = (UnsafeBufferPointer<Float>, UnsafeMutableBufferPointer<Float>) throws -> Void

  let patch: [Int]
  let channels: Int
  let classes: Int
  /// Distance of patches as a part of their size.
  let step: Double
  /// The axes (0, 1, 2 for z, y, x) along which each patch is also seen mirrored.
  let mirrorAxes: [Int]

  /// All combinations of mirrored axes, none first: bit 0 is x, bit 1 y, bit 2 z.
  var mirrorings: [Int] {
    let allowed = mirrorAxes.reduce(0) { $0 | 4 >> $1 }
    return (0..<8).filter { $0 & ~allowed == 0 }
  }

  /// Computes the probability of each class at each voxel, and hands each plane of the image over
  /// as soon as no further patch reaches it: only the planes of one layer of patches are held.
  ///
  /// - Parameters:
  ///   - image: C, z, y, x.
  ///   - shape: z, y, x of the image.
  ///   - patchDone: called after each patch with the number done and that of all.
  ///   - planeDone: called for each z in ascending order with the probabilities (K, y, x).
  func forEachPlane(
    _ image: [Float], shape: [Int], forward: Forward, patchDone: (Int, Int) throws -> Void,
    planeDone: (UnsafeBufferPointer<Float>) throws -> Void
  ) throws {
    let grid = PatchGrid(shape: shape, patch: patch, step: step)
    var prediction = PatchPrediction(self)
    var planes = PlaneAccumulator(grid, shape: shape, classes: classes)
    let share = 1 / Float(mirrorings.count)
    for (index, start) in grid.starts.enumerated() {
      try planes.finish(before: start[0], planeDone)
      let place = zip(start, grid.before).map { $0 - $1 }
      try prediction.predict(image, shape: shape, at: place, forward: forward) {
        logits, mirroring in
        planes.add(logits, mirroring: mirroring, share: share, at: start)
      }
      try patchDone(index + 1, grid.starts.count)
    }
    try planes.finish(before: grid.padded[0], planeDone)
  }

  /// The bytes that `forEachPlane` holds in addition to the image and the network.
  func scratchBytes(shape: [Int]) -> Int {
    let grid = PatchGrid(shape: shape, patch: patch, step: step)
    let size = patch.reduce(1, *)
    let planes = PlaneAccumulator.floatCount(grid, shape: shape, classes: classes)
    return 4 * (planes + PatchPrediction.floatCount(self) + (grid.starts.count > 1 ? size : 0))
  }
}
