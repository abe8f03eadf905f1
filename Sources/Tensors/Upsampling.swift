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
    let taps = kernel.voxels
    // For each (kz, ky) a matrix that yields a whole output row: columns [kx][output].
    for (index, line) in lines.enumerated() {
      for x in 0..<kernel.width {
        line.matrix.pack(
          weights + index * kernel.width + x, columnStride: taps, first: x * outputChannels,
          count: outputChannels, rows: (1, 0), (inputChannels, outputChannels * taps))
      }
    }
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
    compute.run(blocks: input.grid.rows) { row, _ in
      let (z, y) = row.quotientAndRemainder(dividingBy: input.grid.height)
      for dz in 0..<kernel.depth {
        for dy in 0..<kernel.height {
          let (toZ, toY) = (z * kernel.depth + dz, y * kernel.height + dy)
          let target = output.data + toZ * output.plane + toY * output.row
          skip(toZ, toY, target)
          compute.product(
            lines[dz * kernel.height + dy].matrix, input.data + row * input.row, into: target,
            stride: kernel.width * outputChannels, count: input.grid.width, accumulates: true)
        }
      }
    }
  }
}
