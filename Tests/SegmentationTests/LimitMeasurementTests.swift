import Testing
import Volumes

@testable import Segmentation

@Suite struct LimitMeasurementTests {
  private let preprocessing = Preprocessing(
    orientation: [.superior, .posterior, .left], spacing: [2, 1, 1], cropToNonzero: false,
    normalization: [.zscore(insideMask: false)])

  /// A bright ball in a ramp; its radius in mm and the spacing along z differ from case to case.
  private func phantom(radius: Double, slices: Int, spacing: Double, inverted: Bool = false)
    -> (Volume, LabelVolume)
  {
    let grid = uprightGrid(shape: [slices, 24, 20], spacing: [spacing, 1, 1])
    var voxels: [Float] = []
    var labels: [UInt8] = []
    for z in 0..<slices {
      for y in 0..<24 {
        for x in 0..<20 {
          let centre = (Double(slices) - 1) / 2
          let distance = [(Double(z) - centre) * spacing, Double(y) - 12, Double(x) - 8]
          let isInside = distance.reduce(0) { $0 + $1 * $1 } < radius * radius
          let value = Float(100 + 2 * y + (isInside ? 150 : 0) + (x * 7 + y * 3 + z) % 5)
          voxels.append(inverted ? 400 - value : value)
          labels.append(isInside ? 1 : 0)
        }
      }
    }
    return (Volume(grid: grid, voxels: voxels), LabelVolume(grid: grid, labels: labels))
  }

  private func measured(_ labels: [UInt8] = [1]) throws -> LimitMeasurement {
    var measurement = LimitMeasurement(preprocessing: preprocessing, labels: labels)
    for (radius, slices, spacing) in [(6.0, 10, 2.0), (7.0, 9, 2.5), (5.5, 12, 1.6)] {
      let (volume, known) = phantom(radius: radius, slices: slices, spacing: spacing)
      try measurement.add([volume], labels: known)
    }
    return measurement
  }

  @Test func rangesReachBeyondTheTrainingVolumesByTheMargin() throws {
    let input = try measured().input(modalities: ["MR"], bodyParts: ["CHEST"])
    #expect(input.modalities == ["MR"])
    #expect(input.bodyParts == ["CHEST"])
    #expect(input.spacing.min == [1.28, 0.8, 0.8])
    #expect(input.spacing.max == [3.125, 1.25, 1.25])
    // 20, 22.5 and 19.2 mm.
    #expect(input.extent.min[0] == 15.36)
    #expect(input.extent.max[0] == 28.125)
    let zeros = try #require(input.intensity.first { $0.statistic == .zeroFraction })
    #expect(zeros.usual == [0, 0.025])
    #expect(zeros.accepted == [0, 0.1])
    for limit in input.intensity {
      #expect(limit.accepted[0] <= limit.usual[0] && limit.usual[1] <= limit.accepted[1])
    }
  }

  @Test func trainingVolumesPassAndOtherImagesDoNot() throws {
    let input = try measured().input(modalities: ["MR"], bodyParts: [])
    #expect(input.intensity.contains { $0.statistic == .patternCorrelation })
    let (like, _) = phantom(radius: 6.5, slices: 10, spacing: 2.2)
    #expect(try input.check(intensitiesOf: [like], .none).isEmpty)
    let (inverted, _) = phantom(radius: 6.5, slices: 10, spacing: 2.2, inverted: true)
    #expect(throws: InputRefusal.self) {
      try input.check(intensitiesOf: [inverted], .none)
    }
  }

  @Test func labelsHaveTheirUsualSizes() throws {
    let measurement = try measured([1, 2])
    let limits = measurement.output()
    // Label 2 is in no case, so that nothing is known of its size.
    #expect(limits.map(\.label) == [1])
    #expect(limits[0].largestPart == 0.9)
    let (_, small) = phantom(radius: 5.5, slices: 12, spacing: 1.6)
    let least = Double(small.labels.count { $0 == 1 }) * 1.6 / 1000
    #expect(abs(limits[0].millilitres[0] - least / 1.25) <= 0.001)
    let part = limits[0].largestPart(in: small)
    #expect(try limits[0].check(small, largestPart: part, name: "Ball") == nil)
  }

  @Test func whatNoModelTakesIsRefused() throws {
    var measurement = LimitMeasurement(preprocessing: preprocessing, labels: [1])
    let grid = uprightGrid(shape: [2, 2, 2], spacing: [1, 1, 1])
    let known = LabelVolume(grid: grid, labels: [UInt8](repeating: 0, count: 8))
    #expect(throws: InputRefusal.constant(channel: 0, value: 3)) {
      try measurement.add(
        [Volume(grid: grid, voxels: [Float](repeating: 3, count: 8))], labels: known)
    }
    #expect(measurement.count == 0)
  }
}
