import Volumes

/// A part of the slices, rows and columns of a volume.
struct VoxelBox: Sendable, Equatable {
  var slices: Range<Int>
  var rows: Range<Int>
  var columns: Range<Int>

  /// Around what has a label, with a margin; all of the volume where nothing has.
  ///
  /// - Parameters:
  ///   - labels: any.
  ///   - margin: on each side, in mm.
  ///   - least: of the sides within a slice, in mm.
  init(around labels: LabelVolume, margin: Double, least: Double) {
    let grid = labels.grid
    var (low, high) = ([grid.slices, grid.rows, grid.columns], [-1, -1, -1])
    labels.labels.withUnsafeBufferPointer { voxels in
      var index = 0
      for slice in 0..<grid.slices {
        for row in 0..<grid.rows {
          for column in 0..<grid.columns {
            if voxels[index] != 0 {
              for (axis, place) in [slice, row, column].enumerated() {
                low[axis] = min(low[axis], place)
                high[axis] = max(high[axis], place)
              }
            }
            index += 1
          }
        }
      }
    }
    let ranges = zip(grid.shape, grid.spacing).enumerated().map { axis, extent in
      let (count, spacing) = (extent.0, max(extent.1, 1e-3))
      guard high[axis] >= 0 else { return 0..<count }
      let found = Double(high[axis] - low[axis] + 1) * spacing
      let around = axis == 0 ? margin : max(margin, (least - found) / 2)
      let more = Int(min(around / spacing, Double(count)).rounded(.up))
      return max(0, low[axis] - more)..<min(count, high[axis] + 1 + more)
    }
    (slices, rows, columns) = (ranges[0], ranges[1], ranges[2])
  }

  /// Around this part and another one.
  func union(_ other: VoxelBox) -> VoxelBox {
    func union(_ a: Range<Int>, _ b: Range<Int>) -> Range<Int> {
      min(a.lowerBound, b.lowerBound)..<max(a.upperBound, b.upperBound)
    }
    var box = self
    box.slices = union(slices, other.slices)
    box.rows = union(rows, other.rows)
    box.columns = union(columns, other.columns)
    return box
  }

  var shape: [Int] { [slices.count, rows.count, columns.count] }

  /// Where the box begins along an array axis (z, y, x: 0, 1, 2).
  func first(along axis: Int) -> Int {
    [slices.lowerBound, rows.lowerBound, columns.lowerBound][axis]
  }

  /// The grid of the box in that of the volume.
  func grid(in grid: VolumeGrid) -> VolumeGrid {
    var part = grid
    (part.slices, part.rows, part.columns) = (slices.count, rows.count, columns.count)
    part.affine.origin = grid.affine.point(
      [Double(columns.lowerBound), Double(rows.lowerBound), Double(slices.lowerBound)])
    return part
  }

  /// The values of the box's part of one slice.
  func cut<Values: RandomAccessCollection>(
    _ values: Values, from first: Int, columns width: Int
  ) -> [Values.Element] where Values.Index == Int {
    rows.flatMap { row in
      let start = first + row * width
      return values[start + columns.lowerBound..<start + columns.upperBound]
    }
  }
}
