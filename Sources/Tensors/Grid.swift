/// The extent of a volume in voxels: depth (z), height (y), width (x), x fastest.
public struct Grid: Sendable, Hashable {
  public let depth, height, width: Int

  public init(_ depth: Int, _ height: Int, _ width: Int) {
    self.depth = depth
    self.height = height
    self.width = width
  }

  public var voxels: Int { depth * height * width }
  public var rows: Int { depth * height }

  public static func * (left: Grid, right: Grid) -> Grid {
    Grid(left.depth * right.depth, left.height * right.height, left.width * right.width)
  }

  /// Whole steps of `step` along each axis.
  public static func / (left: Grid, right: Grid) -> Grid {
    Grid(left.depth / right.depth, left.height / right.height, left.width / right.width)
  }
}
