import Foundation
import Segmentation
import TestSupport
import Testing
import Training

@testable import TrainingRuns

struct DerivedPlanTests {
  private func fingerprint(
    _ cases: [(spacing: [Double], shape: [Int])], boxShare: Double = 1
  ) -> DataFingerprint {
    DataFingerprint(
      cases: cases.enumerated().map {
        .init(
          name: "\($0)", spacing: $1.spacing, shape: $1.shape, boxShare: boxShare, labels: [1])
      },
      intensities: [.init(mean: 80, sd: 140, median: 90, lower: -900, upper: 300)])
  }

  @Test func stacksOfThickSlicesGetTheTenthPercentile() throws {
    // As ACDC: most cases 10 mm apart, some 5.
    let cases =
      (0..<17).map { _ in (spacing: [10, 1.5, 1.5], shape: [10, 240, 210]) }
      + (0..<3).map { _ in (spacing: [5, 1.25, 1.25], shape: [15, 240, 210]) }
    let plan = try DerivedPlan(
      fingerprint(cases), .init(modalities: ["MR"], channels: 1, classes: 4))
    #expect(plan.preprocessing.spacing == [5, 1.5, 1.5])
    #expect(plan.preprocessing.normalization == [.zscore(insideMask: false)])
    #expect(plan.network.blocks == .acdc && plan.network.stem == [1, 4, 4])
    #expect(plan.network.patch == [16, 192, 160])
    #expect(throws: Never.self) { try plan.network.validate() }
  }

  @Test func thePublishedSpacingOfACDCIsFoundAgain() throws {
    // Spacings and shapes as ACDC has them: nnU-Net's plan, and the paper's, has 6.35 × 1.52 × 1.52 mm.
    let thick = (spacing: [10, 1.5234, 1.5234], shape: [9, 256, 216])
    let middle = (spacing: [6.5, 1.5234, 1.5234], shape: [12, 256, 216])
    let thin = (spacing: [5, 1.5234, 1.5234], shape: [16, 256, 216])
    let cases =
      [(spacing: [Double], shape: [Int])](repeating: thick, count: 80) + [middle]
      + [(spacing: [Double], shape: [Int])](repeating: thin, count: 9)
    let plan = try DerivedPlan(
      fingerprint(cases), .init(modalities: ["MR"], channels: 1, classes: 4))
    #expect(abs(plan.preprocessing.spacing[0] - 6.35) < 1e-9)
    #expect(plan.network.patch == [16, 192, 160])
  }

  @Test func isotropicCTIsClippedToItsPercentiles() throws {
    let plan = try DerivedPlan(
      fingerprint([([1, 0.9, 0.9], [200, 300, 300]), ([1, 0.9, 0.9], [220, 320, 320])]),
      .init(modalities: ["CT"], channels: 1, classes: 3, depth: 3))
    #expect(
      plan.preprocessing.normalization == [.ct(lower: -900, upper: 300, mean: 80, sd: 140)])
    #expect(plan.network.blocks == .synapse && plan.network.stem == [4, 4, 4])
    #expect(plan.network.patch.reduce(1, *) <= 1 << 19)
    #expect(plan.network.patch.allSatisfy { $0 % 32 == 0 })
    // Of each axis about the same part is seen.
    #expect(plan.network.patch == [64, 96, 64] || plan.network.patch == [64, 64, 96])
    #expect(plan.network.depths == [3, 3, 3, 3])
    #expect(throws: Never.self) { try plan.network.validate() }
  }

  @Test func theThickestAxisComesFirst() throws {
    let plan = try DerivedPlan(
      fingerprint([([0.8, 3, 0.8], [256, 60, 256])], boxShare: 0.5),
      .init(modalities: ["MR"], channels: 2, classes: 2))
    #expect(plan.preprocessing.transpose == [1, 0, 2])
    #expect(plan.preprocessing.spacing == [3, 0.8, 0.8])
    #expect(
      plan.preprocessing.normalization
        == [.zscore(insideMask: true), .zscore(insideMask: true)])
  }

  @Test func smallVolumesGetASmallStem() throws {
    // As the hippocampus of the Decathlon.
    let plan = try DerivedPlan(
      fingerprint([([1, 1, 1], [36, 50, 35])]), .init(modalities: ["MR"], channels: 1, classes: 3))
    #expect(plan.network.stem == [2, 2, 2])
    #expect(plan.network.patch == [48, 64, 48])
    #expect(plan.network.projections == [64, 64, 64, 32])
    #expect(throws: Never.self) { try plan.network.validate() }
  }

  @Test func thePatchIsReducedUntilItsTrainingFits() throws {
    let fingerprint = fingerprint([([1, 1, 1], [36, 50, 35])])
    var request = DerivedPlan.Request(modalities: ["MR"], channels: 1, classes: 3)
    func bytes(_ patch: [Int]) throws -> Int {
      var network = try DerivedPlan(fingerprint, request).network
      network.patch = patch
      return try TrainableNetwork.bytes(
        description: network, batch: 2, threads: 2, deepSupervision: true)
    }
    let limit = try bytes([32, 48, 32])
    request.memory = .init(bytes: limit, batch: 2, threads: 2)
    let plan = try DerivedPlan(fingerprint, request)
    #expect(plan.network.patch == [32, 48, 32])
    request.memory = .init(bytes: 1, batch: 2, threads: 2)
    #expect(try DerivedPlan(fingerprint, request).network.patch == [16, 16, 16])
  }

  @Test func aStatedPreprocessingIsKeptAndGivesTheNetworkItsShape() throws {
    let stated = Preprocessing(
      orientation: [.superior, .anterior, .right], spacing: [2, 2, 2], cropToNonzero: false,
      normalization: [.zscore(insideMask: true)])
    let plan = try DerivedPlan(
      fingerprint([([1, 1, 1], [128, 256, 192])]),
      .init(modalities: ["MR"], channels: 1, classes: 3, preprocessing: stated))
    #expect(plan.preprocessing == stated)
    #expect(plan.network.patch == [64, 96, 64] || plan.network.patch == [64, 64, 96])
    let whole = try DerivedPlan(
      fingerprint([([1, 1, 1], [128, 256, 192])]),
      .init(
        modalities: ["MR"], channels: 1, classes: 3, preprocessing: stated, patchVoxels: 1 << 22))
    #expect(whole.network.patch == [64, 128, 96])  // half the voxels along each axis
  }

  @Test func aFingerprintIsMeasuredOnCases() throws {
    let phantom = try CaseFolderPhantom()
    try phantom.write("a")
    var measurement = FingerprintMeasurement(orientation: [])
    let item = try phantom.reader.read(try phantom.files()[0])
    try measurement.add(item)
    let found = measurement.fingerprint
    #expect(found.cases.count == 1)
    #expect(found.cases[0].shape == [6, 20, 24] && found.cases[0].boxShare == 1)
    #expect(found.cases[0].labels == [1, 2])
    let labelled = zip(item.channels[0].voxels, item.labels.labels).filter { $0.1 != 0 }
      .map { Double($0.0) }
    let mean = labelled.reduce(0, +) / Double(labelled.count)
    #expect(abs(found.intensities[0].mean - mean) < 1e-3)
    #expect(found.intensities[0].lower >= labelled.min()!)
    #expect(found.intensities[0].upper <= labelled.max()!)
    #expect(percentile([0.0, 1, 2, 3], 0.5) == 1.5)
    #expect(throws: TrainingDataErrors.self) {
      try DerivedPlan(
        FingerprintMeasurement(orientation: []).fingerprint,
        .init(modalities: [], channels: 1, classes: 2))
    }
  }
}
