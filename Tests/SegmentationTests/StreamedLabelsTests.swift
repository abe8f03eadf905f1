import Foundation
import TestSupport
import Testing
import Volumes

@testable import Segmentation

/// Plane by plane and in bounded memory, the labels are those of the plain way: all probabilities
/// of all classes over the whole image, resampled class by class, and then compared.
@Suite struct StreamedLabelsTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var shape: [Int]
    var spacing: [Double]
    var target: [Double]
    var patch: [Int]
    var step = 0.5
    var mirrorAxes: [Int] = []
    var orientation: [PatientDirection] = [.superior, .posterior, .left]
    var crop = false
    var throughPlane = ThroughPlaneInterpolation.nearest

    var testDescription: String {
      "\(shape) at \(spacing) to \(target), patch \(patch) step \(step) mirrored \(mirrorAxes) \(throughPlane)"
    }
  }

  static let cases: [Case] = [
    // No interpolation at all; one tile; tiles along every axis.
    Case(shape: [9, 12, 14], spacing: [2, 2, 2], target: [2, 2, 2], patch: [16, 16, 16]),
    Case(shape: [19, 23, 30], spacing: [2, 2, 2], target: [2, 2, 2], patch: [8, 8, 8]),
    // Finer and coarser than the network's grid along each axis, also both at once.
    Case(shape: [12, 20, 17], spacing: [3, 1, 1.5], target: [2, 2, 2], patch: [8, 8, 8]),
    Case(
      shape: [40, 11, 24], spacing: [1, 2.5, 2], target: [2.3, 1.7, 1.9], patch: [8, 16, 8],
      mirrorAxes: [0, 1, 2]),
    Case(
      shape: [7, 30, 30], spacing: [2, 1, 1], target: [1, 1.3, 1.2], patch: [8, 8, 16], step: 0.3,
      mirrorAxes: [2]),
    // Slices far apart, in the source or in the target; along any axis of the model.
    Case(shape: [6, 31, 26], spacing: [5, 0.7, 0.7], target: [3, 1, 1], patch: [8, 16, 16]),
    Case(
      shape: [33, 22, 25], spacing: [1, 0.8, 0.8], target: [3, 0.76, 0.76], patch: [8, 16, 16],
      mirrorAxes: [1]),
    Case(
      shape: [24, 6, 28], spacing: [0.9, 5, 0.9], target: [1.1, 4, 1.2], patch: [8, 8, 8],
      orientation: [.superior, .posterior, .left]),
    Case(
      shape: [24, 28, 6], spacing: [0.9, 0.9, 5], target: [1.1, 1.2, 4], patch: [8, 8, 8],
      orientation: [.inferior, .anterior, .left], crop: true),
    // The same, interpolated between slices.
    Case(
      shape: [6, 31, 26], spacing: [5, 0.7, 0.7], target: [3, 1, 1], patch: [8, 16, 16],
      throughPlane: .linear),
    Case(
      shape: [33, 22, 25], spacing: [1, 0.8, 0.8], target: [3, 0.76, 0.76], patch: [8, 16, 16],
      mirrorAxes: [1], throughPlane: .linear),
    Case(
      shape: [24, 28, 30], spacing: [0.9, 0.9, 1], target: [1.1, 1.2, 4], patch: [8, 8, 8],
      orientation: [.inferior, .anterior, .left], crop: true, throughPlane: .linear),
    // Turned, and cut to what is not zero.
    Case(
      shape: [14, 21, 18], spacing: [2, 1.5, 1], target: [1.6, 1.6, 1.6], patch: [8, 8, 8],
      orientation: [.left, .inferior, .anterior], crop: true),
    // A single slice, a single row.
    Case(shape: [1, 16, 16], spacing: [2, 1, 1], target: [2, 1.5, 1.5], patch: [8, 8, 8]),
    Case(shape: [12, 1, 16], spacing: [1, 2, 1], target: [2, 2, 2], patch: [8, 8, 8]),
    Case(shape: [40, 3, 3], spacing: [1, 1, 1], target: [9, 9, 9], patch: [8, 8, 8]),
  ]

  @Test(arguments: cases)
  func areThoseOfThePlainWay(_ item: Case) throws {
    let bundle = try Self.bundle(item)
    let volume = Self.volume(item)
    let found = try segmentation(
      of: { [volume] }, bundle: bundle, progress: { _ in }, forward: Self.classify)
    let image = try bundle.preprocessing.apply([volume])
    let (expected, values) = try plainLabels(image, bundle)
    #expect(found == expected)
    // The same labels, and their probabilities, rounded to 255ths.
    let probabilities = ModelProbabilities()
    let again = try segmentation(
      of: { [volume] }, bundle: bundle, probabilities: probabilities, progress: { _ in },
      forward: Self.classify)
    #expect(again == expected)
    let kept = try #require(probabilities.take())
    #expect(probabilities.take() == nil)
    let plane = kept.grid.rows * kept.grid.columns
    var furthest: Float = 0
    for index in 1..<kept.classes {
      for slice in 0..<kept.grid.slices {
        let found = kept[class: index, slice: slice]
        for pixel in 0..<plane {
          let due = 255 * values[index][slice * plane + pixel]
          furthest = max(furthest, abs(Float(found.isEmpty ? 0 : found[pixel]) - due))
        }
      }
    }
    #expect(furthest < 0.501)
    #expect(Set(found.labels).count > 2, "a case that shows nothing")
  }

  static func bundle(_ item: Case) throws -> ModelBundle {
    var bundle = try untrainedBundle()
    bundle.network.patch = item.patch
    bundle.network.classes = 5
    bundle.preprocessing = Preprocessing(
      orientation: item.orientation, spacing: item.target, cropToNonzero: item.crop,
      normalization: [.ct(lower: 0, upper: 1000, mean: 100, sd: 100)])
    bundle.inference = .init(
      step: item.step, mirrorAxes: item.mirrorAxes, throughPlane: item.throughPlane)
    bundle.input.spacing = .init(min: [0, 0, 0], max: [99, 99, 99])
    bundle.input.extent = .init(min: [0, 0, 0], max: [9999, 9999, 9999])
    return bundle
  }

  /// Zeros about noise on steps.
  static func volume(_ item: Case) -> Volume {
    let grid = uprightGrid(shape: item.shape, spacing: item.spacing)
    let shape = item.shape
    let values = (0..<grid.voxelCount).map { index in
      let (z, y, x) = (
        index / (shape[1] * shape[2]), index / shape[2] % shape[1], index % shape[2]
      )
      let isEdge = item.crop && (z < 2 || y < 1 || x < 1 || x > shape[2] - 2)
      return isEdge ? 0 : Int16((z / 3 * 97 + y / 4 * 211 + x / 5 * 307 + index * 7919 % 83) % 1000)
    }
    return Volume(grid: grid, storage: .int16(values))
  }

  /// An answer that depends on the place within the patch and on the neighbour.
  static func classify(
    _ input: UnsafeBufferPointer<Float>, _ logits: UnsafeMutableBufferPointer<Float>
  ) {
    let count = input.count
    for index in 0..<5 {
      for voxel in 0..<count {
        let value = input[voxel] + 0.5 * input[(voxel + 3) % count]
        let distance = value - Float(index) * 3
        logits[index * count + voxel] =
          Float((voxel * 31 + index * 17) % 101) / 101 - 0.2 * distance * distance
      }
    }
  }

  /// The labels, and the probabilities by class and voxel.
  private func plainLabels(
    _ image: PreprocessedImage, _ bundle: ModelBundle
  ) throws -> (LabelVolume, [[Float]]) {
    let (classes, shape) = (bundle.network.classes, image.shape)
    let probabilities = try plainProbabilities(image.values, shape: shape, bundle)
    let count = shape.reduce(1, *)
    let nearest = image.plan.resampling.inverse
    let back =
      bundle.inference.throughPlane == .nearest
      ? nearest : Resampling(shape: nearest.shape, newShape: nearest.newShape, separateAxis: nil)
    var best = [Float](repeating: -.infinity, count: back.newShape.reduce(1, *))
    var labels = [UInt8](repeating: 0, count: best.count)
    var all: [[Float]] = []
    for index in 0..<classes {
      let values = back.apply(Array(probabilities[index * count..<(index + 1) * count]), .linear)
      all.append(values)
      for voxel in values.indices where values[voxel] > best[voxel] {
        best[voxel] = values[voxel]
        labels[voxel] = UInt8(index)
      }
    }
    let plan = image.plan
    let (start, strides) = plan.reorientation.walk(plan.grid)
    var full = [UInt8](repeating: 0, count: plan.grid.voxelCount)
    var placed = all.map { _ in [Float](repeating: 0, count: plan.grid.voxelCount) }
    var index = 0
    for z in plan.box[0] {
      for y in plan.box[1] {
        for x in plan.box[2] {
          let voxel = start + z * strides[0] + y * strides[1] + x * strides[2]
          full[voxel] = labels[index]
          for (label, values) in all.enumerated() { placed[label][voxel] = values[index] }
          index += 1
        }
      }
    }
    return (LabelVolume(grid: plan.grid, labels: full), placed)
  }

  /// Sums and weights of the whole padded image, in single precision.
  private func plainProbabilities(_ image: [Float], shape: [Int], _ bundle: ModelBundle) throws
    -> [Float]
  {
    let window = SlidingWindow(bundle)
    let (patch, classes) = (window.patch, window.classes)
    let grid = PatchGrid(shape: shape, patch: patch, step: window.step)
    let isSingle = grid.starts.count == 1
    let size = patch.reduce(1, *)
    let weights =
      isSingle ? [Float](repeating: 1, count: size) : PatchGrid.importance(patch: patch)
    let count = shape.reduce(1, *)
    var sums = [Float](repeating: 0, count: classes * count)
    var weightSums = [Float](repeating: 0, count: count)
    var prediction = PatchPrediction(window)
    for start in grid.starts {
      let place = zip(start, grid.before).map { $0 - $1 }
      var merged = [Float](repeating: 0, count: classes * size)
      try prediction.predict(image, shape: shape, at: place, forward: Self.classify) {
        addSoftmax($0, patch: patch, mirroring: $1, to: &merged)
      }
      let mirrorings = Float(window.mirrorings.count)
      for index in 0..<size {
        let z = place[0] + index / (patch[1] * patch[2])
        let y = place[1] + index / patch[2] % patch[1]
        let x = place[2] + index % patch[2]
        guard (0..<shape[0]).contains(z), (0..<shape[1]).contains(y), (0..<shape[2]).contains(x)
        else { continue }
        let voxel = (z * shape[1] + y) * shape[2] + x
        weightSums[voxel] += weights[index]
        for label in 0..<classes {
          sums[label * count + voxel] += weights[index] * merged[label * size + index] / mirrorings
        }
      }
    }
    return sums.indices.map { sums[$0] / weightSums[$0 % count] }
  }
  /// Adds the softmax over the classes of a mirrored patch, turned back.
  private func addSoftmax(
    _ logits: UnsafeBufferPointer<Float>, patch: [Int], mirroring: Int, to merged: inout [Float]
  ) {
    let size = patch.reduce(1, *)
    for index in 0..<size {
      var place = [index / (patch[1] * patch[2]), index / patch[2] % patch[1], index % patch[2]]
      for axis in 0..<3 where mirroring & (4 >> axis) != 0 {
        place[axis] = patch[axis] - 1 - place[axis]
      }
      let source = (place[0] * patch[1] + place[1]) * patch[2] + place[2]
      let values = stride(from: source, to: merged.count, by: size).map { logits[$0] }
      let exponentials = values.map { exp($0 - (values.max() ?? 0)) }
      let sum = exponentials.reduce(0, +)
      for (label, exponential) in exponentials.enumerated() {
        merged[label * size + index] += exponential / sum
      }
    }
  }
}
