import DICOM
import Foundation
import Terminology
import Volumes

/// A picture for a person's first look: slices of a volume with the outlines of its segments.
public enum ContourMontage {
  /// Most slices shown.
  public static let maximumTiles = 12
  /// Most slices shown of each of several volumes.
  public static let maximumColumns = 6
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
    let tiles = slices.map { ShownSlice(volume: volume, labels: labels, slice: $0) }
    try write(
      tiles, across: min(4, slices.count),
      window: grayWindow(volume, labels, slices: slices), segments: segments, to: path)
  }

  /// Writes one row of slices for each of some volumes, as of the phases of a heartbeat: cut to where
  /// there are labels in any of them, all in one window.
  ///
  /// - Parameters:
  ///   - rows: images with labels on the same grid, all of the same shape and spacing.
  ///   - segments: what is outlined, with the colours.
  ///   - path: the PNG, as above.
  /// - Throws: ``SegmentationError``.
  public static func write(
    rows: [(volume: Volume, labels: LabelVolume)], segments: [SegmentDescription], to path: String
  ) throws(SegmentationError) {
    guard let first = rows.first, !first.labels.labels.isEmpty,
      rows.allSatisfy({
        $0.volume.grid == $0.labels.grid && $0.volume.grid.shape == first.volume.grid.shape
          && $0.volume.storage.count == $0.labels.labels.count
          && $0.labels.labels.count == $0.labels.grid.voxelCount
      })
    else { throw .gridsDiffer(reason: "the volumes and their labels do not match") }
    let box = PlaneBox(around: rows.map(\.labels), margin: 15)
    let cut = rows.map { (volume: box.cut($0.volume), labels: box.cut($0.labels)) }
    let slices = Array(0..<first.volume.grid.slices)
    let tiles = cut.flatMap { row in
      slices.map { ShownSlice(volume: row.volume, labels: row.labels, slice: $0) }
    }
    let windows = cut.map { grayWindow($0.volume, $0.labels, slices: slices) }
    let window =
      (windows.map(\.lowerBound).min() ?? 0)...(windows.map(\.upperBound).max() ?? 1)
    try write(tiles, across: slices.count, window: window, segments: segments, to: path)
  }

  /// One tile.
  private struct ShownSlice {
    var volume: Volume
    var labels: LabelVolume
    var slice: Int
  }

  /// - Parameter tiles: of one grid, at least one.
  private static func write(
    _ tiles: [ShownSlice], across: Int, window: ClosedRange<Float>,
    segments: [SegmentDescription], to path: String
  ) throws(SegmentationError) {
    let tile = TileScale(tiles[0].volume.grid)
    let down = (tiles.count + across - 1) / across
    var picture = Picture(
      columns: across * (tile.columns + gap) + gap, rows: down * (tile.rows + gap) + gap,
      fill: background)
    var colors = [Picture.Color?](repeating: nil, count: 256)
    for segment in segments where segment.color.count == 3 {
      colors[Int(segment.value)] = Picture.Color(
        segment.color[0], segment.color[1], segment.color[2])
    }
    for (index, shown) in tiles.enumerated() {
      let left = gap + index % across * (tile.columns + gap)
      let top = gap + index / across * (tile.rows + gap)
      draw(
        shown.volume, shown.labels, shown.slice, window, tile, colors, left: left, top: top,
        on: &picture)
    }
    do { try picture.write(to: path) } catch { throw .dicom(error) }
  }

  /// The slices that `write` shows: those with labels, or all where there are none, thinned evenly.
  ///
  /// - Parameters:
  ///   - labels: on the grid of the volume.
  ///   - most: how many, twelve where that is left out.
  public static func chosenSlices(
    _ labels: LabelVolume, atMost most: Int = maximumTiles
  ) -> [Int] {
    let size = labels.grid.rows * labels.grid.columns
    let labelled = (0..<labels.grid.slices).filter { slice in
      labels.labels[slice * size..<(slice + 1) * size].contains { $0 != 0 }
    }
    let candidates = labelled.isEmpty ? Array(0..<labels.grid.slices) : labelled
    guard candidates.count > most else { return candidates }
    return (0..<most).map { tile in
      candidates[(2 * tile + 1) * candidates.count / (2 * most)]
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
