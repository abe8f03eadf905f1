import TestSupport
import Testing
import Volumes

@testable import Segmentation

struct PreparedCaseTests {
  private func grid(_ shape: [Int], _ spacing: [Double]) -> VolumeGrid {
    VolumeGrid(
      columns: shape[2], rows: shape[1], slices: shape[0],
      affine: Affine(
        column: [spacing[2], 0, 0], row: [0, spacing[1], 0], slice: [0, 0, spacing[0]],
        origin: [0, 0, 0]))
  }

  private func image(_ grid: VolumeGrid) -> Volume {
    Volume(
      grid: grid,
      voxels: (0..<grid.voxelCount).map { index in
        let x = index % grid.columns
        return x < 2 ? 0 : Float((index * 7919) % 101 + 3)  // columns of zeros are cropped
      })
  }

  /// A block of label 1 next to one of label 2.
  private func labels(_ grid: VolumeGrid) -> LabelVolume {
    LabelVolume(
      grid: grid,
      labels: (0..<grid.voxelCount).map { index in
        let (x, y) = (index % grid.columns, index / grid.columns % grid.rows)
        guard (2..<6).contains(y) else { return 0 }
        return (4..<8).contains(x) ? 1 : (8..<11).contains(x) ? 2 : 0
      })
  }

  @Test func anImageIsMadeReadyAsInferenceMakesIt() throws {
    let grid = grid([7, 9, 13], [2, 1.5, 1.5])
    let preprocessing = Preprocessing(
      orientation: [.inferior, .anterior, .left], transpose: [2, 0, 1], spacing: [1.2, 1.7, 1.1],
      cropToNonzero: true, normalization: [.zscore(insideMask: true)])
    let prepared = try preprocessing.prepare([image(grid)], labels: labels(grid))
    let inference = try preprocessing.apply([image(grid)])
    #expect(prepared.shape == inference.shape)
    #expect(prepared.image == inference.values)
    #expect(prepared.slicesPerPlane == nil)
    #expect(prepared.labels.count == prepared.image.count)
  }

  @Test func slicesThatInferenceRepeatsAreKeptOnce() throws {
    let grid = grid([5, 9, 13], [10, 1.5, 1.5])
    let preprocessing = Preprocessing(
      orientation: [], spacing: [5, 1, 1], cropToNonzero: true,
      normalization: [.zscore(insideMask: false)])
    let prepared = try preprocessing.prepare([image(grid)], labels: labels(grid))
    let inference = try preprocessing.apply([image(grid)])
    #expect(prepared.slicesPerPlane == 0.5)
    #expect(prepared.shape == [5, inference.shape[1], inference.shape[2]])
    #expect(inference.shape[0] == 10)
    let plane = prepared.shape[1] * prepared.shape[2]
    var repeated: [Float] = []
    for z in 0..<10 { repeated += prepared.image[z / 2 * plane..<(z / 2 + 1) * plane] }
    #expect(largestDifference(repeated, inference.values) < 1e-5)
  }

  @Test func labelsFollowTheImageAndFillHalfOfAVoxelOrMore() throws {
    let grid = grid([3, 9, 13], [1, 1, 1])
    func prepared(_ spacing: [Double], crop: Bool = false) throws -> PreparedCase {
      try Preprocessing(
        orientation: [], spacing: spacing, cropToNonzero: crop,
        normalization: [.zscore(insideMask: false)]
      ).prepare([image(grid)], labels: labels(grid))
    }
    #expect(try prepared([1, 1, 1]).labels == labels(grid).labels)
    let cropped = try prepared([1, 1, 1], crop: true)
    #expect(cropped.shape == [3, 9, 11])
    #expect(Array(cropped.labels[2 * 11..<3 * 11]) == [0, 0, 1, 1, 1, 1, 2, 2, 2, 0, 0])
    // Twice the voxels along x: each is in the voxel that it halves.
    let fine = try prepared([1, 1, 0.5])
    #expect(fine.shape == [3, 9, 26])
    let row = Array(fine.labels[2 * 26..<3 * 26])
    let coarse = labels(grid).labels[2 * 13..<3 * 13]
    #expect(row == coarse.flatMap { [$0, $0] })
  }
}
