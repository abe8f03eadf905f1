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

    let labels = resampling.apply(labels: try golden["\(name).seg_in"].values.map { Int16($0) })
    #expect(labels == (try golden["\(name).seg_out"].values.map { Int16($0) }))

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

  /// Large enough to run on all cores.
  @Test func isTheSameOnAllCoresAsOnOne() {
    let shape = [40, 60, 50]
    let values = (0..<shape.reduce(1, *)).map { Float(($0 * 7919) % 1009) }
    let array = values.map(Double.init)
    let pass = AxisInterpolation(count: 60, newCount: 41, interpolation: .cubic)
    let all = pass.apply(array, shape: shape, axis: 1)
    for slice in 0..<40 {
      let one = pass.apply(
        Array(array[slice * 3000..<(slice + 1) * 3000]), shape: [1, 60, 50], axis: 1)
      #expect(one == Array(all[slice * 2050..<(slice + 1) * 2050]))
    }
  }

  @Test func countIsRoundedHalfToEven() {
    let resampling = Resampling(shape: [5, 7, 9], spacing: [1, 1, 1], targetSpacing: [2, 2, 2])
    #expect(resampling.newShape == [2, 4, 4])
  }
}
