import Foundation
import TestSupport
import Testing
import Volumes

@testable import Segmentation

@Suite struct IntensityLimitTests {
  private func volume(_ shape: [Int], _ value: (Int, Int, Int) -> Float) -> Volume {
    var voxels: [Float] = []
    for z in 0..<shape[0] {
      for y in 0..<shape[1] { for x in 0..<shape[2] { voxels.append(value(z, y, x)) } }
    }
    return Volume(
      grid: VolumeGrid(
        columns: shape[2], rows: shape[1], slices: shape[0],
        affine: Affine(column: [1, 0, 0], row: [0, 1, 0], slice: [0, 0, 1], origin: [0, 0, 0])),
      voxels: voxels)
  }

  private func figure(_ statistic: IntensityStatistic, _ volume: Volume) -> Double {
    IntensityFigures(volume).value(statistic, pattern: nil)
  }

  @Test func figuresWorkedOutByHand() {
    let line = volume([1, 1, 4]) { _, _, x in [0, 0, 2, 6][x] }
    #expect(figure(.zeroFraction, line) == 0.5)
    // Mean 2, squares 4 + 4 + 0 + 16 over 4 = 6.
    #expect(abs(figure(.coefficientOfVariation, line) - 6.0.squareRoot() / 2) < 1e-12)
    #expect(abs(figure(.skewness, line) - (48.0 / 4) / (6 * 6.0.squareRoot())) < 1e-6)
    let even = volume([1, 1, 101]) { _, _, x in Float(x) }
    #expect(figure(.medianPosition, even) == 0.5)
    #expect(
      figure(.coefficientOfVariation, volume([1, 1, 2]) { _, _, x in x == 0 ? -5 : 1 }) == .infinity
    )
    // Chessboard: every neighbour is the opposite; the scale does not matter.
    let board = volume([4, 4, 4]) { z, y, x in (z + y + x) % 2 == 0 ? 1000 : 3000 }
    #expect(abs(figure(.neighbourCorrelation, board) + 1) < 1e-12)
  }

  @Test func thePatternToleratesOnlyTheMirroringsItNames() {
    let ramp = volume([4, 4, 8]) { z, _, x in Float(10 * x + z) }
    let mirrored = volume([4, 4, 8]) { z, _, x in Float(10 * (7 - x) + z) }
    var pattern = IntensityPattern(shape: [1, 1, 2], mirrorAxes: [], values: [-1, 1])
    func correlation(_ volume: Volume) -> Double {
      pattern.correlation(with: volume.voxels, shape: volume.grid.shape)
    }
    #expect(abs(correlation(ramp) - 1) < 1e-9)
    #expect(abs(correlation(mirrored) + 1) < 1e-9)
    pattern.mirrorAxes = [2]
    #expect(abs(correlation(mirrored) - 1) < 1e-9)
    // Blocks of a volume smaller than the pattern repeat voxels instead of being empty.
    pattern = IntensityPattern(shape: [1, 1, 4], mirrorAxes: [], values: [-1, -1, 1, 1])
    #expect(abs(correlation(volume([1, 1, 2]) { _, _, x in Float(x) }) - 1) < 1e-9)
  }

  @Test func whatIsNotAcceptedIsRefusedAndWhatIsUnusualIsSaid() throws {
    let limits = InputLimits(
      modalities: ["MR"], bodyParts: [], spacing: .init(min: [1, 1, 1], max: [1, 1, 1]),
      extent: .init(min: [1, 1, 1], max: [9, 9, 9]),
      intensity: [
        IntensityLimit(statistic: .zeroFraction, usual: [0, 0.1], accepted: [0, 0.5])
      ])
    func warnings(zeros: Int) throws -> [ModelWarning] {
      let image = volume([1, 1, 8]) { _, _, x in x < zeros ? 0 : Float(x + 1) }
      let orientation = try #require(
        Reorientation(of: image.grid, to: [.superior, .posterior, .left]))
      return try limits.check(intensitiesOf: [image], orientation)
    }
    #expect(try warnings(zeros: 0).isEmpty)
    #expect(
      try warnings(zeros: 4)
        == [.intensity(statistic: .zeroFraction, found: 0.5, usual: [0, 0.1])])
    #expect(
      throws: InputRefusal.intensity(
        channel: 0, statistic: .zeroFraction, found: 0.625, min: 0, max: 0.5)
    ) { try warnings(zeros: 5) }
  }

  @Test func unusualResultsAreSaid() {
    let limit = OutputLimit(label: 2, millilitres: [0.005, 0.02], largestPart: 0.8)
    func warning(_ labels: [UInt8]) -> ModelWarning? {
      let grid = volume([1, 1, labels.count]) { _, _, x in Float(x) }.grid
      let volume = LabelVolume(grid: grid, labels: labels)
      return try? limit.check(volume, largestPart: limit.largestPart(in: volume), name: "Two")
    }
    #expect(warning([0, 1, 1]) == .notFound(name: "Two"))
    #expect(
      warning([2, 2, 0]) == .volume(name: "Two", millilitres: 0.002, usual: [0.005, 0.02]))
    #expect(warning(Array(repeating: 2, count: 12)) == nil)
    #expect(
      warning([2, 2, 2, 0, 2, 2, 2])
        == .scattered(name: "Two", largestPart: 0.5, usual: 0.8))
    #expect(warning(Array(repeating: 2, count: 9) + [0, 2]) == nil)
  }
}

/// Results that refuse their input.
@Suite struct OutputLimitTests {
  private let limit = OutputLimit(
    label: 2, millilitres: [0.005, 0.02], largestPart: 0.8,
    accepted: .init(millilitres: [0.002, 0.03], largestPart: 0.4))

  /// - Parameter labels: along x, voxels of 1 mm³.
  private func warning(_ labels: [UInt8], part: Double? = nil) throws -> ModelWarning? {
    let grid = VolumeGrid(
      columns: labels.count, rows: 1, slices: 1,
      affine: Affine(column: [1, 0, 0], row: [0, 1, 0], slice: [0, 0, 1], origin: [0, 0, 0]))
    let volume = LabelVolume(grid: grid, labels: labels)
    return try limit.check(
      volume, largestPart: part ?? limit.largestPart(in: volume), name: "Two")
  }

  @Test func whatIsUnusualIsAcceptedWithAWarning() throws {
    #expect(try warning(Array(repeating: 2, count: 10)) == nil)
    #expect(
      try warning([2, 2, 2])
        == .volume(name: "Two", millilitres: 0.003, usual: [0.005, 0.02]))
    #expect(
      try warning([2, 2, 2, 0, 2, 2, 2]) == .scattered(name: "Two", largestPart: 0.5, usual: 0.8))
  }

  @Test func shapesThatAreUnusualAreSaid() throws {
    var limit = OutputLimit(label: 2, millilitres: [0.001, 1], largestPart: 0, parts: 2)
    func warning(_ labels: [UInt8], rows: Int = 1) throws -> ModelWarning? {
      let grid = VolumeGrid(
        columns: labels.count / rows, rows: rows, slices: 1,
        affine: Affine(column: [1, 0, 0], row: [0, 2, 0], slice: [0, 0, 4], origin: [0, 0, 0]))
      let volume = LabelVolume(grid: grid, labels: labels)
      return try limit.check(volume, largestPart: 1, name: "Two")
    }
    #expect(try warning([2, 0, 2, 2]) == nil)
    #expect(try warning([2, 0, 2, 0, 2]) == .manyParts(name: "Two", found: 3, usual: 2))
    // A voxel of 8 mm³ has 2 · (8 + 4 + 2) mm² of surface, a ball of 8 mm³ 19.34 mm².
    limit.parts = nil
    limit.compactness = 0.69
    #expect(try warning([2]) == nil)
    limit.compactness = 0.7
    guard case .ragged(name: "Two", let compactness, usual: 0.7)? = try warning([2]) else {
      Issue.record("no warning")
      return
    }
    #expect(abs(compactness - 19.3427 / 28) < 1e-4)
    // Two voxels along a row and beside each other: the faces between them do not count.
    limit.compactness = 0
    let grid = VolumeGrid(
      columns: 2, rows: 2, slices: 1,
      affine: Affine(column: [1, 0, 0], row: [0, 1, 0], slice: [0, 0, 1], origin: [0, 0, 0]))
    let found = limit.compactness(in: LabelVolume(grid: grid, labels: [2, 2, 0, 1]))
    #expect(try abs(#require(found) - cbrt(36 * Double.pi * 4) / 10) < 1e-12)
    #expect(limit.compactness(in: LabelVolume(grid: grid, labels: [0, 0, 0, 1])) == nil)
  }

  @Test func anotherAnatomyIsRefused() throws {
    let missing = #expect(throws: InputRefusal.self) { try warning([0, 1]) }
    #expect(missing?.description.contains("found 0.0 ml of Two") == true)
    #expect(throws: InputRefusal.self) { try warning([2]) }
    #expect(throws: InputRefusal.self) { try warning(Array(repeating: 2, count: 31)) }
    #expect(throws: InputRefusal.self) { try warning([2, 0, 2, 0, 2, 0, 2]) }
    // Scattered before smaller parts were removed.
    #expect(throws: InputRefusal.self) {
      try warning(Array(repeating: 2, count: 10), part: 0.3)
    }
  }

  @Test func narrowerAcceptedRangesAreRefused() throws {
    let folder = TestFiles.package.appendingPathComponent("Sources/Segmentation/Models/hippocampus")
    let text = try String(
      contentsOf: folder.appendingPathComponent("model.yaml"), encoding: .utf8)
    func bundle(_ accepted: String) throws -> ModelBundle {
      let stated = "millilitres: [0.8, 3], largestPart: 0.9"
      return try ModelBundle(
        yaml: text.replacingOccurrences(of: stated, with: "\(stated), accepted: \(accepted)"),
        file: "model.yaml", directory: folder)
    }
    let read = try bundle("{millilitres: [0.1, 9], largestPart: 0.2}")
    #expect(read.output[0].accepted == .init(millilitres: [0.1, 9], largestPart: 0.2))
    #expect(read.output[1].accepted == nil)
    for accepted in [
      "{millilitres: [1, 9], largestPart: 0.2}", "{millilitres: [0.1, 2], largestPart: 0.2}",
      "{millilitres: [0.1, 9], largestPart: 0.95}", "{millilitres: [0.1, 9]}",
      "{millilitres: [0.1, 9], largestPart: 0.2, label: 1}",
    ] { #expect(throws: ModelBundleError.self) { try bundle(accepted) } }
  }
}

/// The limits in model.yaml.
@Suite struct StatedLimitsTests {
  private func bundle(_ change: (String) -> String) throws -> ModelBundle {
    let folder = TestFiles.package.appendingPathComponent("Sources/Segmentation/Models/hippocampus")
    let text = try String(
      contentsOf: folder.appendingPathComponent("model.yaml"), encoding: .utf8)
    return try ModelBundle(yaml: change(text), file: "model.yaml", directory: folder)
  }

  @Test func theHippocampusModelStatesWhatItTakes() throws {
    let bundle = try bundle { $0 }
    #expect(Set(bundle.input.intensity.map(\.statistic)) == Set(IntensityStatistic.allCases))
    #expect(bundle.output.map(\.label) == [1, 2])
    #expect(bundle.input.pattern?.values.count == 80)
  }

  /// export.py writes model.yaml from hippocampus.yaml: neither may be changed alone.
  @Test func theScriptsDescriptionIsTheBundles() throws {
    func lines(_ path: String) throws -> [Substring] {
      try String(
        contentsOf: TestFiles.package.appendingPathComponent(path), encoding: .utf8
      ).split(separator: "\n").filter { !$0.hasPrefix("weights:") && !$0.hasPrefix("# What") }
    }
    #expect(
      try lines("Scripts/train/hippocampus.yaml")
        == lines("Sources/Segmentation/Models/hippocampus/model.yaml"))
  }

  @Test func mistakesAreNamed() throws {
    func expectInvalid(_ old: String, _ new: String, _ key: String) {
      do {
        _ = try bundle { $0.replacingOccurrences(of: old, with: new) }
        Issue.record("\(new) was taken")
      } catch {
        #expect("\(error)".contains(key), "\(error)")
      }
    }
    expectInvalid("statistic: skewness", "statistic: skew", "statistic")
    expectInvalid("usual: [-0.8, 1.4]", "usual: [1.4, -0.8]", "usual")
    expectInvalid("usual: [-0.8, 1.4]", "usual: [-0.8, 14]", "accepts less")
    expectInvalid("shape: [4, 5, 4]", "shape: [4, 5, 5]", "pattern")
    expectInvalid("  pattern: ", "  patterns: ", "patterns")
    expectInvalid("largestPart: 0.9", "largestPart: 90", "largestPart")
    expectInvalid("{label: 2, millilitres", "{label: 3, millilitres", "label")
  }
}
