/// A 1x1x1 convolution with bias.
public final class PointwiseConvolution {
  private let weights: Parameters
  private let bias: Parameters
  private let inputChannels: Int
  private let outputChannels: Int
  private static let blockVoxels = 1024

  /// - Parameter weights: [output][input].
  public init(weights: [Float], bias: [Float], inputChannels: Int, outputChannels: Int) {
    self.weights = Parameters(weights)
    self.bias = Parameters(bias)
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
  }

  /// output += convolution(input) + bias.
  public func add(_ input: Activation, to output: Activation, compute: Compute) {
    blocks(input.tokens, compute) { first, count in
      let target = output.data + first * outputChannels
      multiply(
        Matrix(input.data + first * inputChannels, stride: inputChannels),
        Matrix(weights.pointer, stride: inputChannels).transposed, into: target,
        stride: outputChannels, rows: count, columns: outputChannels, inner: inputChannels, beta: 1)
      compute.add(bias: bias, to: target, count: count, channels: outputChannels)
    }
  }

  /// output (planar: K, D, H, W) = convolution(input) + bias.
  public func planar(
    _ input: Activation, into output: UnsafeMutablePointer<Float>, compute: Compute
  ) {
    let voxels = input.tokens
    blocks(voxels, compute) { first, count in
      for channel in 0..<outputChannels {
        (output + channel * voxels + first).update(
          repeating: bias.pointer[channel], count: count)
      }
      multiply(
        Matrix(weights.pointer, stride: inputChannels),
        Matrix(input.data + first * inputChannels, stride: inputChannels).transposed,
        into: output + first, stride: voxels, rows: outputChannels, columns: count,
        inner: inputChannels, beta: 1)
    }
  }

  private func blocks(
    _ voxels: Int, _ compute: Compute, _ body: (_ first: Int, _ count: Int) -> Void
  ) {
    compute.run(blocks: (voxels + Self.blockVoxels - 1) / Self.blockVoxels) { block, _ in
      let first = block * Self.blockVoxels
      body(first, min(Self.blockVoxels, voxels - first))
    }
  }
}
