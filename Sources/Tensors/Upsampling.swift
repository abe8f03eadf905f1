/// A transposed convolution whose kernel equals its stride, without bias, plus a skip connection.
public final class Upsampling {
  private let weights: Parameters
  private let kernel: Grid
  private let inputChannels: Int
  private let outputChannels: Int

  /// - Parameter weights: [input][output][kz][ky][kx], as PyTorch stores them.
  public init(weights: [Float], kernel: Grid, inputChannels: Int, outputChannels: Int) {
    self.kernel = kernel
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    // [kz][ky][input][kx][output]: for each (kz, ky) a matrix that yields a whole output row.
    let taps = kernel.voxels
    let lines = kernel.depth * kernel.height
    var ordered = weights
    for input in 0..<inputChannels {
      for output in 0..<outputChannels {
        for line in 0..<lines {
          for x in 0..<kernel.width {
            ordered[((line * inputChannels + input) * kernel.width + x) * outputChannels + output] =
              weights[(input * outputChannels + output) * taps + line * kernel.width + x]
          }
        }
      }
    }
    self.weights = Parameters(ordered)
  }

  /// output = transposed convolution of `input` + skip; the grid of both is input grid * kernel.
  public func callAsFunction(
    _ input: Activation, plus skip: Activation, into output: Activation, compute: Compute
  ) {
    run(input, skip, compute) { z, y in output.data + z * output.plane + y * output.row }
  }

  /// The same into an activation with a halo.
  public func callAsFunction(
    _ input: Activation, plus skip: Activation, into output: HaloActivation, compute: Compute
  ) {
    run(input, skip, compute) { z, y in output.line(z, y) }
  }

  private func run(
    _ input: Activation, _ skip: Activation, _ compute: Compute,
    _ line: (_ z: Int, _ y: Int) -> UnsafeMutablePointer<Float>
  ) {
    let columns = kernel.width * outputChannels
    compute.run(blocks: input.grid.rows) { row, _ in
      let (z, y) = row.quotientAndRemainder(dividingBy: input.grid.height)
      for dz in 0..<kernel.depth {
        for dy in 0..<kernel.height {
          let (toZ, toY) = (z * kernel.depth + dz, y * kernel.height + dy)
          let target = line(toZ, toY)
          target.update(from: skip.data + toZ * skip.plane + toY * skip.row, count: skip.row)
          multiply(
            Matrix(input.data + row * input.row, stride: inputChannels),
            Matrix(
              weights.pointer + (dz * kernel.height + dy) * inputChannels * columns, stride: columns
            ),
            into: target, stride: columns, rows: input.grid.width, columns: columns,
            inner: inputChannels, beta: 1)
        }
      }
    }
  }
}
