import TestSupport
import Testing

@testable import Segmentation

@Suite struct LargestComponentsTests {
  @Test(
    arguments: [
      ("each", [[1], [2], [3]], nil), ("joint_then_each", [[1, 2, 3], [1], [2], [3]], nil),
      ("only2", [[2]], nil), ("min_size", [[1], [2], [3]], 40), ("all_none", [[1], [2], [3]], nil),
    ] as [(String, [[UInt8]], Double?)])
  func equalsReference(_ name: String, _ groups: [[UInt8]], _ removeBelow: Double?) throws {
    let golden = try GoldenArrays("postprocess_cc.safetensors")
    let input = try golden["in"]
    var labels = input.values.map { UInt8($0) }
    for group in groups {
      LargestComponents(labels: group, removeBelow: removeBelow)
        .apply(&labels, shape: input.shape, voxelVolume: 1.5)
    }
    #expect(labels == (try golden[name].values.map { UInt8($0) }))
  }

  @Test func equalComponentsAreBothKept() {
    var labels: [UInt8] = [1, 1, 0, 1, 1, 0, 1]
    LargestComponents(labels: [1]).apply(&labels, shape: [1, 1, 7], voxelVolume: 1)
    #expect(labels == [1, 1, 0, 1, 1, 0, 0])
  }
}
