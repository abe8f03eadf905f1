/// A box of a volume's voxels, read with its axes exchanged and reversed; nothing is copied.
public struct VoxelView: Sendable {
  /// z, y, x.
  public let shape: [Int]
  private let storage: VoxelStorage
  /// The first voxel's number in the storage, and how far the axes z, y, x step there.
  private let start: Int
  private let strides: [Int]

  /// All of an array (z, y, x); `storage.count` is the product of `shape`.
  public init(_ storage: VoxelStorage, shape: [Int]) {
    self.init(storage, shape: shape, start: 0, strides: [shape[1] * shape[2], shape[2], 1])
  }

  init(_ storage: VoxelStorage, shape: [Int], start: Int, strides: [Int]) {
    self.storage = storage
    self.shape = shape
    self.start = start
    self.strides = strides
  }

  /// The part of the view within ranges along z, y, x.
  public func cropped(to box: [Range<Int>]) -> VoxelView {
    VoxelView(
      storage, shape: box.map(\.count),
      start: start + zip(box, strides).reduce(0) { $0 + $1.0.lowerBound * $1.1 }, strides: strides)
  }

  /// Copies a row along x.
  package func read<Value: BinaryFloatingPoint>(
    z: Int, y: Int, into target: UnsafeMutablePointer<Value>
  ) {
    let first = start + z * strides[0] + y * strides[1]
    let (step, count) = (strides[2], shape[2])
    switch storage {
    case .int16(let values):
      values.withUnsafeBufferPointer { source in
        for x in 0..<count { target[x] = Value(source[first + x * step]) }
      }
    case .float(let values):
      values.withUnsafeBufferPointer { source in
        for x in 0..<count { target[x] = Value(source[first + x * step]) }
      }
    }
  }
}

extension Reorientation {
  /// The volume's voxels in the new order.
  public func view(of volume: Volume) -> VoxelView {
    let (start, strides) = walk(volume.grid)
    return VoxelView(
      volume.storage, shape: apply(volume.grid).shape, start: start, strides: strides)
  }
}
