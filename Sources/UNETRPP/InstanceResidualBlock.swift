import Tensors

/// The three activations at full resolution that its two residual blocks share.
struct FullResolution {
  let a, b, c: Activation
  let scratch: UnsafeMutablePointer<Float>
}

/// The residual block at full resolution (decoder2): lrelu(IN(conv2(lrelu(IN(conv1 x)))) + x) with
/// InstanceNorm, whose statistics are those of the present patch. Normalised values are never
/// stored: the next layer normalises what it reads.
final class InstanceResidualBlock {
  private let conv1: Convolution3x3x3
  private let conv2: Convolution3x3x3
  private let norm1: Normalisation
  let norm2: Normalisation

  init(
    _ weights: Weights, grid: Grid, channels: Int, compute: Compute
  ) throws(NetworkError) {
    func convolution(_ name: String) throws(NetworkError) -> Convolution3x3x3 {
      Convolution3x3x3(
        weights: try weights("\(name).conv.weight"), bias: nil, inputChannels: channels,
        outputChannels: channels, grid: grid,
        method: ConvolutionPlan.filtering(
          grid: grid, inputChannels: channels, outputChannels: channels),
        compute: compute)
    }
    conv1 = try convolution("conv1")
    conv2 = try convolution("conv2")
    norm1 = Normalisation(instance: channels)
    norm2 = Normalisation(instance: channels)
  }

  /// The block but for its last step: full.c = conv2(lrelu(IN(conv1 x))) with x = full.a; the output
  /// is lrelu(norm2(full.c) + full.a).
  func callAsFunction(_ full: FullResolution, compute: Compute) {
    let (voxels, c) = (full.a.tokens, full.a.channels)
    compute.timed(
      "3x3x3 convolution, full resolution", multiplyAdds: 54 * voxels * c * c,
      bytes: 16 * voxels * c
    ) {
      conv1(
        full.a.voxels, into: full.b.voxels, measuredBy: norm1, scratch: full.scratch,
        compute: compute)
      conv2(
        full.b.voxels, normalisedBy: norm1, into: full.c.voxels, measuredBy: norm2,
        scratch: full.scratch, compute: compute)
    }
  }
}

/// The residual block on the network's input (encoder1): as `InstanceResidualBlock`, but the
/// shortcut is IN(conv3 x) with a 1x1x1 convolution where the channels differ.
final class InputResidualBlock {
  private let conv1: Convolution3x3x3
  private let conv2: Convolution3x3x3
  private let norm1: Normalisation
  private let norm2: Normalisation
  private let shortcut: PlanarShortcut?
  private let inputChannels: Int

  init(
    _ weights: Weights, grid: Grid, inputChannels: Int, channels: Int, compute: Compute
  ) throws(NetworkError) {
    self.inputChannels = inputChannels
    conv1 = Convolution3x3x3(
      weights: try weights("conv1.conv.weight"), bias: nil, inputChannels: inputChannels,
      outputChannels: channels, grid: grid, compute: compute)
    conv2 = Convolution3x3x3(
      weights: try weights("conv2.conv.weight"), bias: nil, inputChannels: channels,
      outputChannels: channels, grid: grid,
      method: ConvolutionPlan.filtering(
        grid: grid, inputChannels: channels, outputChannels: channels),
      compute: compute)
    norm1 = Normalisation(instance: channels)
    norm2 = Normalisation(instance: channels)
    shortcut =
      inputChannels == channels
      ? nil
      : PlanarShortcut(
        weights: try weights("conv3.conv.weight"), inputChannels: inputChannels,
        outputChannels: channels)
  }

  /// The block but for its last step, `row`: full.b = conv2(lrelu(IN(conv1 x))).
  /// - Parameters:
  ///   - input: planar (C, D, H, W).
  ///   - x: its place with a halo, which may be that of full.b.
  ///   - full: the activations at full resolution.
  ///   - compute: the kernels and worker threads.
  func callAsFunction(
    _ input: UnsafePointer<Float>, x: HaloActivation, full: FullResolution, compute: Compute
  ) {
    let (voxels, channels) = (full.a.tokens, full.a.channels)
    compute.timed(
      "first convolution, its statistics and the shortcut's",
      multiplyAdds: 27 * voxels * inputChannels * channels,
      bytes: 4 * voxels * (channels + 4 * inputChannels)
    ) {
      compute.interleave(input, into: x)
      conv1(
        x.voxels, into: full.a.voxels, measuredBy: norm1, scratch: full.scratch, compute: compute)
      shortcut?.measure(input, voxels: voxels, compute: compute)
    }
    compute.timed(
      "3x3x3 convolution, full resolution", multiplyAdds: 27 * voxels * channels * channels,
      bytes: 8 * voxels * channels
    ) {
      conv2(
        full.a.voxels, normalisedBy: norm1, into: full.b.voxels, measuredBy: norm2,
        scratch: full.scratch, compute: compute)
    }
  }

  /// Row (z, y) of the block's output, from full.b.
  func row(
    _ z: Int, _ y: Int, of full: FullResolution, input: UnsafePointer<Float>,
    into target: UnsafeMutablePointer<Float>, compute: Compute
  ) {
    let (grid, channels) = (full.b.grid, full.b.channels)
    let first = (z * grid.height + y) * grid.width
    guard let shortcut else {
      // The input has the output's channels.
      compute.interleaveRow(
        input + first, plane: grid.voxels, channels: channels, count: grid.width, into: target)
      return norm2.activateRow(
        full.b.data + first * channels, plus: target, into: target, count: grid.width,
        compute: compute)
    }
    shortcut.activateRow(
      full.b.data + first * channels, normalisedBy: norm2, plus: input, voxels: grid.voxels,
      first: first, into: target, count: grid.width, compute: compute)
  }
}
