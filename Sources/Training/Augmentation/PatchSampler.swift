import Foundation

/// Reads an image and its labels between voxels. Beyond half a voxel outside both are 0.
struct PatchSampler {
  let image: AugmentationOptions.ImageInterpolation
  let labels: AugmentationOptions.LabelInterpolation

  /// Values along a row of places.
  ///
  /// - Parameters:
  ///   - source: voxels of the shape.
  ///   - shape: z, y, x.
  ///   - positions: z, y, x of each place.
  ///   - target: room for `count` values.
  ///   - count: the number of places.
  func values(
    _ source: UnsafePointer<Float>, shape: [Int], at positions: UnsafePointer<SIMD3<Float>>,
    to target: UnsafeMutablePointer<Float>, count: Int
  ) {
    let bounds = VoxelBounds(shape)
    for index in 0..<count {
      guard bounds.contains(positions[index]) else {
        target[index] = 0
        continue
      }
      target[index] =
        image == .linear
        ? Self.linear(source, bounds.linear(positions[index]))
        : Self.cubic(source, bounds, positions[index])
    }
  }

  private static func linear(_ source: UnsafePointer<Float>, _ cell: VoxelCell) -> Float {
    func row(_ first: UnsafePointer<Float>) -> Float {
      first[0] + cell.share.z * (first[cell.nextX] - first[0])
    }
    func plane(_ first: UnsafePointer<Float>) -> Float {
      let near = row(first)
      return cell.share.y == 0 ? near : near + cell.share.y * (row(first + cell.nextY) - near)
    }
    let near = plane(source + cell.first)
    return cell.share.x == 0
      ? near : near + cell.share.x * (plane(source + cell.first + cell.nextZ) - near)
  }

  private static func cubic(
    _ source: UnsafePointer<Float>, _ bounds: VoxelBounds, _ position: SIMD3<Float>
  ) -> Float {
    let (z, y, x) = (
      bounds.cubic(position.x, axis: 0), bounds.cubic(position.y, axis: 1),
      bounds.cubic(position.z, axis: 2)
    )
    var sum: Float = 0
    for k in 0..<4 where z.weights[k] != 0 {
      var plane: Float = 0
      for j in 0..<4 where y.weights[j] != 0 {
        let row = source + z.places[k] + y.places[j]
        let taps = SIMD4(row[x.places[0]], row[x.places[1]], row[x.places[2]], row[x.places[3]])
        plane += y.weights[j] * (taps * x.weights).sum()
      }
      sum += z.weights[k] * plane
    }
    return sum
  }

  /// Classes along a row of places; parameters as of `values`.
  func classes(
    _ source: UnsafePointer<UInt8>, shape: [Int], at positions: UnsafePointer<SIMD3<Float>>,
    to target: UnsafeMutablePointer<UInt8>, count: Int
  ) {
    let bounds = VoxelBounds(shape)
    for index in 0..<count {
      guard bounds.contains(positions[index]) else {
        target[index] = 0
        continue
      }
      let cell = bounds.linear(positions[index])
      target[index] = labels == .linear ? Self.fullest(source, cell) : Self.nearest(source, cell)
    }
  }

  private static func nearest(_ source: UnsafePointer<UInt8>, _ cell: VoxelCell) -> UInt8 {
    source[
      cell.first + (cell.share.x >= 0.5 ? cell.nextZ : 0) + (cell.share.y >= 0.5 ? cell.nextY : 0)
        + (cell.share.z >= 0.5 ? cell.nextX : 0)]
  }

  private static func fullest(_ source: UnsafePointer<UInt8>, _ cell: VoxelCell) -> UInt8 {
    let near = source + cell.first
    let far = near + cell.nextZ
    let (x, y) = (cell.nextX, cell.nextY)
    let corners = SIMD8(
      near[0], near[x], near[y], near[y + x], far[0], far[x], far[y], far[y + x])
    if corners == SIMD8(repeating: corners[0]) { return corners[0] }
    let shares = cell.shares
    var (best, most, background) = (UInt8(0), Float(0), Float(0))
    for corner in 0..<8 {
      if corners[corner] == 0 {
        background += shares[corner]
        continue
      }
      var share: Float = 0
      for other in 0..<8 where corners[other] == corners[corner] { share += shares[other] }
      if share > most || (share == most && corners[corner] < best) {
        (best, most) = (corners[corner], share)
      }
    }
    return background >= 0.5 ? 0 : best
  }
}

/// The eight voxels around a place.
private struct VoxelCell {
  /// Number of the one with the least z, y, x.
  var first: Int
  /// Steps to the next along each axis; 0 where there is none.
  var nextZ: Int
  var nextY: Int
  var nextX: Int
  /// Of the next along z, y, x.
  var share: SIMD3<Float>

  /// Of the voxels, x fastest.
  var shares: SIMD8<Float> {
    let (z, y, x) = (share.x, share.y, share.z)
    let plane = SIMD4((1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x)
    return SIMD8(lowHalf: (1 - z) * plane, highHalf: z * plane)
  }
}

private struct VoxelBounds {
  private let last: SIMD3<Float>
  private let count: SIMD3<Int>
  private let strides: SIMD3<Int>

  init(_ shape: [Int]) {
    count = SIMD3(shape[0], shape[1], shape[2])
    last = SIMD3(Float(shape[0] - 1), Float(shape[1] - 1), Float(shape[2] - 1))
    strides = SIMD3(shape[1] * shape[2], shape[2], 1)
  }

  func contains(_ position: SIMD3<Float>) -> Bool {
    position.x >= -0.5 && position.y >= -0.5 && position.z >= -0.5
      && position.x <= last.x + 0.5 && position.y <= last.y + 0.5 && position.z <= last.z + 0.5
  }

  /// Of a place within; edges are continued.
  func linear(_ position: SIMD3<Float>) -> VoxelCell {
    func tap(_ axis: Int) -> (below: Int, share: Float, next: Int) {
      let inside = min(max(position[axis], 0), last[axis])
      let below = Int(inside)
      return (below, inside - Float(below), below + 1 < count[axis] ? strides[axis] : 0)
    }
    let (z, y, x) = (tap(0), tap(1), tap(2))
    return VoxelCell(
      first: z.below * strides.x + y.below * strides.y + x.below, nextZ: z.next, nextY: y.next,
      nextX: x.next, share: SIMD3(z.share, y.share, x.share))
  }

  /// Four voxels along an axis, as steps from the first of all, and their weights (Catmull and Rom).
  func cubic(_ position: Float, axis: Int) -> (places: SIMD4<Int>, weights: SIMD4<Float>) {
    let inside = min(max(position, 0), last[axis])
    let below = Int(inside)
    let t = inside - Float(below)
    var places = SIMD4<Int>()
    for tap in 0..<4 {
      places[tap] = min(max(below + tap - 1, 0), count[axis] - 1) * strides[axis]
    }
    let (square, cube) = (t * t, t * t * t)
    return (
      places,
      SIMD4(
        -0.5 * t + square - 0.5 * cube, 1 - 2.5 * square + 1.5 * cube,
        0.5 * t + 2 * square - 1.5 * cube, -0.5 * square + 0.5 * cube)
    )
  }
}
