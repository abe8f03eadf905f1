import Foundation
import TestSupport
import Testing

@testable import Volumes

/// One case of the golden resampling file.
struct ResamplingCase: Decodable, Sendable, CustomTestStringConvertible {
  var testDescription = ""
  var spacing: [Double]
  var targetSpacing: [Double]
  var shape: [Int]
  var newShape: [Int]
  var isSeparate: Bool
  var coarseAxes: [Int]?

  private enum CodingKeys: String, CodingKey {
    case spacing = "orig_spacing"
    case targetSpacing = "target_spacing"
    case shape = "in_shape"
    case newShape = "out_shape"
    case isSeparate = "separate_z"
    case coarseAxes = "lowres_axis"
  }

  static let all: [ResamplingCase] = {
    let decoded = try? goldenJSON("pre_resample.json", as: [String: ResamplingCase].self)
    return (decoded ?? [:]).sorted { $0.key < $1.key }.map { name, item in
      var item = item
      item.testDescription = name
      return item
    }
  }()
}

@Suite struct ResamplingTests {
  @Test func allCasesAreThere() { #expect(ResamplingCase.all.count == 8) }

  @Test(arguments: ResamplingCase.all)
  func equalsReference(_ item: ResamplingCase) throws {
    let golden = try GoldenArrays("pre_resample.safetensors")
    let name = item.testDescription
    let resampling = Resampling(
      shape: item.shape, spacing: item.spacing, targetSpacing: item.targetSpacing)
    #expect(resampling.newShape == item.newShape)
    #expect(resampling.separateAxis == (item.isSeparate ? item.coarseAxes?.first : nil))

    let values = resampling.apply(try golden["\(name).in"].values, .cubic)
    #expect(largestDifference(values, try golden["\(name).out"].values) <= 1.3e-4)

    // The mask of a foreground of 0 and a background of -1.
    let mask = try golden["\(name).seg_in"].values.map { Int16($0) + 1 }
    let isInside = resampling.apply(mask: VoxelView(.int16(mask), shape: item.shape))
    #expect(isInside == (try golden["\(name).seg_out"].values.map { $0 >= 0 }))

    let probabilities = try golden["\(name).prob_in"].values
    let expected = try golden["\(name).prob_back"].values
    let (count, newCount) = (probabilities.count / 3, expected.count / 3)
    for channel in 0..<3 {
      let back = resampling.inverse.apply(
        Array(probabilities[channel * count..<(channel + 1) * count]), .linear)
      let reference = Array(expected[channel * newCount..<(channel + 1) * newCount])
      #expect(largestDifference(back, reference) <= 1.3e-7)
    }
  }

  /// Large enough to run on all cores; each slice alone is not.
  @Test(arguments: [Interpolation.linear, .cubic])
  func isTheSameOnAllCoresAsOnOne(_ interpolation: Interpolation) {
    let shape = [40, 60, 50]
    let values = noise(shape)
    let whole = Resampling(shape: shape, newShape: [40, 41, 70], separateAxis: 0)
    let all = whole.apply(values, interpolation)
    let one = Resampling(shape: [1, 60, 50], newShape: [1, 41, 70], separateAxis: 0)
    for slice in 0..<40 {
      let alone = one.apply(Array(values[slice * 3000..<(slice + 1) * 3000]), interpolation)
      #expect(alone == Array(all[slice * 2870..<(slice + 1) * 2870]))
    }
  }

  /// Exchanged axes are resampled as the axes themselves.
  @Test(
    arguments: [[0, 2, 1], [1, 0, 2], [2, 1, 0], [1, 2, 0]], [nil, 0, 1, 2] as [Int?])
  func noAxisIsPreferred(_ axes: [Int], _ separateAxis: Int?) {
    let (shape, newShape) = ([7, 12, 9], [11, 8, 15])
    let values = noise(shape)
    let expected = transposed(
      Resampling(shape: shape, newShape: newShape, separateAxis: separateAxis)
        .apply(values, .cubic), newShape, axes)
    let found = Resampling(
      shape: axes.map { shape[$0] }, newShape: axes.map { newShape[$0] },
      separateAxis: separateAxis.flatMap { axes.firstIndex(of: $0) }
    ).apply(transposed(values, shape, axes), .cubic)
    #expect(largestDifference(found, expected) <= 1.3e-4)
  }

  /// The result's axis i is the source's axis `axes[i]`.
  private func transposed(_ values: [Float], _ shape: [Int], _ axes: [Int]) -> [Float] {
    let strides = [shape[1] * shape[2], shape[2], 1]
    return (0..<shape[axes[0]]).flatMap { z in
      (0..<shape[axes[1]]).flatMap { y in
        (0..<shape[axes[2]]).map { x in
          values[z * strides[axes[0]] + y * strides[axes[1]] + x * strides[axes[2]]]
        }
      }
    }
  }

  private func noise(_ shape: [Int]) -> [Float] {
    (0..<shape.reduce(1, *)).map { Float(($0 * 7919) % 1009) }
  }

  @Test func wholeNumbersAreResampledAsTheirFloats() {
    let resampling = Resampling(shape: [5, 8, 9], newShape: [7, 6, 9], separateAxis: nil)
    let values = noise([5, 8, 9])
    var found = [Float](repeating: 0, count: 7 * 6 * 9)
    found.withUnsafeMutableBufferPointer {
      resampling.apply(
        VoxelView(.int16(values.map { Int16($0) }), shape: [5, 8, 9]), .cubic, into: $0)
    }
    #expect(found == resampling.apply(values, .cubic))
  }

  @Test func countIsRoundedHalfToEven() {
    let resampling = Resampling(shape: [5, 7, 9], spacing: [1, 1, 1], targetSpacing: [2, 2, 2])
    #expect(resampling.newShape == [2, 4, 4])
  }
}
