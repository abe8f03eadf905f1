import Foundation
import Volumes

/// The classes' probabilities over one patch: the mean over its mirrorings of the network's softmax.
struct PatchPrediction {
  private let window: SlidingWindow
  private var input: [Float]
  private var logits: [Float]
  /// Class, z, y, x of the patch predicted last.
  private(set) var merged: [Float]
  /// The values of the channels of a patch that was constant, and its probabilities. The network
  /// gives the same answer for the same patch, and air is one value once it is clipped.
  private var constant: (values: [Float], merged: [Float])?

  init(_ window: SlidingWindow) {
    self.window = window
    let size = window.patch.reduce(1, *)
    input = [Float](repeating: 0, count: window.channels * size)
    logits = [Float](repeating: 0, count: window.classes * size)
    merged = logits
  }

  static func floatCount(_ window: SlidingWindow) -> Int {
    window.patch.reduce(1, *) * (window.channels + 3 * window.classes)
  }

  /// - Parameter place: of the patch's first voxel in the image; beyond it lie zeros.
  mutating func predict(
    _ image: [Float], shape: [Int], at place: [Int], forward: SlidingWindow.Forward
  ) throws {
    extract(image, shape: shape, at: place, mirroring: 0)
    let values = constantValues
    if let values, let constant, constant.values == values {
      merged = constant.merged
      return
    }
    merged.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    let mirrorings = window.mirrorings
    for mirroring in mirrorings {
      // All mirrorings of a constant patch are the same.
      if mirroring == 0 || values == nil {
        if mirroring != 0 { extract(image, shape: shape, at: place, mirroring: mirroring) }
        try input.withUnsafeBufferPointer { input in
          try logits.withUnsafeMutableBufferPointer { try forward(input, $0) }
        }
      }
      addSoftmax(mirroring: mirroring, share: 1 / Float(mirrorings.count))
    }
    if let values { constant = (values, merged) }
  }

  /// The value of each channel where none of them varies over the patch.
  private var constantValues: [Float]? {
    let size = input.count / window.channels
    let values = (0..<window.channels).map { input[$0 * size] }
    let isConstant = input.withUnsafeBufferPointer { input in
      values.enumerated().allSatisfy { channel, value in
        input[channel * size..<(channel + 1) * size].allSatisfy { $0 == value }
      }
    }
    return isConstant ? values : nil
  }

  /// Copies a patch, mirrored, with zeros where it reaches beyond the image.
  private mutating func extract(_ image: [Float], shape: [Int], at place: [Int], mirroring: Int) {
    let (channels, patch) = (window.channels, window.patch)
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
  private mutating func addSoftmax(mirroring: Int, share: Float) {
    let (classes, patch, logits) = (window.classes, window.patch, logits)
    let (depth, height, width) = (patch[0], patch[1], patch[2])
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
