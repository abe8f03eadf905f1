import TestSupport
import Testing
import Volumes

@testable import Segmentation

/// Voxels along z, y, x with the array's axes along the patient's (z to the head, y to the
/// posterior, x to the left).
func uprightGrid(shape: [Int], spacing: [Double]) -> VolumeGrid {
  VolumeGrid(
    columns: shape[2], rows: shape[1], slices: shape[0],
    affine: Affine(
      column: [spacing[2], 0, 0], row: [0, spacing[1], 0], slice: [0, 0, spacing[0]],
      origin: [-10, 20, 30]))
}

@Suite struct PreprocessingTests {
  private struct Case: Decodable {
    var spacing: [Double]
    var targetSpacing: [Double]
    var box: [[Int]]
    var newShape: [Int]

    private enum CodingKeys: String, CodingKey {
      case spacing = "orig_spacing"
      case targetSpacing = "target_spacing"
      case box = "crop_bbox"
      case newShape = "out_shape"
    }
  }

  private static let ct = Normalization.ct(
    lower: -958, upper: 326, mean: 82.95177, sd: 136.94818)

  @Test(arguments: [
    ("ct", ct), ("mr_nomask", .zscore(insideMask: false)),
    ("mr4_mask", .zscore(insideMask: true)), ("mr4_mask_resampled", .zscore(insideMask: true)),
  ])
  func equalsReference(_ name: String, _ scheme: Normalization) throws {
    let item = try #require(
      try goldenJSON("pre_normalise.json", as: [String: Case].self)[name])
    let golden = try GoldenArrays("pre_normalise.safetensors")
    let raw = try golden["\(name).raw"]
    let channels = raw.shape[0]
    let count = raw.values.count / channels
    let grid = uprightGrid(shape: Array(raw.shape[1...]), spacing: item.spacing)
    let preprocessing = Preprocessing(
      orientation: [.superior, .posterior, .left], spacing: item.targetSpacing,
      cropToNonzero: true, normalization: Array(repeating: scheme, count: channels))
    let image = try preprocessing.apply(
      (0..<channels).map {
        Volume(grid: grid, voxels: Array(raw.values[$0 * count..<($0 + 1) * count]))
      })
    #expect(image.plan.box == item.box.map { $0[0]..<$0[1] })
    #expect(image.shape == Array(item.newShape[1...]))
    #expect(largestDifference(image.values, try golden["\(name).out"].values) <= 2e-5)

    let inside = try golden["\(name).nonzero_seg"].values.map { $0 == 0 }
    let views = (0..<channels).map {
      VoxelView(
        .float(Array(raw.values[$0 * count..<($0 + 1) * count])), shape: Array(raw.shape[1...])
      ).cropped(to: image.plan.box)
    }
    #expect(NonzeroMask(filling: views).isInside == inside)
  }

  @Test func maskFillsClosedHolesOnly() {
    // A cube with a closed hole, then with a way from it to the border.
    var values = [Float](repeating: 0, count: 125)
    for index in 0..<125 {
      let (z, y, x) = (index / 25, index / 5 % 5, index % 5)
      if (1...3).contains(z), (1...3).contains(y), (1...3).contains(x) { values[index] = 1 }
    }
    values[62] = 0
    func view() -> VoxelView { VoxelView(.float(values), shape: [5, 5, 5]) }
    let closed = NonzeroMask(filling: [view()])
    #expect(closed.isInside[62] && !closed.isInside[64])
    let box = NonzeroMask.boundingBox([view()])
    #expect(box == [1..<4, 1..<4, 1..<4])
    // Nothing is lost in the bounding box alone.
    let within = NonzeroMask(filling: [view().cropped(to: [1..<4, 1..<4, 1..<4])])
    #expect(within.isInside.allSatisfy { $0 })
    values[63] = 0
    let open = NonzeroMask(filling: [view()])
    #expect(!open.isInside[62] && !open.isInside[63])
    #expect(NonzeroMask.boundingBox([VoxelView(.float([0, 0]), shape: [1, 1, 2])]) == nil)
  }
}
