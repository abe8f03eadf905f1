/// How probable each class is in each voxel, in 255ths: 255 is certain.
///
/// A plane in which a class is nowhere takes no memory.
public struct ProbabilityVolume: Sendable, Equatable {
  public let grid: VolumeGrid
  /// The background, which is class 0, included; of that nothing is kept.
  public let classes: Int
  /// Slice by slice of one class after the other: rows by columns, or empty where all are 0.
  private var planes: [[UInt8]]

  /// Nothing is probable.
  public init(grid: VolumeGrid, classes: Int) {
    self.grid = grid
    self.classes = classes
    planes = [[UInt8]](repeating: [], count: classes * grid.slices)
  }

  /// The values of a class in a slice, rows by columns; empty where all are 0.
  public subscript(class index: Int, slice slice: Int) -> [UInt8] {
    get { planes[index * grid.slices + slice] }
    set { planes[index * grid.slices + slice] = newValue }
  }

  /// Sets the value of a class in a voxel, counted in the order z, y, x.
  public mutating func set(_ value: UInt8, class index: Int, voxel: Int) {
    let size = grid.rows * grid.columns
    let (slice, pixel) = voxel.quotientAndRemainder(dividingBy: size)
    let plane = index * grid.slices + slice
    if planes[plane].isEmpty { planes[plane] = [UInt8](repeating: 0, count: size) }
    planes[plane][pixel] = value
  }

  /// The bytes that it takes at most.
  public static func mostBytes(_ grid: VolumeGrid, classes: Int) -> Int {
    (classes - 1) * grid.voxelCount
  }
}
