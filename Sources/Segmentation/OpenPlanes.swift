/// Weighted sums of overlapping patches, in single precision as in the reference, over the planes of
/// an image that further patches may still reach.
struct OpenPlanes {
  private let grid: PatchGrid
  private let shape: [Int]
  private let classes: Int
  /// Planes that are held: those of one layer of patches.
  private let depth: Int
  /// Plane z of the image lies at z modulo `depth`: class, y, x.
  private var sums: [Float]
  /// The weights of a patch's voxels; empty for a single patch, whose weights are 1.
  private let weights: [Float]
  private let weightSums: [[Double]]
  /// Planes of the image that were handed over.
  private var done = 0

  init(_ grid: PatchGrid, shape: [Int], classes: Int) {
    self.grid = grid
    self.shape = shape
    self.classes = classes
    depth = min(grid.patch[0], shape[0])
    sums = [Float](repeating: 0, count: Self.floatCount(grid, shape: shape, classes: classes))
    weights = grid.starts.count > 1 ? PatchGrid.importance(patch: grid.patch) : []
    weightSums = grid.weightSums()
  }

  static func floatCount(_ grid: PatchGrid, shape: [Int], classes: Int) -> Int {
    min(grid.patch[0], shape[0]) * classes * shape[1] * shape[2]
  }

  /// Adds a patch (class, z, y, x) that begins at `start` in the padded image; what lies beyond the
  /// image is left out.
  mutating func add(_ values: [Float], at start: [Int]) {
    let (shape, classes, depth, patch) = (shape, classes, depth, grid.patch)
    let place = zip(start, grid.before).map { $0 - $1 }
    let (size, plane) = (patch.reduce(1, *), shape[1] * shape[2])
    let columns = max(0, -place[2])..<min(patch[2], shape[2] - place[2])
    let isWeighted = !weights.isEmpty
    sums.withUnsafeMutableBufferPointer { sums in
      values.withUnsafeBufferPointer { values in
        weights.withUnsafeBufferPointer { weights in
          for row in 0..<patch[0] * patch[1] {
            let (z, y) = (place[0] + row / patch[1], place[1] + row % patch[1])
            guard z >= 0, z < shape[0], y >= 0, y < shape[1] else { continue }
            let target = z % depth * classes * plane + y * shape[2] + place[2]
            let source = row * patch[2]
            for index in 0..<classes {
              let (to, from) = (target + index * plane, source + index * size)
              if isWeighted {
                for x in columns { sums[to + x] += weights[source + x] * values[from + x] }
              } else {
                for x in columns { sums[to + x] += values[from + x] }
              }
            }
          }
        }
      }
    }
  }

  /// Hands over the planes before z of the padded image, and makes room for others.
  mutating func finish(
    before z: Int, _ planeDone: (UnsafeBufferPointer<Float>) throws -> Void
  ) rethrows {
    let count = classes * shape[1] * shape[2]
    let end = min(z - grid.before[0], shape[0])
    while done < end {
      let first = done % depth * count
      divide(first, z: done + grid.before[0])
      try sums.withUnsafeMutableBufferPointer { sums in
        let plane = UnsafeMutableBufferPointer(rebasing: sums[first..<first + count])
        try planeDone(UnsafeBufferPointer(plane))
        plane.update(repeating: 0)
      }
      done += 1
    }
  }

  /// Turns the sums of a plane into means.
  private mutating func divide(_ first: Int, z: Int) {
    guard !weights.isEmpty else { return }
    let (rows, columns) = (weightSums[1], weightSums[2])
    let (height, width) = (shape[1], shape[2])
    let offset = grid.before
    let depthSum = weightSums[0][z]
    var divisors = [Float](repeating: 0, count: width)
    sums.withUnsafeMutableBufferPointer { sums in
      for y in 0..<height {
        let row = depthSum * rows[y + offset[1]]
        for x in 0..<width { divisors[x] = Float(row * columns[x + offset[2]]) }
        for index in 0..<classes {
          let target = first + (index * height + y) * width
          for x in 0..<width { sums[target + x] /= divisors[x] }
        }
      }
    }
  }
}
