import CKernels

/// Weighted sums of the classes' probabilities, of which each patch adds its share row by row.
public struct ProbabilitySums: Sendable {
  // A constant table of C functions without state.
  private nonisolated(unsafe) let kernels: KernelTable

  /// - Returns: nil if the machine lacks the instruction set.
  public init?(instructions: InstructionSet) {
    guard let table = kernelsNamed(instructions.rawValue) else { return nil }
    kernels = table.pointee
  }

  /// With the fastest instruction set of this machine, or the one that SEGMENTD_ISA names.
  public init() { kernels = kernelsBest().pointee }

  /// sums[k][x] += share * weights[x] * softmax over k of logits[k][x], for `count` voxels of a row.
  ///
  /// - Parameters:
  ///   - logits: class k at `logitsPlane * k`.
  ///   - logitsPlane: distance between the classes of the logits.
  ///   - classes: the number of classes.
  ///   - weights: one for each sum; nil for 1.
  ///   - share: factor of the whole row.
  ///   - isReversed: whether the logits are in the opposite order, the last voxel's first.
  ///   - sums: class k at `sumsPlane * k`.
  ///   - sumsPlane: distance between the classes of the sums.
  ///   - count: voxels in the row.
  public func add(
    _ logits: UnsafePointer<Float>, logitsPlane: Int, classes: Int, weights: UnsafePointer<Float>?,
    share: Float, isReversed: Bool, to sums: UnsafeMutablePointer<Float>, sumsPlane: Int,
    count: Int
  ) {
    kernels.addProbabilities(
      logits, Int64(logitsPlane), Int32(classes), weights, share, isReversed, sums,
      Int64(sumsPlane), Int64(count))
  }
}
