extension Affine {
  /// The voxel index (column, row, slice) at a point in patient space (mm); fractions are between
  /// voxel centres. nil where the grid's axes do not span space.
  public func index(of point: SIMD3<Double>) -> SIMD3<Double>? {
    guard let inverse else { return nil }
    let offset = point - origin
    return SIMD3(dot(inverse.column, offset), dot(inverse.row, offset), dot(inverse.slice, offset))
  }

  /// The rows of the inverse of the matrix whose columns are the grid's steps.
  fileprivate var inverse: (column: SIMD3<Double>, row: SIMD3<Double>, slice: SIMD3<Double>)? {
    let determinant = dot(column, cross(row, slice))
    guard determinant.isFinite, abs(determinant) > 1e-12 else { return nil }
    return (
      cross(row, slice) / determinant, cross(slice, column) / determinant,
      cross(column, row) / determinant
    )
  }
}

extension VolumeGrid {
  /// Whether every voxel of both grids is at the same place to within a tolerance in mm.
  public func coincides(with other: VolumeGrid, tolerance: Double = 0.01) -> Bool {
    guard shape == other.shape else { return false }
    return [0.0, 1.0].allSatisfy { x in
      [0.0, 1.0].allSatisfy { y in
        [0.0, 1.0].allSatisfy { z in
          let corner = SIMD3(
            x * Double(columns - 1), y * Double(rows - 1), z * Double(slices - 1))
          return length(affine.point(corner) - other.affine.point(corner)) <= tolerance
        }
      }
    }
  }
}

extension Volume {
  /// A volume on another grid, and how much of that grid it covers.
  public struct Placed: Sendable, Equatable {
    public var volume: Volume
    /// The part of the grid's voxels that are within the source, from 0 to 1.
    public var coverage: Double
  }

  /// The volume's values at the places that another grid's voxels have in the patient, linear
  /// between voxel centres; 0 beyond the outermost voxels.
  ///
  /// Both grids are in one frame of reference: PS3.3 C.7.4.1. A volume on the same grid keeps its
  /// values untouched.
  ///
  /// - Returns: nil where the volume's axes do not span space.
  public func resampled(onto target: VolumeGrid) -> Placed? {
    if grid.coincides(with: target) {
      return Placed(volume: Volume(grid: target, storage: storage), coverage: 1)
    }
    guard let inverse = grid.affine.inverse else { return nil }
    func indexStep(_ step: SIMD3<Double>) -> SIMD3<Double> {
      SIMD3(dot(inverse.column, step), dot(inverse.row, step), dot(inverse.slice, step))
    }
    let start = indexStep(target.affine.origin - grid.affine.origin)
    let steps = [target.affine.slice, target.affine.row, target.affine.column].map(indexStep)
    let (rows, columns) = (target.rows, target.columns)
    var inside = [Int](repeating: 0, count: target.slices)
    let values = [Float](unsafeUninitializedCapacity: target.voxelCount) { result, count in
      count = target.voxelCount
      inside.withUnsafeMutableBufferPointer { inside in
        // Each slice is written by one thread.
        nonisolated(unsafe) let (result, inside) = (result, inside)
        inParallel(target.slices, worthwhile: target.voxelCount > 100_000) { slices in
          for z in slices {
            for y in 0..<rows {
              let first = start + Double(z) * steps[0] + Double(y) * steps[1]
              for x in 0..<columns {
                let value = interpolated(at: first + Double(x) * steps[2])
                result.initializeElement(at: (z * rows + y) * columns + x, to: value ?? 0)
                if value != nil { inside[z] += 1 }
              }
            }
          }
        }
      }
    }
    return Placed(
      volume: Volume(grid: target, voxels: values),
      coverage: Double(inside.reduce(0, +)) / Double(max(target.voxelCount, 1)))
  }

  /// The value at a voxel index, nil beyond half a voxel outside.
  private func interpolated(at index: SIMD3<Double>) -> Float? {
    let counts = SIMD3(Double(grid.columns), Double(grid.rows), Double(grid.slices))
    // Half a voxel and the rounding of a place on the very face.
    let margin = 0.5 + 1e-6
    for axis in 0..<3 where !(index[axis] >= -margin && index[axis] <= counts[axis] - 1 + margin) {
      return nil
    }
    func split(_ value: Double, _ count: Int) -> (first: Int, second: Int, share: Double) {
      let held = Swift.min(Swift.max(value, 0), Double(count - 1))
      let first = Swift.min(Int(held), Swift.max(count - 2, 0))
      return (first, Swift.min(first + 1, count - 1), held - Double(first))
    }
    let x = split(index.x, grid.columns)
    let y = split(index.y, grid.rows)
    let z = split(index.z, grid.slices)
    func along(_ slice: Int, _ row: Int) -> Double {
      let base = (slice * grid.rows + row) * grid.columns
      return (1 - x.share) * Double(storage[base + x.first])
        + x.share * Double(storage[base + x.second])
    }
    func plane(_ slice: Int) -> Double {
      (1 - y.share) * along(slice, y.first) + y.share * along(slice, y.second)
    }
    return Float((1 - z.share) * plane(z.first) + z.share * plane(z.second))
  }
}
