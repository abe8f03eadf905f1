import TestSupport
import Testing
import Volumes

@testable import Segmentation

@Suite struct SegmentationTests {
  /// Oblique axes that grow to the right, the head and the anterior.
  private let grid = VolumeGrid(
    columns: 21, rows: 18, slices: 12,
    affine: Affine(
      column: [-1.9, 0.1, 0.2], row: [0.1, 0.2, 2.1], slice: [0.3, -2.9, 0.1],
      origin: [10, 20, 30]))

  private func bundle() throws -> ModelBundle {
    var bundle = try untrainedBundle()
    bundle.preprocessing.normalization = [.ct(lower: 0, upper: 1000, mean: 0, sd: 100)]
    return bundle
  }

  /// Values in steps of 100 in blocks, surrounded by zeros that are cropped.
  private func volume() -> Volume {
    var voxels = [Float](repeating: 0, count: grid.voxelCount)
    for index in voxels.indices {
      let (z, y, x) = (index / (18 * 21), index / 21 % 18, index % 21)
      guard (2..<11).contains(z), (3..<18).contains(y), (1..<19).contains(x) else { continue }
      voxels[index] = Float(1 + (z / 4 + y / 6 + x / 7) % 4) * 100
    }
    return Volume(grid: grid, voxels: voxels)
  }

  /// Marks class k where the intensity is k hundred.
  private func classify(
    _ input: UnsafeBufferPointer<Float>, _ logits: UnsafeMutableBufferPointer<Float>
  ) {
    for voxel in input.indices {
      for index in 0..<5 {
        let distance = input[voxel] - Float(index)
        logits[index * input.count + voxel] = -10 * distance * distance
      }
    }
  }

  @Test(
    arguments: [
      [.superior, .posterior, .left], [.right, .inferior, .anterior],
      [.anterior, .superior, .right],
    ] as [[PatientDirection]])
  func labelsReturnToTheVoxelsTheyBelongTo(_ orientation: [PatientDirection]) throws {
    var bundle = try bundle()
    bundle.preprocessing.orientation = orientation
    // The grid's own spacing in the model's orientation: nothing is interpolated.
    let turned = try #require(Reorientation(of: grid, to: orientation)).apply(grid)
    bundle.preprocessing.spacing = turned.spacing
    let volume = volume()
    let labels = try segmentation(
      of: { [volume] }, bundle: bundle, progress: { _ in }, forward: classify)
    #expect(labels.grid == grid)
    #expect(labels.labels == volume.voxels.map { UInt8($0 / 100) })
  }

  @Test func progressIsReported() async throws {
    var reports: [SegmentationProgress] = []
    var bundle = try bundle()
    bundle.preprocessing.spacing = [1, 1, 1]
    _ = try segmentation(
      of: { [volume()] }, bundle: bundle, progress: { reports.append($0) }, forward: classify)
    let total = try #require(reports.last?.patchesTotal)
    #expect(total > 1)
    #expect(reports.map(\.patchesDone) == Array(1...total))
    #expect(reports.last?.remaining == .zero)
    #expect(reports.allSatisfy { $0.patchesPerSecond > 0 })
  }

  @Test func isCancelledBetweenPatches() async throws {
    let task = Task {
      var bundle = try bundle()
      bundle.preprocessing.spacing = [1, 1, 1]
      var patches = 0
      do {
        _ = try segmentation(of: { [volume()] }, bundle: bundle) { progress in
          if progress.patchesDone == 2 { withUnsafeCurrentTask { $0?.cancel() } }
        } forward: { input, logits in
          patches += 1
          classify(input, logits)
        }
        return -1
      } catch is CancellationError { return patches }
    }
    #expect(try await task.value == 2)
  }

  @Test func unfitInputIsRefused() throws {
    let bundle = try bundle()
    func refusal(_ channels: [Volume], _ bundle: ModelBundle) -> InputRefusal? {
      do {
        _ = try segmentation(
          of: { channels }, bundle: bundle, progress: { _ in }, forward: classify)
        return nil
      } catch { return error as? InputRefusal }
    }
    #expect(refusal([], bundle) == .channelCount(found: 0, expected: 1))
    var spoiled = volume()
    spoiled.voxels[7] = .nan
    #expect(refusal([spoiled], bundle) == .notFinite(channel: 0))
    spoiled.voxels = spoiled.voxels.map { _ in -1024 }
    #expect(refusal([spoiled], bundle) == .constant(channel: 0, value: -1024))
    spoiled.voxels.removeLast()
    #expect(
      refusal([spoiled], bundle)
        == .voxelCount(channel: 0, found: grid.voxelCount - 1, expected: grid.voxelCount))
    var narrow = bundle
    narrow.input.spacing.max = [2, 2, 2]
    guard case .spacing(axis: 0, _, _, 2) = refusal([volume()], narrow) else {
      Issue.record("spacing was taken")
      return
    }
    narrow = bundle
    narrow.input.extent.min = [1, 1, 100]
    guard case .extent(axis: 2, _, 100, _) = refusal([volume()], narrow) else {
      Issue.record("extent was taken")
      return
    }
  }

  @Test func statedModalityAndBodyPartAreChecked() throws {
    var input = try bundle().input
    #expect(throws: InputRefusal.self) { try input.check(modality: "MR", bodyPart: nil) }
    try input.check(modality: "CT", bodyPart: "ABDOMEN")
    input.bodyParts = ["CHEST"]
    #expect(throws: InputRefusal.self) { try input.check(modality: "CT", bodyPart: "ABDOMEN") }
    try input.check(modality: "CT", bodyPart: "")
  }
}
