import DICOM
import Foundation
import Terminology
import Volumes

/// A picture for a person's first look: slices of a volume with the outlines of its segments.
public enum ContourMontage {
  /// Most slices shown.
  static let maximumTiles = 12
  /// Length in pixels of the longer side of a slice.
  static let tileSize = 280.0
  private static let gap = 6
  private static let background = Picture.Color(gray: 18)

  /// Writes up to twelve slices, evenly chosen among those with labels, in rows of four.
  ///
  /// Gray values are windowed for the segments: from the 5th to the 95th percentile of their
  /// voxels and as much again on both sides, within the range of the slices. Pixels are scaled to
  /// true proportions by the grid's spacing; a segment is outlined in its colour. Nothing else is
  /// drawn: no names, no patient data.
  ///
  /// - Parameters:
  ///   - volume: the images, order z, y, x.
  ///   - labels: on the grid of the volume, order z, y, x.
  ///   - segments: what is outlined, with the colours.
  ///   - path: the PNG; written under a temporary name and renamed, mode 0600.
  /// - Throws: ``SegmentationError``.
  public static func write(
    _ volume: Volume, labels: LabelVolume, segments: [SegmentDescription], to path: String
  ) throws(SegmentationError) {
    guard volume.grid == labels.grid, volume.storage.count == labels.labels.count,
      volume.storage.count == volume.grid.voxelCount, volume.storage.count > 0
    else { throw .gridsDiffer(reason: "the volume and its labels do not match") }
    let slices = chosenSlices(labels)
    let window = grayWindow(volume, labels, slices: slices)
    let tile = TileScale(volume.grid)
    let across = min(4, slices.count)
    let down = (slices.count + across - 1) / across
    var picture = Picture(
      columns: across * (tile.columns + gap) + gap, rows: down * (tile.rows + gap) + gap,
      fill: background)
    var colors = [Picture.Color?](repeating: nil, count: 256)
    for segment in segments where segment.color.count == 3 {
      colors[Int(segment.value)] = Picture.Color(
        segment.color[0], segment.color[1], segment.color[2])
    }
    for (index, slice) in slices.enumerated() {
      let left = gap + index % across * (tile.columns + gap)
      let top = gap + index / across * (tile.rows + gap)
      draw(volume, labels, slice, window, tile, colors, left: left, top: top, on: &picture)
    }
    do { try picture.write(to: path) } catch { throw .dicom(error) }
  }

  /// The slices that `write` shows: those with labels, or all where there are none, thinned evenly.
  public static func chosenSlices(_ labels: LabelVolume) -> [Int] {
    let size = labels.grid.rows * labels.grid.columns
    let labelled = (0..<labels.grid.slices).filter { slice in
      labels.labels[slice * size..<(slice + 1) * size].contains { $0 != 0 }
    }
    let candidates = labelled.isEmpty ? Array(0..<labels.grid.slices) : labelled
    guard candidates.count > maximumTiles else { return candidates }
    return (0..<maximumTiles).map { tile in
      candidates[(2 * tile + 1) * candidates.count / (2 * maximumTiles)]
    }
  }

  /// The values shown black and white.
  static func grayWindow(
    _ volume: Volume, _ labels: LabelVolume, slices: [Int]
  ) -> ClosedRange<Float> {
    let size = volume.grid.rows * volume.grid.columns
    let voxels = slices.flatMap { $0 * size..<($0 + 1) * size }
    let labelled = sample(volume, voxels.filter { labels.labels[$0] != 0 })
    let all = sample(volume, voxels)
    guard !all.isEmpty else { return 0...1 }
    let values = labelled.isEmpty ? all : labelled
    let percentile = { (values: [Float], permille: Int) in
      values[(values.count - 1) * permille / 1000]
    }
    let (low, high) = (percentile(values, 50), percentile(values, 950))
    let margin = max(high - low, abs(high) * 0.05, 1e-6)
    let darkest = min(low, percentile(all, 5))
    let brightest = max(low + margin, percentile(all, 995))
    return max(low - margin, darkest)...min(high + margin, brightest)
  }

  /// Values of at most some hundred thousand of the voxels, sorted.
  private static func sample(_ volume: Volume, _ voxels: [Int]) -> [Float] {
    stride(from: 0, to: voxels.count, by: max(1, voxels.count / 100_000))
      .map { volume.storage[voxels[$0]] }.filter(\.isFinite).sorted()
  }

  private static func grayLevel(_ fraction: Float) -> UInt8 {
    fraction.isFinite ? UInt8(min(max(fraction, 0), 1) * 255) : 0
  }

  private static func draw(
    _ volume: Volume, _ labels: LabelVolume, _ slice: Int, _ window: ClosedRange<Float>,
    _ tile: TileScale, _ colors: [Picture.Color?], left: Int, top: Int, on picture: inout Picture
  ) {
    let base = slice * volume.grid.rows * volume.grid.columns
    let width = window.upperBound - window.lowerBound
    for row in 0..<tile.rows {
      for column in 0..<tile.columns {
        let value = tile.interpolated(volume, base: base, column: column, row: row)
        let gray = grayLevel((value - window.lowerBound) / width)
        let label = tile.label(labels, base: base, column: column, row: row)
        let isEdge = label != 0 && tile.isEdge(labels, base: base, column: column, row: row)
        if isEdge, let color = colors[Int(label)] {
          picture[left + column, top + row] = color
        } else {
          picture[left + column, top + row] = Picture.Color(gray: gray)
        }
      }
    }
  }
}

/// How the voxels of a slice become the pixels of a tile.
struct TileScale {
  let columns: Int
  let rows: Int
  private let grid: VolumeGrid

  init(_ grid: VolumeGrid) {
    self.grid = grid
    let width = (grid.affine.column * grid.affine.column).sum().squareRoot() * Double(grid.columns)
    let height = (grid.affine.row * grid.affine.row).sum().squareRoot() * Double(grid.rows)
    let longer = max(width, height)
    let scale = longer.isFinite && longer > 0 ? ContourMontage.tileSize / longer : 0
    // Extremely flat slices keep a visible side.
    columns = max(16, Int((width * scale).rounded()))
    rows = max(16, Int((height * scale).rounded()))
  }

  /// The label under a pixel, the nearest voxel's; 0 beyond the tile.
  func label(_ labels: LabelVolume, base: Int, column: Int, row: Int) -> UInt8 {
    guard (0..<columns).contains(column), (0..<rows).contains(row) else { return 0 }
    let x = min(grid.columns - 1, column * grid.columns / columns)
    let y = min(grid.rows - 1, row * grid.rows / rows)
    return labels.labels[base + y * grid.columns + x]
  }

  /// Whether a pixel of a segment is within two pixels of another label.
  func isEdge(_ labels: LabelVolume, base: Int, column: Int, row: Int) -> Bool {
    let own = label(labels, base: base, column: column, row: row)
    return [(-2, 0), (2, 0), (0, -2), (0, 2)].contains { dx, dy in
      label(labels, base: base, column: column + dx, row: row + dy) != own
    }
  }

  /// The value under a pixel, linear between voxel centres.
  func interpolated(_ volume: Volume, base: Int, column: Int, row: Int) -> Float {
    let x = position(column, of: columns, voxels: grid.columns)
    let y = position(row, of: rows, voxels: grid.rows)
    let (x0, y0) = (Int(x), Int(y))
    let (x1, y1) = (min(x0 + 1, grid.columns - 1), min(y0 + 1, grid.rows - 1))
    let (fx, fy) = (Float(x) - Float(x0), Float(y) - Float(y0))
    let voxel = { (x: Int, y: Int) in volume.storage[base + y * grid.columns + x] }
    let upper = voxel(x0, y0) * (1 - fx) + voxel(x1, y0) * fx
    let lower = voxel(x0, y1) * (1 - fx) + voxel(x1, y1) * fx
    return upper * (1 - fy) + lower * fy
  }

  /// A pixel's centre in voxels, within the outermost voxel centres.
  private func position(_ pixel: Int, of pixels: Int, voxels: Int) -> Double {
    let centre = (Double(pixel) + 0.5) * Double(voxels) / Double(pixels) - 0.5
    return min(max(centre, 0), Double(voxels - 1))
  }
}
