import Foundation
import Testing
import Volumes

@testable import Evaluation

@Suite struct ScoringTests {
  private let grid = VolumeGrid(
    columns: 5, rows: 4, slices: 3,
    affine: Affine(
      column: [0.8, 0.6, 0], row: [-1.2, 1.6, 0], slice: [0, 0, 3], origin: [-20, 5, 40]))

  private func volume(_ value: (Int) -> UInt8) -> LabelVolume {
    LabelVolume(grid: grid, labels: (0..<grid.voxelCount).map(value))
  }

  @Test func voxelsStoredInAnotherOrderAreTheSame() throws {
    let known = volume { UInt8($0 % 3) }
    for directions: [PatientDirection] in [
      [.inferior, .right, .anterior], [.left, .superior, .posterior],
    ] {
      let turned = try #require(Reorientation(of: grid, to: directions)).apply(known)
      #expect(turned.grid != grid)
      let result = try score(turned, against: known, regions: [Region(label: 2, name: "two")])
      #expect(result[0].dice == 1)
      #expect(result[0].hd95 == 0)
    }
  }

  @Test func volumesElsewhereAreRefused() throws {
    let known = volume { _ in 1 }
    var moved = known
    moved.grid.affine.origin.x += 0.8
    var coarse = known
    coarse.grid.affine.slice *= 1.1
    for other in [moved, coarse] {
      #expect(throws: EvaluationError.differentGrids(found: other.grid, known: grid)) {
        try score(other, against: known, regions: [Region(label: 1, name: "one")])
      }
    }
    var rounded = known
    rounded.grid.affine.origin += [1e-4, -1e-4, 1e-4]
    #expect(
      try score(rounded, against: known, regions: [Region(label: 1, name: "one")])[0].dice == 1)
  }

  @Test func tumourPartsAreTakenTogether() throws {
    // Known: 4 of each label; found: label 3 is called 2, so that only the whole is right.
    let known = volume { UInt8(min($0 / 4, 4) % 4) }
    let found = LabelVolume(grid: grid, labels: known.labels.map { $0 == 3 ? 2 : $0 })
    let result = try score(
      found, against: known, regions: Benchmark.brats.regions,
      convention: Benchmark.brats.convention)
    #expect(result.map(\.region.key) == ["ET", "TC", "WT"])
    #expect(result.map(\.dice) == [0, 1, 1])
    #expect(result[0].hd95 == 0, "the reference counts a missed part as distance 0")
    let ours = try score(found, against: known, regions: Benchmark.brats.regions)
    #expect(ours[0].hd95 == .infinity)
  }

  @Test func benchmarksScoreThePublishedClasses() {
    #expect(
      Benchmark.synapse.regions.map(\.key) == ["1", "2", "3", "4", "6", "7", "8", "11"])
    #expect(Benchmark.btcv.regions.count == 13)
    #expect(Benchmark.acdc.regions.map(\.label) == [1, 2, 3])
    #expect(Benchmark.lung.regions.map(\.label) == [1])
    for benchmark in Benchmark.allCases {
      #expect(benchmark.regions.allSatisfy { $0.values.isSubset(of: benchmark.labelValues) })
      #expect(Set(benchmark.regions.map(\.key)).count == benchmark.regions.count)
    }
  }

  @Test func labelsOfAnotherNumberingAreRefused() throws {
    let known = volume { $0 == 7 ? 4 : 1 }
    #expect(throws: EvaluationError.unknownLabel(value: 4, expected: [1, 2, 3])) {
      try checkValues(of: known, expected: Benchmark.brats.labelValues)
    }
    try checkValues(of: known, expected: Benchmark.synapse.labelValues)
  }

  @Test func emptyCasesCountByTheConvention() throws {
    let empty = volume { _ in 0 }
    let full = volume { _ in 1 }
    let lung = Benchmark.lung
    func scored(_ found: LabelVolume, _ known: LabelVolume) throws -> CaseScore {
      let scores = try score(
        found, against: known, regions: lung.regions, convention: lung.convention)
      return CaseScore(name: "", scores: scores, seconds: 2)
    }
    let summary = EvaluationSummary([try scored(empty, empty), try scored(full, full)])
    #expect(summary.dice == 1)
    #expect(summary.regions[0].worstDice == 1)
    #expect(EvaluationSummary([try scored(empty, empty)]).dice == nil)
    let missed = EvaluationSummary([try scored(empty, full), try scored(full, full)])
    #expect(missed.dice == 0.5)
    #expect(missed.hd95 == .infinity)
    #expect(missed.regions[0].oneEmptyCount == 1)
  }

  @Test func meansAndWorstCases() throws {
    let region = Region(label: 1, name: "one")
    func scored(_ dice: Double, _ hd95: Double, _ found: Double) -> CaseScore {
      CaseScore(
        name: "",
        scores: [
          RegionScore(
            region: region, dice: dice, hd95: hd95, foundMillilitres: found, knownMillilitres: 2)
        ], seconds: dice)
    }
    let summary = EvaluationSummary([scored(0.9, 1, 2.5), scored(0.6, 4, 1), scored(0.75, 1, 2)])
    #expect(abs((summary.dice ?? 0) - 0.75) < 1e-12)
    #expect(summary.regions[0].worstDice == 0.6)
    #expect(summary.hd95 == 2)
    #expect(summary.regions[0].worstHD95 == 4)
    #expect(abs(summary.regions[0].volumeDifference + 1.0 / 6) < 1e-12)
    #expect(summary.regions[0].worstVolumeDifference == -1)
    #expect(summary.secondsPerCase == 0.75)
  }

  @Test func percentilesInterpolateLikeNumPy() {
    #expect(percentile(95, of: [7]) == 7)
    #expect(abs(percentile(95, of: [0, 1, 2, 3]) - 2.85) < 1e-12)
    #expect(percentile(100, of: [0, 1, 5]) == 5)
    #expect(percentile(50, of: [1, 2]) == 1.5)
  }
}
