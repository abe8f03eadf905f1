/// The map from voxel indices to patient space: `point = origin + i·column + j·row + k·slice`.
///
/// Patient space is DICOM's (PS3.3 C.7.6.2.1.1): millimetres, x to the patient's left, y to the
/// posterior, z to the head (LPS).
public struct Affine: Sendable, Equatable, Codable {
  /// Step in mm when the column index i grows by one.
  public var column: SIMD3<Double>
  /// Step in mm when the row index j grows by one.
  public var row: SIMD3<Double>
  /// Step in mm when the slice index k grows by one.
  public var slice: SIMD3<Double>
  /// Centre of voxel (0, 0, 0) in mm.
  public var origin: SIMD3<Double>

  public init(
    column: SIMD3<Double>, row: SIMD3<Double>, slice: SIMD3<Double>, origin: SIMD3<Double>
  ) {
    self.column = column
    self.row = row
    self.slice = slice
    self.origin = origin
  }

  /// The point in patient space (mm) of a voxel index (column, row, slice).
  public func point(_ index: SIMD3<Double>) -> SIMD3<Double> {
    origin + index.x * column + index.y * row + index.z * slice
  }
}

extension Affine {
  /// The 4×4 matrix, row by row: multiplied with (i, j, k, 1) it gives the point in mm.
  public var matrix: [[Double]] {
    (0..<3).map { [column[$0], row[$0], slice[$0], origin[$0]] } + [[0, 0, 0, 1]]
  }
}

/// A regular grid of voxels in patient space.
///
/// ```swift
/// // 100 axial slices of 256 × 256 pixels of 0.8 mm, 3 mm apart.
/// let grid = VolumeGrid(
///   columns: 256, rows: 256, slices: 100,
///   affine: Affine(
///     column: [0.8, 0, 0], row: [0, 0.8, 0], slice: [0, 0, 3], origin: [-102, -102, -150]))
/// grid.affine.point([128, 128, 50])  // [0.4, 0.4, 0], in mm, LPS
/// ```
public struct VolumeGrid: Sendable, Equatable, Codable {
  public var columns: Int
  public var rows: Int
  public var slices: Int
  public var affine: Affine

  public init(columns: Int, rows: Int, slices: Int, affine: Affine) {
    self.columns = columns
    self.rows = rows
    self.slices = slices
    self.affine = affine
  }

  public var voxelCount: Int { columns * rows * slices }

  /// What a voxel takes up in mm³; tilted slices are no further apart for it.
  public var voxelVolume: Double {
    length(cross(affine.column, affine.row)) * affine.stepAlongNormal
  }
}

/// The values of a volume's voxels as they are kept in memory.
public enum VoxelStorage: Sendable, Equatable {
  /// Whole numbers, as nearly every scanner's: half the memory.
  case int16([Int16])
  case float([Float])

  public var count: Int {
    switch self {
    case .int16(let values): values.count
    case .float(let values): values.count
    }
  }

  public subscript(index: Int) -> Float {
    switch self {
    case .int16(let values): Float(values[index])
    case .float(let values): values[index]
    }
  }
}

/// One scalar value per voxel: stored units or Hounsfield units.
///
/// Voxel (slice, row, column) is number `(slice * rows + row) * columns + column`: the array order
/// z, y, x.
public struct Volume: Sendable {
  public var grid: VolumeGrid
  public var storage: VoxelStorage

  public init(grid: VolumeGrid, voxels: [Float]) {
    self.init(grid: grid, storage: .float(voxels))
  }

  public init(grid: VolumeGrid, storage: VoxelStorage) {
    self.grid = grid
    self.storage = storage
  }

  /// A copy of the values as single-precision numbers, made anew at each access where they are kept
  /// as whole numbers: loops use ``storage``.
  public var voxels: [Float] {
    get {
      switch storage {
      case .int16(let values): values.map { Float($0) }
      case .float(let values): values
      }
    }
    set { storage = .float(newValue) }
  }
}

extension Volume: Equatable {
  /// Whether grids and values are the same, however the values are kept.
  public static func == (a: Volume, b: Volume) -> Bool {
    guard a.grid == b.grid, a.storage.count == b.storage.count else { return false }
    return a.storage == b.storage || a.voxels == b.voxels
  }
}

/// One label per voxel, 0 for background, in the order of ``Volume``.
public struct LabelVolume: Sendable, Equatable {
  public var grid: VolumeGrid
  public var labels: [UInt8]

  public init(grid: VolumeGrid, labels: [UInt8]) {
    self.grid = grid
    self.labels = labels
  }
}

extension VolumeGrid {
  /// Whether the grids have one shape and no voxel's centre is further apart than `tolerance`
  /// times the smallest voxel size; centres differ most at corners.
  public func isClose(to other: VolumeGrid, tolerance: Double = 1e-3) -> Bool {
    guard columns == other.columns, rows == other.rows, slices == other.slices else { return false }
    let limit = tolerance * (spacing.min() ?? 0)
    for corner in 0..<8 {
      let index = SIMD3(
        corner & 1 == 0 ? 0 : Double(columns - 1), corner & 2 == 0 ? 0 : Double(rows - 1),
        corner & 4 == 0 ? 0 : Double(slices - 1))
      let difference = affine.point(index) - other.affine.point(index)
      guard length(difference) <= limit else { return false }
    }
    return true
  }
}
