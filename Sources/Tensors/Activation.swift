/// A volume of feature vectors, channels-last, at any row and plane stride: voxel (z, y, x) of
/// channel c at data[z*plane + y*row + x*channels + c].
public struct Voxels {
  public let data: UnsafeMutablePointer<Float>
  public let grid: Grid
  public let channels: Int
  let row, plane: Int
  /// Whether there is one voxel of zeros on every side.
  let hasHalo: Bool

  /// Voxel (z, y, 0).
  public func line(_ z: Int, _ y: Int = 0) -> UnsafeMutablePointer<Float> {
    data + z * plane + y * row
  }
}

/// A volume of feature vectors without gaps: voxel (z, y, x) of channel c at
/// [((z*height + y)*width + x)*channels + c]. The same memory read as tokens is N x C,
/// n = (z*height + y)*width + x.
public struct Activation {
  public let data: UnsafeMutablePointer<Float>
  public let grid: Grid
  public let channels: Int

  public init(_ data: UnsafeMutablePointer<Float>, _ grid: Grid, channels: Int) {
    self.data = data
    self.grid = grid
    self.channels = channels
  }

  public var tokens: Int { grid.voxels }
  var row: Int { grid.width * channels }
  var plane: Int { grid.height * row }

  public var voxels: Voxels {
    Voxels(data: data, grid: grid, channels: channels, row: row, plane: plane, hasHalo: false)
  }

  /// The floats that an activation needs.
  public static func count(_ grid: Grid, channels: Int) -> Int { grid.voxels * channels }
}

/// An activation with a halo of one voxel on every side that is always zero, as the direct
/// convolution reads it.
public struct HaloActivation {
  public let data: UnsafeMutablePointer<Float>
  public let grid: Grid
  public let channels: Int

  public init(_ data: UnsafeMutablePointer<Float>, _ grid: Grid, channels: Int) {
    self.data = data
    self.grid = grid
    self.channels = channels
  }

  private var row: Int { (grid.width + 2) * channels }
  private var plane: Int { (grid.height + 2) * row }

  public var voxels: Voxels {
    Voxels(
      data: data + plane + row + channels, grid: grid, channels: channels, row: row, plane: plane,
      hasHalo: true)
  }

  /// The floats that an activation with halo needs.
  public static func count(_ grid: Grid, channels: Int) -> Int {
    (grid.depth + 2) * (grid.height + 2) * (grid.width + 2) * channels
  }
}
