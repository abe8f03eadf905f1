import CKernels

/// The last layer: a 1x1x1 convolution with bias from channels-last to planar logits, with the
/// normalisation, residual and LeakyReLU that go before it.
public final class Head {
  private let weights: Parameters
  private let bias: Parameters
  private let channels: Int
  private let classes: Int
  private static let blockVoxels = 4096

  /// - Parameters:
  ///   - weights: [class][channel].
  ///   - bias: one value for each class.
  ///   - channels: channels of the input.
  ///   - classes: labels including the background.
  public init(weights: [Float], bias: [Float], channels: Int, classes: Int) {
    self.weights = Parameters(weights)
    self.bias = Parameters(bias)
    self.channels = channels
    self.classes = classes
  }

  /// Takes new weights, [class][channel], and a new bias; allocates nothing.
  public func load(weights values: UnsafePointer<Float>, bias biases: UnsafePointer<Float>) {
    weights.pointer.update(from: values, count: classes * channels)
    bias.pointer.update(from: biases, count: classes)
  }

  /// logits (K, D, H, W) = convolution of LeakyReLU(normalised input + residual) + bias.
  public func callAsFunction(
    _ input: Activation, normalisedBy normalisation: Normalisation, plus residual: Activation,
    into logits: UnsafeMutablePointer<Float>, compute: Compute
  ) {
    let voxels = input.tokens
    compute.run(blocks: (voxels + Self.blockVoxels - 1) / Self.blockVoxels) { block, _ in
      let first = block * Self.blockVoxels
      compute.kernels.head(
        input.data + first * channels, residual.data + first * channels,
        normalisation.channelAffine, weights.pointer, bias.pointer,
        Int64(min(Self.blockVoxels, voxels - first)), Int32(channels), Int32(classes),
        logits + first, Int64(voxels))
    }
  }

  /// logits (K, D, H, W) = convolution of `voxels` voxels + bias.
  public func callAsFunction(
    _ input: UnsafePointer<Float>, voxels: Int, into logits: UnsafeMutablePointer<Float>,
    compute: Compute
  ) {
    compute.run(blocks: (voxels + Self.blockVoxels - 1) / Self.blockVoxels) { block, _ in
      let first = block * Self.blockVoxels
      compute.kernels.head(
        input + first * channels, nil, ChannelAffine(), weights.pointer, bias.pointer,
        Int64(min(Self.blockVoxels, voxels - first)), Int32(channels), Int32(classes),
        logits + first, Int64(voxels))
    }
  }
}
