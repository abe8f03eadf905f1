import DICOM
import Foundation
import Terminology
import TestSupport
import Testing
import Volumes

@testable import Results

/// The picture for a first look shows each structure, outlined, the right way up and cut to what was found.
@Suite struct ContourMontageTests {
  /// A grid whose pixels are twice as high as wide.
  private let grid = VolumeGrid(
    columns: 20, rows: 10, slices: 30,
    affine: Affine(column: [1, 0, 0], row: [0, 2, 0], slice: [0, 0, 3], origin: [0, 0, 0]))

  private var volume: Volume {
    Volume(grid: grid, voxels: (0..<grid.voxelCount).map { Float($0 % 20) * 10 - 1000 })
  }

  private func empty(_ grid: VolumeGrid) -> LabelVolume {
    LabelVolume(grid: grid, labels: [UInt8](repeating: 0, count: grid.voxelCount))
  }

  private func labels(_ slices: Range<Int>) -> LabelVolume {
    var labels = empty(grid)
    for slice in slices {
      for row in 3..<7 {
        for column in 5..<15 { labels.labels[(slice * 10 + row) * 20 + column] = 5 }
      }
    }
    return labels
  }

  /// Pixels of a tile, from its upper left corner, that have a label's colour.
  private func contour(
    of label: UInt8, in tile: PlacedTile, of montage: Montage, _ canvas: Canvas
  ) -> [(x: Int, y: Int)] {
    let color = montage.palette.color(label)
    return (0..<tile.geometry.rows).flatMap { y in
      (0..<tile.geometry.columns).filter { canvas[tile.left + $0, tile.top + y] == color }
        .map { (x: $0, y: y) }
    }
  }

  @Test func slicesWithLabelsAreShownAtMostTwelve() {
    func chosen(_ labels: LabelVolume) -> [Int] {
      ChosenSlices([labels]).showingEachLabel(atMost: 12)
    }
    #expect(chosen(labels(4..<7)) == [4, 5, 6])
    #expect(chosen(labels(3..<27)) == [4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26])
    #expect(chosen(labels(0..<0)).count == 12)
  }

  /// Also a label in one slice that thinning leaves out, for which another slice goes; more than twelve slices
  /// only where each has a label of its own.
  @Test func eachLabelIsInOneOfTheSlices() {
    var one = labels(3..<27)
    one.labels[7 * 200] = 9
    one.labels[25 * 200] = 8
    let chosen = ChosenSlices([one]).showingEachLabel(atMost: 12)
    #expect(chosen.count == 12 && chosen.contains(7) && chosen.contains(25), "\(chosen)")
    #expect(chosen.first == 4 && chosen.last == 26)
    // Of two volumes the second has what the first lacks.
    let of = ChosenSlices([labels(3..<27), one]).showingEachLabel(atMost: 6)
    #expect(of.count == 6 && of.contains(7) && of.contains(25), "\(of)")
    var many = empty(grid)
    for label in 1...14 { many.labels[2 * label * 200] = UInt8(label) }
    #expect(
      ChosenSlices([many]).showingEachLabel(atMost: 12) == (1...14).map { 2 * $0 })
  }

  /// Thirteen labels, each in a few slices: of each there is a contour.
  @Test func eachLabelHasAContour() throws {
    let segments = PhantomLabels.thirteen
    var labels = empty(grid)
    for value in 1...13 {
      labels.labels[(2 * value * 10 + value % 7 + 1) * 20 + value + 2] = UInt8(value)
      labels.labels[((2 * value + 1) * 10 + value % 7 + 1) * 20 + value + 2] = UInt8(value)
    }
    let montage = try ContourMontage.montage(volume, labels: labels, segments: segments)
    let canvas = montage.draw()
    for value in 1...13 {
      let isShown = montage.tiles.contains { tile in
        !contour(of: UInt8(value), in: tile, of: montage, canvas).isEmpty
      }
      #expect(isShown, "label \(value)")
    }
    #expect(montage.palette.found.map(\.name) == segments.map(\.name))
  }

  /// Of one, three and four voxels each is seen within its contour.
  @Test(arguments: [[(0, 0)], [(0, 0), (1, 0), (2, 0)], [(0, 0), (1, 0), (0, 1), (1, 1)]])
  func smallStructuresAreOutlinedAndNotFilled(_ voxels: [(Int, Int)]) throws {
    let grid = VolumeGrid(
      columns: 200, rows: 200, slices: 3,
      affine: Affine(column: [1, 0, 0], row: [0, 1, 0], slice: [0, 0, 3], origin: [0, 0, 0]))
    var labels = empty(grid)
    for (x, y) in voxels { labels.labels[(200 + 90 + y) * 200 + 110 + x] = 5 }
    let montage = try ContourMontage.montage(
      Volume(grid: grid, voxels: (0..<grid.voxelCount).map { Float($0 % 200) }), labels: labels,
      segments: PhantomLabels.segments)
    #expect(montage.tiles.map(\.index) == [1])
    let tile = montage.tiles[0]
    // Cut to 60 mm around the structure, of 200.
    let side = Double(tile.geometry.columns) / tile.geometry.scale
    #expect(side > 59.5 && side < 65, "\(side)")
    let canvas = montage.draw()
    let outline = contour(of: 5, in: tile, of: montage, canvas)
    #expect(!outline.isEmpty)
    // The first voxel of the structure is 110 - left columns from the tile's edge.
    let left = Int((tile.geometry.origin.x - 0.5 / tile.geometry.scale + 0.5).rounded())
    let top = Int((tile.geometry.origin.y - 0.5 / tile.geometry.scale + 0.5).rounded())
    func isStructure(_ x: Double, _ y: Double) -> Bool {
      voxels.contains {
        Double(110 + $0.0 - left) * tile.geometry.scale < x
          && x < Double(111 + $0.0 - left) * tile.geometry.scale
          && Double(90 + $0.1 - top) * tile.geometry.scale < y
          && y < Double(91 + $0.1 - top) * tile.geometry.scale
      }
    }
    #expect(!outline.contains { isStructure(Double($0.x) + 0.5, Double($0.y) + 0.5) })
    let inside = (0..<tile.geometry.rows).reduce(0) { sum, y in
      sum + (0..<tile.geometry.columns).count { isStructure(Double($0) + 0.5, Double(y) + 0.5) }
    }
    #expect(inside >= 9 * voxels.count, "\(inside)")
    // On all four sides of it.
    let (x, y) = (outline.map(\.x), outline.map(\.y))
    let first = Int((Double(110 - left) * tile.geometry.scale).rounded())
    #expect((x.min() ?? first) < first && (y.min() ?? 0) < (y.max() ?? 0))
    #expect((x.max() ?? 0) >= first + Int(tile.geometry.scale))
  }

  /// However the images are stored, what is in the patient's right front is in the upper left of the picture.
  @Test(arguments: [
    ["1", "0", "0", "0", "1", "0"], ["-1", "0", "0", "0", "-1", "0"],
    ["1", "0", "0", "0", "-1", "0"], ["-1", "0", "0", "0", "1", "0"],
    ["0", "1", "0", "1", "0", "0"], ["0", "-1", "0", "-1", "0", "0"],
  ])
  func imagesAreDrawnTheRightWayUp(_ orientation: [String]) throws {
    var shape = CapturePhantom.shape
    shape.orientation = orientation
    let series = try PhantomSeries(shape)
    let grid = series.stack.sourceGrid
    let middle = grid.affine.point([
      Double(grid.columns - 1) / 2, Double(grid.rows - 1) / 2, Double(grid.slices - 1) / 2,
    ])
    var labels = empty(grid)
    for row in 0..<grid.rows {
      for column in 0..<grid.columns {
        let point = grid.affine.point([Double(column), Double(row), 3])
        let isThere = point.x < middle.x - 3 && point.y < middle.y - 3
        if isThere { labels.labels[(3 * grid.rows + row) * grid.columns + column] = 5 }
      }
    }
    let montage = try ContourMontage.montage(
      labels, of: series.stack, segments: PhantomLabels.segments)
    let tile = montage.tiles[0]
    #expect(PatientLetters.text(-tile.geometry.across) == "R")
    #expect(PatientLetters.text(-tile.geometry.down) == "A")
    let outline = contour(of: 5, in: tile, of: montage, montage.draw())
    try #require(!outline.isEmpty)
    #expect(outline.allSatisfy { 2 * $0.x < tile.geometry.columns })
    #expect(outline.allSatisfy { 2 * $0.y < tile.geometry.rows })
  }

  /// Two rows of the same slices, cut to 15 mm around what is labelled in either.
  @Test func rowsAreCutToTheLabelsOfAll() throws {
    let shape = PhantomSeries.Shape(rows: 240, columns: 200, slices: 5)
    let series = try PhantomSeries(shape)
    let grid = series.stack.sourceGrid
    func labels(_ label: UInt8, _ slices: Range<Int>, columns: Range<Int>) -> LabelVolume {
      var labels = empty(grid)
      for slice in slices {
        for row in 100..<140 {
          for column in columns { labels.labels[(slice * 240 + row) * 200 + column] = label }
        }
      }
      return labels
    }
    let phases = [labels(5, 1..<3, columns: 90..<110), labels(1, 2..<4, columns: 80..<150)]
      .map { (labels: $0, stack: series.stack) }
    let montage = try ContourMontage.montage(phases: phases, segments: PhantomLabels.segments)
    #expect(montage.tiles.map(\.index) == [1, 2, 3, 1, 2, 3])
    #expect(Set(montage.tiles.map(\.geometry.columns)).count == 1)
    // 70 columns of 0.75 mm and 15 mm on both sides of them.
    let width = Double(montage.tiles[0].geometry.columns) / montage.tiles[0].geometry.scale
    #expect(abs(width - (70 * 0.75 + 30)) < 1.5, "\(width)")
    #expect(montage.tiles[3].top > montage.tiles[0].top + montage.tiles[0].geometry.rows)
    let canvas = montage.draw()
    let isThere = montage.tiles.map { tile in
      [UInt8(5), 1].map { !contour(of: $0, in: tile, of: montage, canvas).isEmpty }
    }
    #expect(
      isThere == [
        [true, false], [true, false], [false, false], [false, false], [false, true],
        [false, true],
      ])
    #expect(throws: SegmentationError.self) {
      try ContourMontage.montage(phases: [], segments: PhantomLabels.segments)
    }
  }

  @Test func theWindowFitsTheSegments() {
    var volume = volume
    volume.voxels[4 * 200] = 30000
    let shown = ShownSlices([4, 5, 6], volume, labels(4..<7))
    #expect(shown.labels.grid.slices == 3 && shown.volume.storage.count == 600)
    // Columns 5 to 14 are labelled: -950 to -860; that range again on both sides is more
    // than the slices hold, -1000 to -810.
    #expect(GrayWindow.range(of: shown.volume, shown.labels) == -1000 ... -810)
    volume.voxels = volume.voxels.map { _ in .nan }
    let nothing = ShownSlices([4], volume, labels(4..<7))
    #expect(GrayWindow.range(of: nothing.volume, nothing.labels) == 0...1)
  }

  @Test func pixelsAreSquareInThePatientAndTheFileIsOurs() throws {
    let folder = try TemporaryFolder()
    let path = folder.url.appendingPathComponent("montage.png").path
    let montage = try ContourMontage.montage(
      volume, labels: labels(4..<5), segments: PhantomLabels.segments)
    // 20 columns of 1 mm and 10 rows of 2 mm.
    #expect(montage.tiles.map(\.geometry.columns) == montage.tiles.map(\.geometry.rows))
    try ContourMontage.write(
      volume, labels: labels(4..<5), segments: PhantomLabels.segments, to: path)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]))
    // Width and height of the PNG header, big endian.
    let size = bytes[16..<24].map { Int($0) }
    #expect(size[2] << 8 | size[3] == montage.columns && size[6] << 8 | size[7] == montage.rows)
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
  }

  /// Each tile has the number of its image above it, and each row the name of its phase, where there is one: in
  /// lines that are there for it.
  @Test func tilesAndRowsAreNamed() throws {
    let series = try PhantomSeries(.init(rows: 60, columns: 60, slices: 5))
    let grid = series.stack.sourceGrid
    var labels = empty(grid)
    for voxel in 0..<3600 where (21..<40).contains(voxel % 60) {
      labels.labels[2 * 3600 + voxel] = 5
    }
    let phases = [(labels: labels, stack: series.stack), (labels: labels, stack: series.stack)]
    let plain = try ContourMontage.montage(phases: phases, segments: PhantomLabels.segments)
    let named = try ContourMontage.montage(
      phases: phases, names: ["end-diastole", "end-systole"], segments: PhantomLabels.segments)
    #expect(named.rows == plain.rows + 2 * 18 && named.tiles.map(\.index) == [2, 2])
    let canvas = named.draw()
    func isDrawn(_ columns: Range<Int>, _ rows: Range<Int>) -> Bool {
      rows.contains { y in columns.contains { x in (canvas[x, y]?.red ?? 0) > 80 } }
    }
    for tile in named.tiles {
      // Left of the letter in the middle, and in the line above that.
      #expect(isDrawn(tile.left..<tile.left + 40, tile.top - 15..<tile.top - 4))
      #expect(isDrawn(8..<70, tile.top - 35..<tile.top - 18))
      #expect(!isDrawn(tile.left + 200..<tile.left + 230, tile.top - 35..<tile.top - 18))
    }
  }

  /// In as many lines as it takes, below the legend.
  @Test func whatIsUnusualIsSaid() throws {
    func montage(_ remarks: [String]) throws -> Montage {
      try ContourMontage.montage(
        volume, labels: labels(4..<5), segments: PhantomLabels.segments, remarks: remarks)
    }
    let remarks = [
      "Spleen was not found", String(repeating: "something is too large ", count: 9),
    ]
    let (plain, suspect) = (try montage([]), try montage(remarks))
    #expect(plain.notice.joined(separator: " ") == CaptureText.notice)
    let said = suspect.notice.joined(separator: " ")
    #expect(said.contains("Unusual: Spleen was not found Unusual: something"), "\(said)")
    #expect(said.components(separatedBy: "too large").count == 10, "\(said)")
    #expect(suspect.rows - plain.rows == 18 * (suspect.notice.count - plain.notice.count))
    // The words are drawn: there is something of the colour of warnings in the last line.
    let canvas = suspect.draw()
    let isDrawn = (suspect.rows - 26..<suspect.rows).contains { row in
      (0..<suspect.columns).contains { column in
        guard let color = canvas[column, row] else { return false }
        return color.red > 100 && Int(color.red) > Int(color.blue) + 30
      }
    }
    #expect(isDrawn)
  }

  /// Nothing found: all of the images, and no contour in them.
  @Test func withoutLabelsAllIsShown() throws {
    let montage = try ContourMontage.montage(
      volume, labels: empty(grid), segments: PhantomLabels.segments)
    #expect(montage.tiles.count == 12 && montage.palette.found.isEmpty)
    let canvas = montage.draw()
    for tile in montage.tiles {
      let isGray = (0..<tile.geometry.rows).allSatisfy { y in
        (0..<tile.geometry.columns).allSatisfy { x in
          guard let color = canvas[tile.left + x, tile.top + y] else { return false }
          return color.red == color.green && color.green == color.blue
        }
      }
      #expect(isGray, "slice \(tile.index)")
    }
  }

  @Test func otherGridsAreRefused() throws {
    var other = labels(1..<2)
    other.grid.affine.origin.x += 1
    #expect(throws: SegmentationError.self) {
      try ContourMontage.write(volume, labels: other, segments: [], to: "/nowhere.png")
    }
    let series = try PhantomSeries()
    #expect(throws: SegmentationError.self) {
      try ContourMontage.write(other, of: series.stack, segments: [], to: "/nowhere.png")
    }
  }
}
