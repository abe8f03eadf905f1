import DICOM
import Terminology
import Volumes

extension SliceStack {
  /// Measures segments; the source's pixels are read again, a part of the slices at a time.
  ///
  /// - Parameters:
  ///   - segments: what is measured of them is in the same order.
  ///   - labels: on the source grid.
  /// - Returns: nil for a segment without a voxel.
  /// - Throws: `DICOMError` where a source file cannot be read.
  public func measurements(
    of segments: [SegmentDescription], in labels: LabelVolume
  ) throws(DICOMError) -> [RegionMeasurement?] {
    let grid = sourceGrid
    let plane = grid.rows * grid.columns
    let depths = sliceDepths
    var sums = [RegionSums](repeating: RegionSums(), count: 256)
    try forEachPart(of: 0..<frames.count) { (range, voxels) in
      for slice in range {
        let found = LabelledPlane(
          labels: labels.labels, from: slice * plane, columns: grid.columns, rows: grid.rows
        ).sums { Double(voxels[(slice - range.lowerBound) * plane + $0]) }
        for (label, plane) in found {
          sums[label].add(
            RegionSums(
              plane, origin: position(frames[slice]), column: grid.affine.column,
              row: grid.affine.row,
              depth: depths[slice]))
        }
      }
    }
    let area = length(cross(grid.affine.column, grid.affine.row))
    return segments.map { segment in
      var whole = RegionSums()
      for label in segment.labels.sorted() { whole.add(sums[Int(label)]) }
      return whole.voxels > 0 ? whole.measurement(area: area) : nil
    }
  }
}

/// The labels of one slice.
private struct LabelledPlane {
  let labels: [UInt8]
  /// Index of the slice's first voxel.
  let from: Int
  let columns: Int
  let rows: Int

  /// The sums of each label that is there; 0 is none.
  ///
  /// - Parameter value: of a voxel of the slice.
  func sums(_ value: (Int) -> Double) -> [(label: Int, sums: PlaneSums)] {
    var sums = [PlaneSums](repeating: PlaneSums(), count: 256)
    labels.withUnsafeBufferPointer { labels in
      for row in 0..<rows {
        for column in 0..<columns {
          let pixel = row * columns + column
          let label = Int(labels[from + pixel])
          guard label != 0 else { continue }
          let (x, y) = (Double(column), Double(row))
          sums[label].voxels += 1
          sums[label].mean += value(pixel)
          sums[label].columns += x
          sums[label].rows += y
          sums[label].columnsColumns += x * x
          sums[label].columnsRows += x * y
          sums[label].rowsRows += y * y
        }
      }
      for label in 1...255 where sums[label].voxels > 0 {
        sums[label].mean /= Double(sums[label].voxels)
      }
      for pixel in 0..<rows * columns {
        let label = Int(labels[from + pixel])
        guard label != 0 else { continue }
        let difference = value(pixel) - sums[label].mean
        sums[label].squares += difference * difference
      }
    }
    return (1...255).filter { sums[$0].voxels > 0 }.map { ($0, sums[$0]) }
  }
}
