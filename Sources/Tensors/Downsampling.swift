import CKernels

/// A convolution whose kernel equals its stride, without bias: every output voxel is the product of
/// one patch with the weights.
public final class Downsampling {
  private let linear: Linear
  private let kernel: Grid
  private let inputChannels: Int
  private let outputChannels: Int
  private let isPlanar: Bool

  /// - Parameters:
  ///   - weights: [output][input][kz][ky][kx], as PyTorch stores them.
  ///   - kernel: size of the kernel, which is its stride too.
  ///   - inputChannels: channels of the input.
  ///   - outputChannels: channels of the output.
  ///   - planarInput: the input is (C, D, H, W), the network's own; otherwise channels-last.
  ///   - compute: the kernels and worker threads.
  public convenience init(
    weights: [Float], kernel: Grid, inputChannels: Int, outputChannels: Int, planarInput: Bool,
    compute: Compute
  ) {
    self.init(
      kernel: kernel, inputChannels: inputChannels, outputChannels: outputChannels,
      planarInput: planarInput, compute: compute)
    weights.withUnsafeBufferPointer { if let base = $0.baseAddress { load(weights: base) } }
  }

  /// A convolution whose weights are zero until they are loaded; the parameters as above.
  public init(
    kernel: Grid, inputChannels: Int, outputChannels: Int, planarInput: Bool, compute: Compute
  ) {
    self.kernel = kernel
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    isPlanar = planarInput
    linear = Linear(
      inputChannels: kernel.voxels * inputChannels, outputChannels: outputChannels,
      compute: compute)
  }

  /// Takes new weights, [output][input][kz][ky][kx]; allocates nothing. Those of a transposed
  /// convolution, [its input][its output][kz][ky][kx], make this its input gradient.
  public func load(weights: UnsafePointer<Float>) {
    guard !isPlanar else { return linear.load(weights: weights) }
    load(columns: 0..<outputChannels, of: weights)
  }

  /// The same, by all threads.
  public func load(weights: UnsafePointer<Float>, compute: Compute) {
    guard !isPlanar else { return linear.load(weights: weights) }
    let step = 32
    compute.run(blocks: (outputChannels + step - 1) / step) { block, _ in
      load(columns: block * step..<min(outputChannels, (block + 1) * step), of: weights)
    }
  }

  /// Rows in the order of channels-last memory: [kz][ky][kx][input].
  private func load(columns: Range<Int>, of weights: UnsafePointer<Float>) {
    let taps = kernel.voxels
    linear.matrix.pack(
      weights + columns.lowerBound * inputChannels * taps, columnStride: inputChannels * taps,
      first: columns.lowerBound, count: columns.count, rows: (taps, 1), (inputChannels, taps))
  }

  private var columns: Int { kernel.voxels * inputChannels }

  /// Multiplications for an output grid.
  public func multiplyAdds(_ output: Grid) -> Int { output.voxels * columns * outputChannels }

  /// The floats of scratch that each worker needs for an output grid.
  public func scratch(_ output: Grid, lines: Int = 1) -> Int { lines * output.width * columns }

  /// output (channels-last, grid = input grid / kernel) = convolution of `input`.
  /// - Parameters:
  ///   - input: the voxels, planar or channels-last as given to the initialiser.
  ///   - output: channels-last, its grid that of the input divided by the kernel.
  ///   - lines: rows of the output that are computed at once: several fill the register tiles of
  ///     narrow grids.
  ///   - scratch: room for every worker.
  ///   - compute: the kernels and worker threads.
  public func callAsFunction(
    _ input: UnsafePointer<Float>, into output: Activation, lines: Int = 1,
    scratch: UnsafeMutablePointer<Float>, compute: Compute
  ) {
    let (rows, width) = (output.grid.rows, output.grid.width)
    let pieces = (rows + lines - 1) / lines
    // A few rows are shared out by output channels, each thread with weights of its own.
    let parts = lines > 1 && pieces < 16 ? linear.matrix.blocks : 1
    compute.run(blocks: pieces * parts) { block, worker in
      let (piece, part) = block.quotientAndRemainder(dividingBy: parts)
      let patches = scratch + worker * self.scratch(output.grid, lines: lines)
      let here = piece * lines..<min(rows, (piece + 1) * lines)
      for row in here {
        gather(
          input, output.grid, row,
          into: patches + (row - here.lowerBound) * width * columns, compute)
      }
      linear.rows(
        patches, into: output.data + here.lowerBound * output.row, count: here.count * width,
        block: parts > 1 ? part : nil, compute: compute)
    }
  }

  /// One output row's patches; from channels-last input their columns are ordered [kz][ky][kx][c].
  private func gather(
    _ input: UnsafePointer<Float>, _ output: Grid, _ row: Int,
    into patches: UnsafeMutablePointer<Float>, _ compute: Compute
  ) {
    let grid = output * kernel
    let (z, y) = row.quotientAndRemainder(dividingBy: output.height)
    guard !isPlanar else {
      return gatherPlanar(
        input, Int64(inputChannels), Int64(grid.depth), Int64(grid.height), Int64(grid.width),
        Int64(kernel.depth), Int64(kernel.height), Int64(kernel.width), Int64(z), Int64(y),
        patches)
    }
    let run = kernel.width * inputChannels
    for dz in 0..<kernel.depth {
      for dy in 0..<kernel.height {
        let line = (z * kernel.depth + dz) * grid.height + y * kernel.height + dy
        compute.kernels.spread(
          input + line * grid.width * inputChannels, Int64(run), Int64(output.width),
          patches + (dz * kernel.height + dy) * run, Int64(columns))
      }
    }
  }
}
