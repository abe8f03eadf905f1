import Foundation
import TestSupport
import Testing
import Volumes

@testable import Segmentation

/// Where structures are to each other, and what is said where they are not.
@Suite struct LabelRelationTests {
  private let names: [UInt8: String] = [1: "Liver", 2: "Spleen"]

  /// Two boxes of 4 × 4 × 4 voxels in a volume of 12 voxels a side, whose first voxel is right, front, bottom.
  ///
  /// - Parameter place: column, row and slice of the first voxel of each.
  private func boxes(_ first: [Int], _ second: [Int], flipped: Bool = false) -> LabelVolume {
    let step: Double = flipped ? -2 : 2
    let grid = VolumeGrid(
      columns: 12, rows: 12, slices: 12,
      affine: Affine(
        column: SIMD3(step, 0, 0), row: SIMD3(0, 2, 0), slice: SIMD3(0, 0, 3),
        origin: SIMD3(0, 0, 0)))
    var volume = LabelVolume(grid: grid, labels: [UInt8](repeating: 0, count: grid.voxelCount))
    for (label, place) in [(UInt8(1), first), (2, second)] {
      for slice in 0..<4 {
        for row in 0..<4 {
          for column in 0..<4 {
            let voxel =
              ((place[2] + slice) * 12 + place[1] + row) * 12 + place[0] + column
            volume.labels[voxel] = label
          }
        }
      }
    }
    return volume
  }

  static let directions: [(LabelRelation.Direction, first: [Int])] = [
    (.rightOf, [0, 4, 4]), (.leftOf, [8, 4, 4]), (.inFrontOf, [4, 0, 4]), (.behind, [4, 8, 4]),
    (.below, [4, 4, 0]), (.above, [4, 4, 8]),
  ]

  @Test(arguments: directions)
  func aDirectionIsThePatients(_ direction: LabelRelation.Direction, first: [Int]) {
    let rule = LabelRelation(label: 1, other: 2, kind: .direction(direction))
    #expect(rule.check(boxes(first, [4, 4, 4]), names: names) == nil)
    let wrong = rule.check(boxes([4, 4, 4], first), names: names)
    #expect(wrong == .misplaced(name: "Liver", due: direction.text, other: "Spleen"))
    // Of a volume that is stored the other way round left and right are where they are in space.
    let isSideways = direction == .leftOf || direction == .rightOf
    let flipped = rule.check(boxes(first, [4, 4, 4], flipped: true), names: names)
    #expect((flipped == nil) == !isSideways)
  }

  @Test func whatIsNotFoundIsNowhere() {
    var labels = boxes([0, 0, 0], [8, 8, 8])
    labels.labels = labels.labels.map { $0 == 2 ? 0 : $0 }
    let rule = LabelRelation(label: 1, other: 2, kind: .direction(.above))
    #expect(rule.check(labels, names: names) == nil)
  }

  @Test func aCavityIsInsideItsWall() {
    // A wall of one voxel around 2 × 2 voxels, open at one side in one of two slices.
    let grid = VolumeGrid(
      columns: 4, rows: 4, slices: 2,
      affine: Affine(
        column: SIMD3(1, 0, 0), row: SIMD3(0, 1, 0), slice: SIMD3(0, 0, 1),
        origin: SIMD3(0, 0, 0)))
    let closed: [UInt8] = [2, 2, 2, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2, 2, 2, 2]
    let open: [UInt8] = [2, 0, 0, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2, 2, 2, 2]
    let labels = LabelVolume(grid: grid, labels: closed + open)
    #expect(
      LabelRelation(label: 1, other: 2, kind: .inside(leastPart: 0.875))
        .check(labels, names: names) == nil)
    #expect(
      LabelRelation(label: 1, other: 2, kind: .inside(leastPart: 0.9)).check(labels, names: names)
        == .notEnclosed(name: "Liver", by: "Spleen", part: 0.875, usual: 0.9))
  }

  @Test func volumesOfPairsAreSimilar() {
    var labels = boxes([0, 0, 0], [8, 8, 8])
    let rule = LabelRelation(label: 1, other: 2, kind: .similar(ratio: 2))
    #expect(rule.check(labels, names: names) == nil)
    var left = 16
    labels.labels = labels.labels.map { label in
      guard label == 1, left > 0 else { return label == 1 ? 0 : label }
      left -= 1
      return 1
    }
    #expect(
      rule.check(labels, names: names)
        == .dissimilar(name: "Spleen", other: "Liver", ratio: 4, usual: 2))
  }

  private static let folder = TestFiles.fixtures.appendingPathComponent("models/untrained-tiny")

  private func bundle(_ relations: String) throws -> ModelBundle {
    let text = try String(
      contentsOf: Self.folder.appendingPathComponent("model.yaml"), encoding: .utf8)
    return try ModelBundle(
      yaml: text + "\nrelations:\n" + relations, file: "model.yaml", directory: Self.folder)
  }

  @Test func aBundleNamesItsRelations() throws {
    let bundle = try bundle(
      """
        - {label: 1, rightOf: 2}
        - {label: 3, inside: 2, leastPart: 0.6}
        - {label: 1, similarTo: 4, ratio: 3}
      """)
    #expect(
      bundle.relations == [
        LabelRelation(label: 1, other: 2, kind: .direction(.rightOf)),
        LabelRelation(label: 3, other: 2, kind: .inside(leastPart: 0.6)),
        LabelRelation(label: 1, other: 4, kind: .similar(ratio: 3)),
      ])
    let found = try bundle.warnings(of: boxes([8, 4, 4], [0, 4, 4]), largestParts: [])
    #expect(
      found == [
        .misplaced(
          name: bundle.labels[0].name, due: "to the patient's right of",
          other: bundle.labels[1].name)
      ])
  }

  @Test(arguments: [
    "  - {label: 1, over: 2}", "  - {label: 1}", "  - {label: 1, above: 1}",
    "  - {label: 1, above: 9}", "  - {label: 1, above: 2, below: 3}",
    "  - {label: 1, inside: 2}", "  - {label: 1, inside: 2, leastPart: 1.5}",
    "  - {label: 1, similarTo: 2, ratio: 0.5}",
  ])
  func aRelationThatSaysNothingIsRefused(_ relation: String) {
    #expect(throws: ModelBundleError.self) { try bundle(relation) }
  }
}
