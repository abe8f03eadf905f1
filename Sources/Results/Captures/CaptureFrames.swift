import Foundation
import Terminology
import Volumes

/// The pictures of the source images, one for each slice, all laid out alike: the image with its contours, and
/// around it the patient's directions, a scale bar, the legend and what the picture is.
struct CaptureFrames: Sendable {
  let volume: CaptureVolume
  let palette: CapturePalette
  /// Indices in the stack of the slices that are shown, in their order.
  let slices: Range<Int>
  /// Size of a picture in pixels.
  let columns: Int
  let rows: Int
  /// Where the image is in each picture.
  private let left: Int
  private let top: Int
  private let scale: Double
  private let view: PlaneView
  private let legend: CaptureText.Legend
  /// What is said of all pictures.
  let caption: [String]
  private let imageCount: Int

  private static let size = 13.0
  private static let lineHeight = 18.0
  private static let margin = 34
  private static let leastWidth = 440
  /// Longer side of the image in pixels, as far as voxels are not smaller.
  private static let longestSide = 900.0
  /// Bytes of all pictures together, for which voxels are drawn smaller.
  private static let mostBytes = 500_000_000.0

  /// - Parameters:
  ///   - volume: what is shown.
  ///   - palette: of its labels.
  ///   - title: the model, and what the series is about.
  ///   - warnings: what is unusual about the result.
  init(
    _ volume: CaptureVolume, _ palette: CapturePalette, title: String, warnings: [String] = []
  ) {
    self.volume = volume
    self.palette = palette
    slices = volume.shownSlices
    view = PlaneView(volume.grid, normal: 0)
    imageCount = volume.stack.frames.count
    let image = view.image(of: volume, at: 0)
    scale = Self.scale(image, count: slices.count)
    let tile = TileGeometry(image, scale: scale)
    let width = max(tile.columns, Self.leastWidth)
    let measuring = Canvas(columns: 1, rows: 1, fill: CaptureText.background)
    legend = CaptureText.Legend(
      palette.found.map { .init(text: $0.name, color: palette.color($0.value)) },
      size: Self.size, width: Double(width), on: measuring)
    caption = (["\(CaptureText.notice) - \(title)"] + warnings.map { "Unusual: \($0)" }).flatMap {
      CaptureText.lines($0, size: Self.size, width: Double(width), on: measuring)
    }
    columns = width + 2 * Self.margin
    left = Self.margin + (width - tile.columns) / 2
    top = 24
    // Letters, scale bar, legend, the place of the image, and the caption.
    let below =
      22 + 20 + legend.height + 6 + Self.lineHeight * Double(1 + caption.count) + 8
    rows = top + tile.rows + Int(below)
  }

  /// Pixels for each mm: a whole number of pixels for each voxel, as many as fit.
  private static func scale(_ image: PlaneImage, count: Int) -> Double {
    let spacing = max(min(length(image.across), length(image.down)), 1e-3)
    let size = TileGeometry.size(image)
    let voxels = max(size.width, size.height, 1e-3) / spacing
    let area = size.width * size.height / (spacing * spacing)
    var factor = min(max((longestSide / voxels).rounded(.down), 1), 12)
    func bytes(_ factor: Double) -> Double { 3 * area * factor * factor * Double(count) }
    while factor > 1, bytes(factor) > mostBytes { factor -= 1 }
    // What no file or screen could hold: thousands of large slices, voxels that are far from square.
    let longest = voxels * factor
    return factor * min(1, 4000 / longest, (4 * mostBytes / bytes(factor)).squareRoot()) / spacing
  }

  /// Where a slice is shown in its picture.
  func tile(_ slice: Int) -> PlacedTile {
    tile(slice, view.image(of: volume, at: slice - volume.box.slices.lowerBound))
  }

  private func tile(_ slice: Int, _ image: PlaneImage) -> PlacedTile {
    PlacedTile(
      left: left, top: top, geometry: TileGeometry(image, scale: scale), normal: 0, index: slice)
  }

  /// Centre in mm of the first pixel of a slice's picture.
  func origin(_ slice: Int) -> SIMD3<Double> {
    let tile = tile(slice).geometry
    return tile.origin - Double(left) * tile.across - Double(top) * tile.down
  }

  /// The rows of each picture in which the text is that it is for research.
  var noticeRows: Range<Int> {
    let height = Int(Self.lineHeight) * caption.count + 8
    return rows - height..<rows
  }

  /// The picture of a slice.
  func draw(_ slice: Int) -> Canvas {
    let canvas = Canvas(columns: columns, rows: rows, fill: CaptureText.background)
    let image = view.image(of: volume, at: slice - volume.box.slices.lowerBound)
    let tile = tile(slice, image)
    canvas.draw(image, at: tile, palette)
    CaptureText.drawLetters(around: tile, size: 15, on: canvas)
    let (start, end) = (Double(Self.margin), Double(columns - Self.margin))
    var y = Double(top + tile.geometry.rows) + 22
    CaptureText.drawScaleBar(
      endingAt: (end, y + 8), scale: scale, longest: (end - start) / 3, size: Self.size, on: canvas)
    canvas.text(
      volume.window.text, at: (start, y + Self.size), CaptureText.bright, size: Self.size)
    y += 20
    legend.draw(left: start, top: y, on: canvas)
    y += legend.height + 6 + Self.size
    let place = PatientLetters.place(tile.geometry.middle, normal: tile.geometry.normal)
    canvas.text(
      CaptureText.fitted(
        "image \(slice + 1) of \(imageCount): \(place)", size: Self.size, width: end - start,
        on: canvas), at: (start, y), CaptureText.bright, size: Self.size)
    for line in caption {
      y += Self.lineHeight
      canvas.text(line, at: (start, y), CaptureText.warning, size: Self.size)
    }
    return canvas
  }
}
