import CKernels

/// The gradient of the weights of a convolution whose kernel equals its stride, or of a transposed
/// one: [coarse channel][fine channel][kz][ky][kx] as PyTorch stores either. The sum over the voxels
/// of the coarse grid of every product of a coarse value with those of its patch of the fine grid;
/// in parts that depend on the sizes alone.
public struct PatchWeightGradient: Sendable {
  let coarse, kernel: Grid
  let coarseChannels, fineChannels, samples: Int
  /// Whether the fine grid's memory is (C, D, H, W), not channels-last.
  let isPlanar: Bool

  /// - Parameters:
  ///   - kernel: size of the kernel, which is its stride too.
  ///   - coarse: the grid of a convolution's output, or of a transposed one's input.
  ///   - coarseChannels: channels there.
  ///   - fineChannels: channels of the finer grid.
  ///   - isPlanar: whether the finer grid's memory is (C, D, H, W), not channels-last.
  ///   - samples: of a batch.
  public init(
    kernel: Grid, coarse: Grid, coarseChannels: Int, fineChannels: Int, isPlanar: Bool = false,
    samples: Int
  ) {
    self.kernel = kernel
    self.coarse = coarse
    self.coarseChannels = coarseChannels
    self.fineChannels = fineChannels
    self.isPlanar = isPlanar
    self.samples = samples
  }

  private var lines: Int { kernel.depth * kernel.height }
  /// Planar channels are taken one by one.
  private var groups: Int { isPlanar ? fineChannels : 1 }
  private var columns: Int { kernel.width * fineChannels / groups }
  /// The parts whose sums are kept apart: few where the weights are more than the voxels.
  private var parts: Int {
    max(1, min(16, samples * coarse.depth, (1 << 16) / (lines * groups * size)))
  }
  private var size: Int { coarseChannels * columns }
  /// Coarse channels of a block.
  private static let channelsOfBlock = 32

  /// The floats of scratch that it needs.
  public var scratch: Int { parts * lines * groups * size }

  /// weights += their gradient.
  /// - Parameters:
  ///   - values: those of the coarser grid, channels-last, sample by sample.
  ///   - fine: values of the finer grid, sample by sample.
  ///   - weights: the result.
  ///   - scratch: as many floats as it needs.
  ///   - compute: the kernels and worker threads.
  public func callAsFunction(
    coarse values: UnsafePointer<Float>, fine: UnsafePointer<Float>,
    addedTo weights: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>,
    compute: Compute
  ) {
    let (slices, units) = (samples * coarse.depth, lines * groups)
    let step = Self.channelsOfBlock
    let pieces = (coarseChannels + step - 1) / step
    compute.run(blocks: parts * units * pieces) { index, _ in
      let (block, piece) = index.quotientAndRemainder(dividingBy: pieces)
      let (part, unit) = block.quotientAndRemainder(dividingBy: units)
      let all = slices * part / parts..<slices * (part + 1) / parts
      // Slices of a channels-last grid are equally far apart, from sample to sample too.
      for first in stride(from: all.lowerBound, to: all.upperBound, by: groups == 1 ? all.count : 1)
      {
        add(
          first..<(groups == 1 ? all.upperBound : first + 1), line: unit / groups,
          group: unit % groups, channels: piece * step..<min(coarseChannels, (piece + 1) * step),
          values, fine, isFirst: first == all.lowerBound, to: scratch + block * size, compute)
      }
    }
    gather(scratch, addedTo: weights, compute)
  }

  private func gather(
    _ sums: UnsafePointer<Float>, addedTo weights: UnsafeMutablePointer<Float>, _ compute: Compute
  ) {
    let step = 8
    compute.run(blocks: (coarseChannels + step - 1) / step) { block, _ in
      addPatchSums(
        sums, Int64(parts), Int64(lines), Int64(groups), Int64(coarseChannels),
        Int64(kernel.width), Int64(fineChannels / groups), Int64(block * step),
        Int64(min(coarseChannels, (block + 1) * step)), weights)
    }
  }

  /// Slices of the coarse grid, of all samples, and line (dz, dy) of their patches.
  private func add(
    _ slices: Range<Int>, line: Int, group: Int, channels: Range<Int>,
    _ values: UnsafePointer<Float>, _ fine: UnsafePointer<Float>, isFirst: Bool,
    to sums: UnsafeMutablePointer<Float>, _ compute: Compute
  ) {
    let (sample, z) = slices.lowerBound.quotientAndRemainder(dividingBy: coarse.depth)
    let (dz, dy) = line.quotientAndRemainder(dividingBy: kernel.height)
    let grid = coarse * kernel
    let row = grid.width * fineChannels / groups
    let first = (z * kernel.depth + dz) * grid.height + dy
    var products = OuterProducts()
    products.aRow = 1
    products.a =
      values + slices.lowerBound * coarse.height * coarse.width * coarseChannels
      + channels.lowerBound
    products.aStride = Int64(coarseChannels)
    products.aLine = Int64(coarse.width * coarseChannels)
    products.b = fine + (sample * groups + group) * grid.rows * row + first * row
    products.bStride = Int64(columns)
    products.bLine = Int64(kernel.height * row)
    products.lines = Int64(slices.count * coarse.height)
    products.linesOfSlice = Int64(coarse.height)
    products.bJump = Int64((kernel.depth - 1) * grid.height * row)
    products.n = Int64(coarse.width)
    products.rows = Int32(channels.count)
    products.columns = Int32(columns)
    products.sums = sums + channels.lowerBound * columns
    products.sumsStride = Int64(columns)
    products.adds = !isFirst
    compute.kernels.outerProducts(&products)
  }
}
