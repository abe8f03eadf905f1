import Tensors
import Volumes

/// Weighted sums of overlapping patches, in single precision as in the reference, over the planes of
/// an image that further patches may still reach.
struct PlaneAccumulator {
  private let grid: PatchGrid
  private let shape: [Int]
  private let classes: Int
  /// Planes that are held: those of one layer of patches.
  private let depth: Int
  /// Plane z of the image is at z modulo `depth`: class, y, x.
  private var sums: [Float]
  /// The weights of a patch's voxels; empty for a single patch, whose weights are 1.
  private let weights: [Float]
  private let weightSums: [[Double]]
  private let probabilities: ProbabilitySums
  /// Planes of the image that were handed over.
  private var done = 0

  /// What it holds between two patches.
  struct State {
    var done: Int
    var sums: [Float]
  }

  var state: State { State(done: done, sums: sums) }

  /// Continues from a state; from the beginning where there is none. An instruction set is one of this machine; nil for
  /// its fastest.
  init(
    _ grid: PatchGrid, shape: [Int], classes: Int, state: State? = nil,
    instructionSet: InstructionSet? = nil
  ) {
    probabilities =
      instructionSet.flatMap { ProbabilitySums(instructions: $0) } ?? ProbabilitySums()
    self.grid = grid
    self.shape = shape
    self.classes = classes
    depth = min(grid.patch[0], shape[0])
    sums =
      state?.sums
      ?? [Float](repeating: 0, count: Self.floatCount(grid, shape: shape, classes: classes))
    done = state?.done ?? 0
    weights = grid.starts.count > 1 ? PatchGrid.importance(patch: grid.patch) : []
    weightSums = grid.weightSums()
  }

  static func floatCount(_ grid: PatchGrid, shape: [Int], classes: Int) -> Int {
    min(grid.patch[0], shape[0]) * classes * shape[1] * shape[2]
  }

  /// Adds the probabilities of a patch that begins at `start` in the padded image; what is beyond
  /// the image is left out.
  ///
  /// - Parameters:
  ///   - logits: class, z, y, x of the patch mirrored along the axes of `mirroring`.
  ///   - mirroring: bits of the mirrored axes: 1 for x, 2 for y, 4 for z.
  ///   - share: how much they count among the mirrorings of the patch.
  ///   - start: z, y, x of the patch's first voxel.
  mutating func add(
    _ logits: UnsafeBufferPointer<Float>, mirroring: Int, share: Float, at start: [Int]
  ) {
    let (shape, classes, depth, patch) = (shape, classes, depth, grid.patch)
    let place = zip(start, grid.before).map { $0 - $1 }
    let (size, plane) = (patch.reduce(1, *), shape[1] * shape[2])
    let columns = max(0, -place[2])..<min(patch[2], shape[2] - place[2])
    let isReversed = mirroring & 1 != 0
    let firstColumn = isReversed ? patch[2] - columns.upperBound : columns.lowerBound
    let probabilities = probabilities
    sums.withUnsafeMutableBufferPointer { sumsBuffer in
      weights.withUnsafeBufferPointer { weightsBuffer in
        guard let sumsBase = sumsBuffer.baseAddress, let logitsBase = logits.baseAddress
        else { return }
        // Each row of the sums is written by one thread.
        nonisolated(unsafe) let (sums, logits) = (sumsBase, logitsBase)
        nonisolated(unsafe) let weights = weightsBuffer.isEmpty ? nil : weightsBuffer.baseAddress
        inParallel(patch[0] * patch[1], worthwhile: classes * size > 100_000) { rows in
          for row in rows {
            let (patchZ, patchY) = row.quotientAndRemainder(dividingBy: patch[1])
            let (z, y) = (place[0] + patchZ, place[1] + patchY)
            guard z >= 0, z < shape[0], y >= 0, y < shape[1] else { continue }
            let sourceZ = mirroring & 4 != 0 ? patch[0] - 1 - patchZ : patchZ
            let sourceY = mirroring & 2 != 0 ? patch[1] - 1 - patchY : patchY
            let x = columns.lowerBound
            probabilities.add(
              logits + (sourceZ * patch[1] + sourceY) * patch[2] + firstColumn, logitsPlane: size,
              classes: classes, weights: weights.map { $0 + row * patch[2] + x }, share: share,
              isReversed: isReversed,
              to: sums + z % depth * classes * plane + y * shape[2] + place[2] + x,
              sumsPlane: plane, count: columns.count)
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
    let classes = classes
    sums.withUnsafeMutableBufferPointer { sums in
      // Each row is written by one thread.
      nonisolated(unsafe) let sums = sums
      inParallel(height, worthwhile: classes * height * width > 100_000) { share in
        let divisors = UnsafeMutablePointer<Float>.allocate(capacity: width)
        defer { divisors.deallocate() }
        for y in share {
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
}
