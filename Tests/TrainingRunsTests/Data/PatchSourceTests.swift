import Foundation
import Segmentation
import TestSupport
import Testing
import Training

@testable import TrainingRuns

struct PatchSourceTests {
  private static let preprocessing = Preprocessing(
    orientation: [], spacing: [5, 1.5, 1.5], cropToNonzero: true,
    normalization: [.zscore(insideMask: false)])

  private func phantom() throws -> CaseFolderPhantom {
    let phantom = try CaseFolderPhantom()
    for (index, name) in ["a", "b", "c", "d"].enumerated() {
      try phantom.write(name, shape: [6 + index, 20, 24], seed: index)
    }
    return phantom
  }

  private func cases(
    _ phantom: CaseFolderPhantom, memoryBytes: Int = 1 << 30, folder: URL? = nil
  ) throws -> PreparedCases {
    try PreparedCases(
      phantom.files(), reader: phantom.reader, preprocessing: Self.preprocessing,
      memoryBytes: memoryBytes, folder: folder, threads: 2)
  }

  private func source(
    _ cases: PreparedCases, batch: Int = 3, threads: Int = 2, weights: [Double]? = nil,
    prefetches: Bool = false
  ) -> PatchSource {
    var options = AugmentationOptions.nnUNet(isAnisotropic: true)
    options.thinning = Thinning(probability: 0.5)
    return PatchSource(
      cases, drawing: PatchDrawing(options, patch: [8, 16, 16]), channels: 1, batch: batch, seed: 5,
      threads: threads, weights: weights, prefetches: prefetches)
  }

  @Test func theNumberOfThreadsAndTheBackgroundChangeNothing() throws {
    let phantom = try phantom()
    let cases = try cases(phantom)
    let reference = try (0..<4).map { try source(cases, threads: 1).batch(step: $0) }
    #expect(reference[0].images.count == 3 * 8 * 16 * 16)
    #expect(reference[0].labels.count == 3 * 8 * 16 * 16)
    #expect(Set(reference.map { $0.images[700] }).count == 4)
    for threads in [2, 3] {
      let other = source(cases, threads: threads)
      // Any step alone, in any order.
      for step in [2, 0, 3, 1] { #expect(try other.batch(step: step) == reference[step]) }
    }
    let ahead = source(cases, prefetches: true)
    for step in [0, 1, 3, 2, 3] { #expect(try ahead.batch(step: step) == reference[step]) }
  }

  @Test func memoryAndFolderChangeNothing() throws {
    let phantom = try phantom()
    let all = try cases(phantom)
    #expect(all.heldCount == 4)
    let folder = phantom.folder.url.appendingPathComponent("prepared")
    let stored = try cases(phantom, memoryBytes: 20_000, folder: folder)
    let none = try cases(phantom, memoryBytes: 0)
    #expect(stored.heldCount == 1 && none.heldCount == 0)
    for index in 0..<4 {
      let volume = try all.volume(index)
      #expect(volume.slicesPerPlane == 0.5 && volume.shape == [6 + index, 20, 24])
      #expect(try stored.volume(index) == volume)
      #expect(try none.volume(index) == volume)
    }
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(files.count == 3)
    for file in files {
      let path = folder.appendingPathComponent(file)
      let attributes = try FileManager.default.attributesOfItem(atPath: path.path)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
      try Data("damaged".utf8).write(to: path)
    }
    #expect(try stored.volume(3) == all.volume(3))  // made anew
    #expect(try source(stored).batch(step: 1) == source(all).batch(step: 1))
  }

  @Test func aThirdOfTheSamplesMustShowForeground() throws {
    let source = source(try cases(try phantom()))
    let must = (0..<300).map { source.mustShowForeground(sample: $0) }
    #expect(must.count { $0 } == 100)
    #expect((0..<100).allSatisfy { third in must[3 * third..<3 * third + 3].count { $0 } == 1 })
  }

  @Test func casesOfAStepDifferAndComeByTheirWeights() throws {
    let cases = try cases(try phantom())
    let equal = source(cases, batch: 4)
    #expect((0..<20).allSatisfy { Set(equal.caseNumbers(step: $0)).count == 4 })
    #expect(Set((0..<20).map { equal.caseNumbers(step: $0) }).count > 8)
    let weighted = source(cases, batch: 1, weights: [1, 1, 1, 5])
    let last = (0..<400).count { weighted.caseNumbers(step: $0) == [3] }
    #expect(abs(last - 250) < 50)
    #expect(source(cases, batch: 6).caseNumbers(step: 0).count == 6)
  }

  @Test func everyUnusableCaseIsNamed() throws {
    let phantom = try phantom()
    try Data("text".utf8).write(to: phantom.image("b"))
    try Data("text".utf8).write(to: phantom.label("d"))
    let error = try #require(throws: TrainingDataErrors.self) { try cases(phantom) }
    #expect(error.errors.count == 2)
    #expect(error.description.contains(phantom.image("b").path))
    #expect(error.description.contains(phantom.label("d").path))
  }

  @Test func aLabelThatNoCaseHoldsIsAnError() throws {
    let phantom = try CaseFolderPhantom()
    try phantom.write("a", labels: [1])
    let found = try cases(phantom)
    #expect(found.presentLabels == [1])
    let error = try #require(throws: TrainingDataErrors.self) { try found.checkClasses() }
    #expect(error.errors == [.missingClass(value: 2, label: "Label 2", cases: 1)])
    try phantom.write("b", labels: [2])
    #expect(throws: Never.self) { try cases(phantom).checkClasses() }
  }
}
