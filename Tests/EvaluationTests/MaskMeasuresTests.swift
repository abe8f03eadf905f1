import Foundation
import TestSupport
import Testing
import Volumes

@testable import Evaluation

/// The measures compared with MedPy, SciPy and the training script's on random masks.
@Suite struct MaskMeasuresTests {
  struct Case: Decodable {
    var name: String
    var shape: [Int]
    var spacing: [Double]
    var dice: Double
    /// nil where infinite.
    var hd95: Double?
    var medpyDice: Double?
    var medpyHD95: Double?
    var medpyHD95mm: Double?
    var ravd: Double?

    var grid: VolumeGrid {
      VolumeGrid(
        columns: shape[2], rows: shape[1], slices: shape[0],
        affine: Affine(
          column: [spacing[2], 0, 0], row: [0, spacing[1], 0], slice: [0, 0, spacing[0]],
          origin: [1, 2, 3]))
    }
  }

  private let region = [Region(label: 1, name: "structure")]

  @Test func agreesWithPublicImplementations() async throws {
    let folder = try TemporaryFolder()
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/oracles/mask_measures.py")
    let run = try await runProcess(testPython, [script.path, folder.url.path])
    try #require(run.status == 0, "\(run.output)")
    func file(_ name: String) throws -> Data {
      try Data(contentsOf: folder.url.appendingPathComponent(name))
    }
    let cases = try JSONDecoder().decode([Case].self, from: file("cases.json"))
    try #require(cases.count > 25)
    for item in cases {
      let found = LabelVolume(grid: item.grid, labels: Array(try file("\(item.name).found")))
      let known = LabelVolume(grid: item.grid, labels: Array(try file("\(item.name).known")))
      try compare(item, found, known)
      guard let distances = try? file("\(item.name).distances") else { continue }
      compareDistances(item, known, distances)
    }
  }

  private func compare(_ item: Case, _ found: LabelVolume, _ known: LabelVolume) throws {
    let ours = try score(found, against: known, regions: region)[0]
    #expect(ours.dice.map { abs($0 - item.dice) < 1e-12 } == true, "\(item.name)")
    if let hd95 = item.hd95 {
      #expect(abs(ours.hd95 - hd95) < 1e-9, "\(item.name): \(ours.hd95), not \(hd95)")
    } else {
      #expect(ours.hd95 == .infinity, "\(item.name)")
    }
    let reference = try score(found, against: known, regions: region, convention: .reference)[0]
    guard let dice = item.medpyDice, let voxels = item.medpyHD95, let mm = item.medpyHD95mm,
      let ravd = item.ravd
    else {
      #expect(reference.hd95 == 0, "\(item.name): 0 where a mask is empty")
      return
    }
    #expect(reference.dice.map { abs($0 - dice) < 1e-12 } == true, "\(item.name)")
    #expect(abs(reference.hd95 - voxels) < 1e-9, "\(item.name): \(reference.hd95), not \(voxels)")
    var pooled = ScoringConvention.standard
    pooled.directions = .pooled
    let inMillimetres = try score(found, against: known, regions: region, convention: pooled)[0]
    #expect(abs(inMillimetres.hd95 - mm) < 1e-9, "\(item.name): \(inMillimetres.hd95), not \(mm)")
    #expect(ours.relativeVolumeDifference.map { abs($0 - ravd) < 1e-9 } == true, "\(item.name)")
  }

  private func compareDistances(_ item: Case, _ known: LabelVolume, _ expected: Data) {
    let squares = squaredDistances(
      to: known.labels.map { $0 == 1 }, shape: item.shape, spacing: item.spacing)
    let worst = expected.withUnsafeBytes { raw in
      squares.indices.map {
        abs(squares[$0].squareRoot() - raw.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self))
      }.max() ?? .infinity
    }
    #expect(worst < 1e-9, "\(item.name): distances differ by \(worst)")
  }

  /// Dice and volumes of a case worked out by hand: 3 and 2 voxels of 0.006 ml, 1 in common.
  @Test func volumesAreInMillilitres() throws {
    let grid = VolumeGrid(
      columns: 4, rows: 1, slices: 1,
      affine: Affine(column: [1, 0, 0], row: [0, 2, 0], slice: [0, 0, 3], origin: [0, 0, 0]))
    let found = LabelVolume(grid: grid, labels: [1, 1, 1, 0])
    let known = LabelVolume(grid: grid, labels: [0, 0, 1, 1])
    let result = try score(found, against: known, regions: region)[0]
    #expect(result.dice == 2.0 / 5.0)
    #expect(abs(result.foundMillilitres - 0.018) < 1e-12)
    #expect(abs(result.volumeDifference - 0.006) < 1e-12)
    #expect(result.relativeVolumeDifference.map { abs($0 - 0.5) < 1e-12 } == true)
  }
}
