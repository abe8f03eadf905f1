import DICOM
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

@Suite struct ContourMontageTests {
  /// A grid whose pixels are twice as high as wide.
  private let grid = VolumeGrid(
    columns: 20, rows: 10, slices: 30,
    affine: Affine(column: [1, 0, 0], row: [0, 2, 0], slice: [0, 0, 3], origin: [0, 0, 0]))

  private var volume: Volume {
    Volume(grid: grid, voxels: (0..<grid.voxelCount).map { Float($0 % 20) * 10 - 1000 })
  }

  private func labels(_ slices: Range<Int>) -> LabelVolume {
    var labels = LabelVolume(
      grid: grid, labels: [UInt8](repeating: 0, count: grid.voxelCount))
    for slice in slices {
      for row in 3..<7 {
        for column in 5..<15 { labels.labels[(slice * 10 + row) * 20 + column] = 5 }
      }
    }
    return labels
  }

  @Test func slicesWithLabelsAreShownAtMostTwelve() {
    #expect(ContourMontage.chosenSlices(labels(4..<7)) == [4, 5, 6])
    let many = ContourMontage.chosenSlices(labels(3..<27))
    #expect(many == [4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26])
    #expect(ContourMontage.chosenSlices(labels(0..<0)).count == 12)
  }

  /// Two rows of the slices, cut to 15 mm around what is labelled in either.
  @Test func rowsAreCutToTheLabelsOfAll() throws {
    let folder = try TemporaryFolder()
    let path = folder.url.appendingPathComponent("rows.png").path
    var wide = labels(4..<6)
    wide.labels[5 * 200 + 3 * 20 + 18] = 5
    let box = PlaneBox(around: [labels(4..<6), wide], margin: 2)
    #expect(box.cut(volume).grid.rows == 6 && box.cut(volume).grid.columns == 17)
    #expect(box.cut(volume).grid.affine.origin == [3, 4, 0])
    #expect(box.cut(volume).voxels[0] == volume.voxels[2 * 20 + 3])
    #expect(box.cut(wide).labels.count { $0 == 5 } == 81)
    let empty = labels(0..<0)
    #expect(PlaneBox(around: [empty], margin: 2).cut(empty) == empty)
    try ContourMontage.write(
      rows: [(volume, labels(4..<6)), (volume, wide)], segments: PhantomLabels.segments, to: path)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    // 30 slices of 280 pixels in 2 rows; all rows and columns are within 15 mm.
    #expect(Array(bytes[16..<24]) == [0, 0, 0x21, 0x8A, 0, 0, 2, 0x42])
    #expect(throws: SegmentationError.self) {
      try ContourMontage.write(rows: [], segments: PhantomLabels.segments, to: path)
    }
  }

  @Test func theWindowFitsTheSegments() {
    var volume = volume
    volume.voxels[4 * 200] = 30000
    // Columns 5 to 14 are labelled: -950 to -860; that range again on both sides is more
    // than the slices hold, -1000 to -810.
    let window = ContourMontage.grayWindow(volume, labels(4..<7), slices: [4, 5, 6])
    #expect(window == -1000 ... -810)
    volume.voxels = volume.voxels.map { _ in .nan }
    #expect(ContourMontage.grayWindow(volume, labels(4..<7), slices: [4]) == 0...1)
  }

  @Test func pixelsAreSquareInThePatientAndOutlinesColoured() throws {
    let scale = TileScale(grid)
    #expect(scale.columns == scale.rows)
    let folder = try TemporaryFolder()
    let path = folder.url.appendingPathComponent("montage.png").path
    try ContourMontage.write(
      volume, labels: labels(4..<5), segments: PhantomLabels.segments, to: path)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]))
    // Width and height of the PNG header, big endian: one tile between two gaps.
    #expect(Array(bytes[16..<24]) == [0, 0, 1, 36, 0, 0, 1, 36])
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
    #expect(scale.isEdge(labels(4..<5), base: 4 * 200, column: 71, row: 140))
    #expect(!scale.isEdge(labels(4..<5), base: 4 * 200, column: 140, row: 140))
    #expect(scale.label(labels(4..<5), base: 4 * 200, column: 69, row: 140) == 0)
  }

  @Test func otherGridsAreRefused() throws {
    var other = labels(1..<2)
    other.grid.affine.origin.x += 1
    #expect(throws: SegmentationError.self) {
      try ContourMontage.write(volume, labels: other, segments: [], to: "/nowhere.png")
    }
  }
}
