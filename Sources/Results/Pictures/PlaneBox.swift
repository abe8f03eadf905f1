import Volumes

/// A part of the rows and columns of every slice.
struct PlaneBox {
  private let rows: Range<Int>
  private let columns: Range<Int>

  /// - Parameters:
  ///   - volumes: on grids of one shape; where no voxel has a label, all is kept.
  ///   - margin: around the labels, in mm.
  init(around volumes: [LabelVolume], margin: Double) {
    let grid = volumes[0].grid
    var (top, bottom, left, right) = (grid.rows, -1, grid.columns, -1)
    for volume in volumes {
      for (index, label) in volume.labels.enumerated() where label != 0 {
        let (row, column) = (index / grid.columns % grid.rows, index % grid.columns)
        (top, bottom) = (min(top, row), max(bottom, row))
        (left, right) = (min(left, column), max(right, column))
      }
    }
    guard bottom >= 0 else {
      (rows, columns) = (0..<grid.rows, 0..<grid.columns)
      return
    }
    let down = Int((margin / max(grid.spacing[1], 0.1)).rounded())
    let across = Int((margin / max(grid.spacing[2], 0.1)).rounded())
    rows = max(0, top - down)..<min(grid.rows, bottom + 1 + down)
    columns = max(0, left - across)..<min(grid.columns, right + 1 + across)
  }

  func cut(_ volume: Volume) -> Volume {
    let grid = volume.grid
    let storage: VoxelStorage
    switch volume.storage {
    case .int16(let values): storage = .int16(cut(values, grid))
    case .float(let values): storage = .float(cut(values, grid))
    }
    return Volume(grid: cut(grid), storage: storage)
  }

  func cut(_ labels: LabelVolume) -> LabelVolume {
    LabelVolume(grid: cut(labels.grid), labels: cut(labels.labels, labels.grid))
  }

  private func cut(_ grid: VolumeGrid) -> VolumeGrid {
    var grid = grid
    grid.affine.origin +=
      Double(rows.lowerBound) * grid.affine.row
      + Double(columns.lowerBound) * grid.affine.column
    (grid.rows, grid.columns) = (rows.count, columns.count)
    return grid
  }

  private func cut<Value>(_ values: [Value], _ grid: VolumeGrid) -> [Value] {
    (0..<grid.slices).flatMap { slice in
      rows.flatMap { row in
        let start = (slice * grid.rows + row) * grid.columns
        return values[start + columns.lowerBound..<start + columns.upperBound]
      }
    }
  }
}
