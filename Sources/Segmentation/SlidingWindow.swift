import Foundation
import Volumes

/// Where overlapping patches lie in an image, and how much each voxel of a patch counts.
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

  /// Weights of a patch's voxels: a Gaussian about voxel `patch / 2`, 1 there, with a standard
  /// deviation of an eighth of the patch.
  static func importance(patch: [Int]) -> [Float] {
    let lines = patch.map { count in
      (0..<count).map { index in
        let distance = Double(index - count / 2) / (Double(count) / 8)
        return exp(-distance * distance / 2)
      }
    }
    var weights: [Float] = []
    weights.reserveCapacity(patch.reduce(1, *))
    for z in lines[0] {
      for y in lines[1] { weights.append(contentsOf: lines[2].map { Float(z * y * $0) }) }
    }
    return weights
  }
}

/// Tiled prediction: the network on overlapping patches, each seen in several mirrorings, merged
/// by weighted means.
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
  private var mirrorings: [Int] {
    let allowed = mirrorAxes.reduce(0) { $0 | 4 >> $1 }
    return (0..<8).filter { $0 & ~allowed == 0 }
  }

  /// Probability of each class at each voxel (K, z, y, x).
  ///
  /// - Parameters:
  ///   - image: C, z, y, x.
  ///   - shape: z, y, x of the image.
  ///   - patchDone: called after each patch with the number done and that of all.
  func probabilities(
    _ image: [Float], shape: [Int], forward: Forward, patchDone: (Int, Int) throws -> Void
  ) throws -> [Float] {
    let grid = PatchGrid(shape: shape, patch: patch, step: step)
    let size = patch.reduce(1, *)
    let isSingle = grid.starts.count == 1
    let weights =
      isSingle ? [Float](repeating: 1, count: size) : PatchGrid.importance(patch: patch)
    var sums = WeightedSums(shape: shape, classes: classes)
    var input = [Float](repeating: 0, count: channels * size)
    var logits = [Float](repeating: 0, count: classes * size)
    for (index, start) in grid.starts.enumerated() {
      let place = zip(start, grid.before).map { $0 - $1 }
      var merged = [Float](repeating: 0, count: classes * size)
      for mirroring in mirrorings {
        extract(image, shape: shape, at: place, mirroring: mirroring, into: &input)
        try input.withUnsafeBufferPointer { input in
          try logits.withUnsafeMutableBufferPointer { try forward(input, $0) }
        }
        addSoftmax(logits, mirroring: mirroring, share: 1 / Float(mirrorings.count), to: &merged)
      }
      sums.add(merged, weights: weights, patch: patch, at: place)
      try patchDone(index + 1, grid.starts.count)
    }
    return sums.means()
  }

  /// Copies a patch, mirrored, with zeros where it reaches beyond the image.
  private func extract(
    _ image: [Float], shape: [Int], at place: [Int], mirroring: Int, into input: inout [Float]
  ) {
    let (depth, height, width) = (patch[0], patch[1], patch[2])
    image.withUnsafeBufferPointer { image in
      input.withUnsafeMutableBufferPointer { input in
        for row in 0..<channels * depth * height {
          let (channel, z, y) = (row / (depth * height), row / height % depth, row % height)
          let sourceZ = place[0] + (mirroring & 4 != 0 ? depth - 1 - z : z)
          let sourceY = place[1] + (mirroring & 2 != 0 ? height - 1 - y : y)
          let isInside = sourceZ >= 0 && sourceZ < shape[0] && sourceY >= 0 && sourceY < shape[1]
          let source = ((channel * shape[0] + sourceZ) * shape[1] + sourceY) * shape[2]
          for x in 0..<width {
            let sourceX = place[2] + (mirroring & 1 != 0 ? width - 1 - x : x)
            let isVoxel = isInside && sourceX >= 0 && sourceX < shape[2]
            input[row * width + x] = isVoxel ? image[source + sourceX] : 0
          }
        }
      }
    }
  }

  /// Adds `share` of the classes' probabilities to `merged`, mirrored back.
  private func addSoftmax(
    _ logits: [Float], mirroring: Int, share: Float, to merged: inout [Float]
  ) {
    let (depth, height, width) = (patch[0], patch[1], patch[2])
    let classes = classes
    logits.withUnsafeBufferPointer { logits in
      merged.withUnsafeMutableBufferPointer { merged in
        // Every row of the result is written by one row of the source.
        nonisolated(unsafe) let logits = logits
        nonisolated(unsafe) let merged = merged
        inParallel(depth * height, worthwhile: classes * depth * height * width > 100_000) { rows in
          var row = SoftmaxRow(classes: classes, width: width)
          for index in rows {
            let (z, y) = (index / height, index % height)
            let targetZ = mirroring & 4 != 0 ? depth - 1 - z : z
            let targetY = mirroring & 2 != 0 ? height - 1 - y : y
            row.add(
              logits, from: index * width, classStride: depth * height * width, share: share,
              to: merged, at: (targetZ * height + targetY) * width,
              isReversed: mirroring & 1 != 0)
          }
        }
      }
    }
  }
}

/// Softmax over the classes of one row of voxels.
private struct SoftmaxRow {
  private let classes: Int
  private let width: Int
  private var exponentials: [Float]
  private var most: [Float]
  private var sum: [Float]

  init(classes: Int, width: Int) {
    self.classes = classes
    self.width = width
    exponentials = [Float](repeating: 0, count: classes * width)
    most = [Float](repeating: 0, count: width)
    sum = most
  }

  mutating func add(
    _ logits: UnsafeBufferPointer<Float>, from source: Int, classStride: Int, share: Float,
    to merged: UnsafeMutableBufferPointer<Float>, at target: Int, isReversed: Bool
  ) {
    let (classes, width) = (classes, width)
    exponentials.withUnsafeMutableBufferPointer { exponentials in
      most.withUnsafeMutableBufferPointer { most in
        sum.withUnsafeMutableBufferPointer { sum in
          for x in 0..<width {
            most[x] = logits[source + x]
            sum[x] = 0
          }
          for index in 1..<max(classes, 1) {
            for x in 0..<width {
              most[x] = max(most[x], logits[source + index * classStride + x])
            }
          }
          for index in 0..<classes {
            for x in 0..<width {
              let value = expf(logits[source + index * classStride + x] - most[x])
              exponentials[index * width + x] = value
              sum[x] += value
            }
          }
          for index in 0..<classes {
            for x in 0..<width {
              let place = target + index * classStride + (isReversed ? width - 1 - x : x)
              merged[place] += share * (exponentials[index * width + x] / sum[x])
            }
          }
        }
      }
    }
  }
}

/// Weighted sums of overlapping patches over an image, in single precision as in the reference.
private struct WeightedSums {
  private let shape: [Int]
  private let classes: Int
  /// Class, z, y, x.
  private var sums: [Float]
  /// The weights' sum at each voxel, the same for all classes.
  private var weightSums: [Float]

  init(shape: [Int], classes: Int) {
    self.shape = shape
    self.classes = classes
    let count = shape.reduce(1, *)
    sums = [Float](repeating: 0, count: classes * count)
    weightSums = [Float](repeating: 0, count: count)
  }

  /// Adds a patch (class, z, y, x) at its place; what lies beyond the image is left out.
  mutating func add(_ values: [Float], weights: [Float], patch: [Int], at place: [Int]) {
    let (shape, classes) = (shape, classes)
    let (count, size) = (shape.reduce(1, *), patch.reduce(1, *))
    let columns = max(0, -place[2])..<min(patch[2], shape[2] - place[2])
    sums.withUnsafeMutableBufferPointer { sums in
      weightSums.withUnsafeMutableBufferPointer { weightSums in
        values.withUnsafeBufferPointer { values in
          weights.withUnsafeBufferPointer { weights in
            for row in 0..<patch[0] * patch[1] {
              let z = place[0] + row / patch[1]
              let y = place[1] + row % patch[1]
              guard z >= 0, z < shape[0], y >= 0, y < shape[1] else { continue }
              let target = (z * shape[1] + y) * shape[2] + place[2]
              let source = row * patch[2]
              for x in columns { weightSums[target + x] += weights[source + x] }
              for index in 0..<classes {
                for x in columns {
                  sums[index * count + target + x] +=
                    weights[source + x] * values[index * size + source + x]
                }
              }
            }
          }
        }
      }
    }
  }

  consuming func means() -> [Float] {
    let count = weightSums.count
    let classes = classes
    sums.withUnsafeMutableBufferPointer { sums in
      weightSums.withUnsafeBufferPointer { weightSums in
        for index in 0..<classes {
          for voxel in 0..<count { sums[index * count + voxel] /= weightSums[voxel] }
        }
      }
    }
    return sums
  }
}
