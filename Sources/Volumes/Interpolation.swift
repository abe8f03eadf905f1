/// How values between voxels are found.
public enum Interpolation: Sendable, Equatable {
  case linear
  /// Cubic B-spline through the voxel values.
  case cubic
}
