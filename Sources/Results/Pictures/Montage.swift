import Foundation
import Terminology
import Volumes

/// Slices of one or several volumes side by side, each cut to where something was found, with its number, contours,
/// the patient's directions, a scale bar, the legend and what the picture is.
struct Montage {
  let columns: Int
  let rows: Int
  /// The index of each is the slice's place in its volume.
  let tiles: [PlacedTile]
  let palette: CapturePalette
  private let images: [PlaneImage]
  private let legend: CaptureText.Legend
  /// That it is for research use only, and what is unusual, in lines.
  let notice: [String]
  private let window: GrayWindow
  /// What each row of tiles is of; empty where that goes without saying.
  private let names: [String]
  private let rowHeight: Int
  private let footer: Int

  private static let margin = 8
  private static let size = 13.0
  private static let lineHeight = 18.0
  /// Letters beside, above and below a tile.
  private static let around = (across: 30, above: 17, below: 18)
  private static let letterSize = 12.0
  private static let leastWidth = 300
  /// Longer side of a slice in pixels, as far as voxels are not smaller than pixels.
  private static let longestSide = 280.0

  /// - Parameters:
  ///   - volumes: of one shape, at least one slice of each.
  ///   - across: tiles in a row.
  ///   - window: of all of them.
  ///   - segments: what each label means, with its colour.
  ///   - remarks: what is unusual about the result.
  ///   - names: of the volumes, where each has a row of its own.
  init(
    _ volumes: [ShownSlices], across: Int, window: GrayWindow, segments: [SegmentDescription],
    remarks: [String] = [], names: [String] = []
  ) {
    self.window = window
    self.names = names
    let palette = CapturePalette(segments, of: volumes.map(\.labels))
    self.palette = palette
    images = Self.images(volumes, window)
    let scale = Self.scale(images)
    let geometries = images.map { TileGeometry($0, scale: scale) }
    let width = (geometries.map(\.columns).max() ?? 1) + 2 * Self.around.across
    let above = Self.around.above + (names.isEmpty ? 0 : Int(Self.lineHeight))
    let height = (geometries.map(\.rows).max() ?? 1) + above + Self.around.below
    rowHeight = height
    let places = volumes.flatMap(\.indices)
    tiles = geometries.indices.map { index in
      PlacedTile(
        left: Self.margin + index % across * width + Self.around.across,
        top: Self.margin + index / across * height + above,
        geometry: geometries[index], normal: 0, index: places[index])
    }
    columns = max(across * width, Self.leastWidth) + 2 * Self.margin
    footer = Self.margin + (geometries.count + across - 1) / across * height + 6
    let measuring = Canvas(columns: 1, rows: 1, fill: CaptureText.background)
    let wide = Double(columns - 2 * Self.margin)
    legend = CaptureText.Legend(
      palette.found.map { .init(text: $0.name, color: palette.color($0.value)) },
      size: Self.size, width: wide, isSpread: false, on: measuring)
    let said = (palette.found.isEmpty ? "Nothing found - " : "") + CaptureText.notice
    notice = ([said] + remarks.map { "Unusual: \($0)" }).flatMap {
      CaptureText.lines($0, size: Self.size, width: wide, on: measuring)
    }
    rows =
      footer + 20 + Int(legend.height + Self.lineHeight * Double(notice.count)) + Self.margin
  }

  /// The slices as they are looked at, cut to what has a label in any of them.
  private static func images(_ volumes: [ShownSlices], _ window: GrayWindow) -> [PlaneImage] {
    let found = volumes.filter { $0.labels.labels.contains { $0 != 0 } }
    let boxes = (found.isEmpty ? volumes : found).map {
      VoxelBox(around: $0.labels, margin: 15, least: 60)
    }
    return volumes.flatMap { volume -> [PlaneImage] in
      var box = boxes.reduce(boxes[0]) { $0.union($1) }
      box.slices = 0..<volume.volume.grid.slices
      let voxels = CutVoxels(volume, box, window)
      let view = PlaneView(voxels.grid, normal: 0)
      return box.slices.map { view.image(of: voxels, at: $0) }
    }
  }

  /// Pixels for each mm: no fewer than one for each voxel, as far as a picture can hold them.
  private static func scale(_ images: [PlaneImage]) -> Double {
    let sizes = images.map(TileGeometry.size)
    let largest = max(sizes.flatMap { [$0.width, $0.height] }.max() ?? 1, 1e-3)
    let finest = images.map { min(length($0.across), length($0.down)) }.min() ?? 1
    return min(max(longestSide / largest, 1 / max(finest, 1e-3)), 1000 / largest)
  }

  func draw() -> Canvas {
    let canvas = Canvas(columns: columns, rows: rows, fill: CaptureText.background)
    // Before any text: without a font there are at least the images.
    for (tile, image) in zip(tiles, images) { canvas.draw(image, at: tile, palette) }
    for tile in tiles {
      CaptureText.drawLetters(around: tile, size: Self.letterSize, on: canvas)
      drawNumber(of: tile, on: canvas)
    }
    let (start, end) = (Double(Self.margin), Double(columns - Self.margin))
    for (row, name) in names.enumerated() {
      canvas.text(
        CaptureText.fitted(name, size: Self.size, width: end - start, on: canvas),
        at: (start, Double(Self.margin + row * rowHeight) + Self.size), CaptureText.bright,
        size: Self.size)
    }
    var y = Double(footer)
    canvas.text(
      window.text, at: (start, y + Self.size), CaptureText.bright, size: Self.size)
    CaptureText.drawScaleBar(
      endingAt: (end, y + 8), scale: tiles.first?.geometry.scale ?? 1,
      longest: min((end - start) / 3, Double(tiles.map(\.geometry.columns).max() ?? 1)),
      size: Self.size, on: canvas)
    y += 20
    legend.draw(left: start, top: y, on: canvas)
    y += legend.height + Self.size
    for line in notice {
      canvas.text(line, at: (start, y), CaptureText.warning, size: Self.size)
      y += Self.lineHeight
    }
    return canvas
  }

  /// Which image a tile shows, above its upper left corner and beside the letter there: "image 12", or the number alone
  /// where there is little room.
  private func drawNumber(of tile: PlacedTile, on canvas: Canvas) {
    let letters = canvas.width(of: PatientLetters.text(-tile.geometry.down), size: Self.letterSize)
    let room = Double(tile.geometry.columns) / 2 - letters / 2 - 6
    let number = "\(tile.index + 1)"
    let size = Self.letterSize - 1
    let text = "image \(number)"
    let shown = canvas.width(of: text, size: size) <= room ? text : number
    let left = Double(tile.left) + min(0, room - canvas.width(of: shown, size: size))
    canvas.text(shown, at: (left, Double(tile.top) - 5), CaptureText.dim, size: size)
  }
}

/// Gray levels and labels of a part of the rows and columns of some slices.
private struct CutVoxels: ShownVoxels {
  let grid: VolumeGrid
  let gray: [UInt8]
  let labels: [UInt8]

  init(_ shown: ShownSlices, _ box: VoxelBox, _ window: GrayWindow) {
    let (columns, plane) = (
      shown.volume.grid.columns, shown.volume.grid.columns * shown.volume.grid.rows
    )
    grid = box.grid(in: shown.volume.grid)
    gray = box.slices.flatMap { slice -> [UInt8] in
      switch shown.volume.storage {
      case .int16(let values):
        box.cut(values, from: slice * plane, columns: columns).map { window.level(Float($0)) }
      case .float(let values):
        box.cut(values, from: slice * plane, columns: columns).map(window.level)
      }
    }
    labels = box.slices.flatMap {
      box.cut(shown.labels.labels, from: $0 * plane, columns: columns)
    }
  }

  func point(slice: Int, row: Int, column: Int) -> SIMD3<Double> {
    grid.affine.point([Double(column), Double(row), Double(slice)])
  }
}
