/// A volume of feature vectors, channels-last: voxel (z, y, x) of channel c at
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

  /// The floats that an activation needs.
  public static func count(_ grid: Grid, channels: Int) -> Int { grid.voxels * channels }
}

/// An activation with a halo of one voxel on every side that is always zero, as the 3x3x3
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

  var row: Int { (grid.width + 2) * channels }
  var plane: Int { (grid.height + 2) * row }

  /// Voxel (z, y, 0) inside the halo.
  func line(_ z: Int, _ y: Int) -> UnsafeMutablePointer<Float> {
    data + (z + 1) * plane + (y + 1) * row + channels
  }

  /// The floats that an activation with halo needs.
  public static func count(_ grid: Grid, channels: Int) -> Int {
    (grid.depth + 2) * (grid.height + 2) * (grid.width + 2) * channels
  }
}
