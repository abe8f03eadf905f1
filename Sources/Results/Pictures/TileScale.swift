import Volumes

/// How the voxels of a slice become the pixels of a tile.
struct TileScale {
  /// Length in pixels of the longer side of a slice.
  private static let size = 280.0
  let columns: Int
  let rows: Int
  private let grid: VolumeGrid

  init(_ grid: VolumeGrid) {
    self.grid = grid
    let width = (grid.affine.column * grid.affine.column).sum().squareRoot() * Double(grid.columns)
    let height = (grid.affine.row * grid.affine.row).sum().squareRoot() * Double(grid.rows)
    let longer = max(width, height)
    let scale = longer.isFinite && longer > 0 ? Self.size / longer : 0
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
