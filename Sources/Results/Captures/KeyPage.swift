import Foundation
import Terminology
import Volumes

/// One picture that shows a result at a glance: three planes through what was found, further images until each
/// structure was shown, and the structures with their volumes.
struct KeyPage: Sendable {
  /// What is in the picture, top down.
  struct Content: Sendable {
    var title: String
    var warnings: [String]
    /// By the name of the segment.
    var millilitres: [String: Double]
  }

  let columns: Int
  private(set) var rows = 0
  private(set) var tiles: [PlacedTile] = []
  /// The rows in which the text is that the picture is for research.
  let noticeRows = 0..<32
  let volume: CaptureVolume
  private let palette: CapturePalette
  private let content: Content
  private let legend: CaptureText.Legend
  /// Lines that say what is unusual.
  let warnings: [String]
  private var legendTop = 0.0

  private static let margin = 20
  private static let size = 14.0
  /// Around a tile: letters on all sides, below also its place and scale bar.
  private static let around = (left: 30, top: 24, right: 30, bottom: 62)

  init(_ volume: CaptureVolume, _ palette: CapturePalette, _ content: Content) {
    self.volume = volume
    self.palette = palette
    self.content = content
    let planes = ChosenPlanes(volume)
    let rows = [(planes.middle, 350), (planes.further, 230)].filter { !$0.0.isEmpty }
      .map { Row($0.0, side: Double($0.1), of: volume) }
    columns = min(max(rows.map(\.width).max() ?? 0, 900), 1700) + 2 * Self.margin
    let measuring = Canvas(columns: 1, rows: 1, fill: CaptureText.background)
    let width = Double(columns - 2 * Self.margin)
    legend = CaptureText.Legend(
      palette.found.map { segment in
        let volume = content.millilitres[segment.name].map { String(format: "  %.2f ml", $0) }
        return .init(text: segment.name + (volume ?? ""), color: palette.color(segment.value))
      }, size: 15, width: width, on: measuring)
    warnings = content.warnings.flatMap {
      CaptureText.lines("Unusual: \($0)", size: Self.size, width: width, on: measuring)
    }
    var top = 40
    for row in rows { top = place(row, top: top) }
    legendTop = Double(top) + 4
    let below = legend.height + (palette.found.isEmpty ? 24 : 0) + Double(warnings.count) * 19
    self.rows = Int(legendTop + below) + 40
  }

  /// Planes side by side, all in one scale.
  private struct Row {
    let planes: [(normal: Int, index: Int)]
    let images: [PlaneImage]
    /// Pixels for each mm.
    let scale: Double

    init(_ planes: [(normal: Int, index: Int)], side: Double, of volume: CaptureVolume) {
      self.planes = planes
      images = planes.map { plane in
        PlaneView(volume.grid, normal: plane.normal).image(of: volume, at: plane.index)
      }
      let sizes = images.map(TileGeometry.size)
      let largest = max(sizes.flatMap { [$0.width, $0.height] }.max() ?? 1, 1e-3)
      let finest = images.map { min(length($0.across), length($0.down)) }.min() ?? 1
      // No smaller than a pixel for each voxel, as far as that is of any use.
      scale = min(max(side / largest, 1 / max(finest, 1e-3)), 1500 / largest)
    }

    var width: Int {
      images.map { KeyPage.width(TileGeometry($0, scale: scale)) }.reduce(0, +)
    }
  }

  /// Of a tile with what is around it.
  private static func width(_ geometry: TileGeometry) -> Int {
    max(geometry.columns, 200) + around.left + around.right
  }

  /// Places tiles side by side, and below each other where they are many.
  ///
  /// - Returns: the first row below them.
  private mutating func place(_ row: Row, top: Int) -> Int {
    var (left, top, height) = (Self.margin, top, 0)
    for (plane, image) in zip(row.planes, row.images) {
      let geometry = TileGeometry(image, scale: row.scale)
      let width = Self.width(geometry)
      if left > Self.margin, left + width > columns - Self.margin {
        (left, top, height) = (Self.margin, top + height, 0)
      }
      let inset = (width - Self.around.left - Self.around.right - geometry.columns) / 2
      tiles.append(
        PlacedTile(
          left: left + Self.around.left + inset, top: top + Self.around.top, geometry: geometry,
          normal: plane.normal,
          index: plane.index + volume.box.first(along: plane.normal)))
      left += width
      height = max(height, geometry.rows + Self.around.top + Self.around.bottom)
    }
    return top + height
  }

  func draw() -> Canvas {
    let canvas = Canvas(columns: columns, rows: rows, fill: CaptureText.background)
    let (start, end) = (Double(Self.margin), Double(columns - Self.margin))
    let notice = canvas.width(of: CaptureText.notice, size: 16)
    canvas.text(
      CaptureText.fitted(
        content.title, size: 16, width: end - start - notice - 30, on: canvas),
      at: (start, 25), CaptureText.bright, size: 16)
    canvas.text(CaptureText.notice, at: (end, 25), CaptureText.warning, size: 16, .right)
    for tile in tiles { draw(tile, on: canvas) }
    var y = legendTop
    if palette.found.isEmpty {
      canvas.text("Nothing found", at: (start, y + 15), CaptureText.bright, size: 16)
      y += 24
    }
    legend.draw(left: start, top: y, on: canvas)
    y += legend.height + Self.size
    for line in warnings {
      canvas.text(line, at: (start, y), CaptureText.warning, size: Self.size)
      y += 19
    }
    canvas.text(
      "\(volume.window.text), volumes in ml as segmented", at: (start, Double(rows) - 12),
      CaptureText.dim, size: Self.size)
    return canvas
  }

  private func draw(_ tile: PlacedTile, on canvas: Canvas) {
    let image = PlaneView(volume.grid, normal: tile.normal)
      .image(of: volume, at: tile.index - volume.box.first(along: tile.normal))
    canvas.draw(image, at: tile, palette)
    CaptureText.drawLetters(around: tile, size: 15, on: canvas)
    let geometry = tile.geometry
    let middle = Double(tile.left) + Double(geometry.columns) / 2
    let below = Double(tile.top + geometry.rows)
    let width = Double(max(geometry.columns, 200))
    let place = PatientLetters.place(geometry.middle, normal: geometry.normal)
    let name = tile.normal == 0 ? "image \(tile.index + 1), \(place)" : place
    canvas.text(
      CaptureText.fitted(name, size: 13, width: width + 40, on: canvas),
      at: (middle, below + 34), CaptureText.bright, size: 13, .center)
    CaptureText.drawScaleBar(
      endingAt: (middle + width / 2, below + 48), scale: geometry.scale, longest: width / 2,
      size: 12, on: canvas)
  }
}

/// The planes of a page, by array axis and their place in the box.
private struct ChosenPlanes {
  /// One along each axis.
  var middle: [(normal: Int, index: Int)] = []
  /// Images with what the first ones do not show.
  var further: [(normal: Int, index: Int)] = []

  init(_ volume: CaptureVolume) {
    let shape = volume.grid.shape
    let areas = Self.areas(volume)
    // Planes across the images are of no use in a thin stack, and not where slices are at uneven steps.
    let thickness = Double(shape[0]) * volume.grid.affine.stepAlongNormal
    let hasPlanesAcross = shape[0] >= 3 && thickness >= 8 && volume.stack.sliceIndices == nil
    let normals = hasPlanesAcross ? [0, 1, 2] : [0]
    for normal in normals {
      let largest = (0..<256).map { label in areas[normal].map { $0[label] }.max() ?? 0 }
      let labels = (1..<256).filter { largest[$0] > 0 }
      func score(_ index: Int) -> Double {
        labels.reduce(0.0) { sum, label in
          let share = Double(areas[normal][index][label]) / Double(largest[label])
          return sum + share + (share > 0 ? 0.5 : 0)
        }
      }
      var best = (shape[normal] / 2, 0.0)
      for index in 0..<shape[normal] {
        let score = score(index)
        if score > best.1 { best = (index, score) }
      }
      middle.append((normal, best.0))
    }
    var missing = Set((1..<256).filter { label in areas[0].contains { $0[label] > 0 } })
    for plane in middle {
      missing = missing.filter { areas[plane.normal][plane.index][$0] == 0 }
    }
    while let first = missing.min() {
      let best = areas[0].indices.max { a, b in
        let count = { (index: Int) in
          (missing.count { areas[0][index][$0] > 0 }, areas[0][index][first])
        }
        return count(a) < count(b)
      }
      guard let best else { return }
      let shown = missing.filter { areas[0][best][$0] > 0 }
      guard !shown.isEmpty else { return }
      further.append((0, best))
      missing.subtract(shown)
    }
    further.sort { $0.index < $1.index }
  }

  /// Voxels by array axis, place and label.
  private static func areas(_ volume: CaptureVolume) -> [[[Int]]] {
    let shape = volume.grid.shape
    var areas = shape.map {
      [[Int]](repeating: [Int](repeating: 0, count: 256), count: $0)
    }
    var index = 0
    for slice in 0..<shape[0] {
      for row in 0..<shape[1] {
        for column in 0..<shape[2] {
          let label = Int(volume.labels[index])
          index += 1
          guard label != 0 else { continue }
          areas[0][slice][label] += 1
          areas[1][row][label] += 1
          areas[2][column][label] += 1
        }
      }
    }
    return areas
  }
}
