/// A transposed convolution whose kernel equals its stride, without bias, plus a skip connection.
public final class Upsampling {
  private let lines: [Linear]  // for each (kz, ky)
  private let kernel: Grid
  private let inputChannels: Int
  private let outputChannels: Int

  /// - Parameters:
  ///   - weights: [input][output][kz][ky][kx], as PyTorch stores them.
  ///   - kernel: size of the kernel, which is its stride too.
  ///   - inputChannels: channels of the input.
  ///   - outputChannels: channels of the output.
  ///   - compute: the kernels and worker threads.
  public convenience init(
    weights: [Float], kernel: Grid, inputChannels: Int, outputChannels: Int, compute: Compute
  ) {
    self.init(
      kernel: kernel, inputChannels: inputChannels, outputChannels: outputChannels,
      compute: compute)
    weights.withUnsafeBufferPointer { if let base = $0.baseAddress { load(weights: base) } }
  }

  /// A convolution whose weights are zero until they are loaded; the parameters as above.
  public init(kernel: Grid, inputChannels: Int, outputChannels: Int, compute: Compute) {
    self.kernel = kernel
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    lines = (0..<kernel.depth * kernel.height).map { _ in
      Linear(
        inputChannels: inputChannels, outputChannels: kernel.width * outputChannels,
        compute: compute)
    }
  }

  /// Takes new weights, [input][output][kz][ky][kx]; allocates nothing. Those of a convolution whose
  /// kernel equals its stride, [its output][its input][kz][ky][kx], make this its input gradient.
  public func load(weights: UnsafePointer<Float>) {
    for tap in 0..<kernel.voxels { load(tap, of: weights) }
  }

  /// The same, by all threads.
  public func load(weights: UnsafePointer<Float>, compute: Compute) {
    compute.run(blocks: kernel.voxels) { tap, _ in load(tap, of: weights) }
  }

  /// For each (kz, ky) a matrix that yields a whole output row: columns [kx][output].
  private func load(_ tap: Int, of weights: UnsafePointer<Float>) {
    let taps = kernel.voxels
    lines[tap / kernel.width].matrix.pack(
      weights + tap, columnStride: taps, first: tap % kernel.width * outputChannels,
      count: outputChannels, rows: (1, 0), (inputChannels, outputChannels * taps))
  }

  /// output = transposed convolution of `input` + skip; the grid of both is input grid * kernel.
  public func callAsFunction(
    _ input: Activation, plus skip: Activation, into output: Activation, compute: Compute
  ) {
    callAsFunction(input, into: output, compute: compute) { z, y, target in
      let source = skip.data + z * skip.plane + y * skip.row
      if source != target { target.update(from: source, count: skip.row) }
    }
  }

  /// output = transposed convolution of `input` + skip.
  /// - Parameters:
  ///   - input: channels-last, the coarser grid.
  ///   - output: channels-last, the finer grid.
  ///   - compute: the kernels and worker threads.
  ///   - skip: writes row (z, y) of the skip connection into its place in the output.
  public func callAsFunction(
    _ input: Activation, into output: Activation, compute: Compute,
    skip: (_ z: Int, _ y: Int, _ target: UnsafeMutablePointer<Float>) -> Void
  ) {
    // Narrow grids: several rows at a time fill the register tiles.
    let (height, width) = (input.grid.height, input.grid.width)
    let most = max(1, min(height, 48 / width))
    let pieces = (height + most - 1) / most
    compute.run(blocks: input.grid.depth * pieces) { block, _ in
      let (z, piece) = block.quotientAndRemainder(dividingBy: pieces)
      let rows = piece * most..<min(height, (piece + 1) * most)
      for dz in 0..<kernel.depth {
        for dy in 0..<kernel.height {
          let plane = output.data + (z * kernel.depth + dz) * output.plane
          for y in rows {
            let toY = y * kernel.height + dy
            skip(z * kernel.depth + dz, toY, plane + toY * output.row)
          }
          compute.product(
            lines[dz * kernel.height + dy].matrix,
            input.data + (z * height + rows.lowerBound) * input.row,
            addedTo: plane + (rows.lowerBound * kernel.height + dy) * output.row,
            stride: kernel.width * outputChannels, line: (width, kernel.height * output.row),
            count: rows.count * width)
        }
      }
    }
  }
}
