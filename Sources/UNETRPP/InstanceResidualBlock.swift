import Tensors

/// The residual block at full resolution (decoder2): lrelu(IN(conv2(lrelu(IN(conv1 x)))) + x) with
/// InstanceNorm, whose statistics are those of the present patch.
final class InstanceResidualBlock {
  private let conv1: Convolution3x3x3
  private let conv2: Convolution3x3x3
  private let norm1: Normalisation
  private let norm2: Normalisation

  init(_ weights: Weights, channels: Int, compute: Compute) throws(NetworkError) {
    conv1 = Convolution3x3x3(
      weights: try weights("conv1.conv.weight"), bias: nil, inputChannels: channels,
      outputChannels: channels, compute: compute)
    conv2 = Convolution3x3x3(
      weights: try weights("conv2.conv.weight"), bias: nil, inputChannels: channels,
      outputChannels: channels, compute: compute)
    norm1 = Normalisation(instance: channels)
    norm2 = Normalisation(instance: channels)
  }

  /// output = block(x), with `hidden` for the values between the convolutions.
  func callAsFunction(
    _ x: HaloActivation, hidden: HaloActivation, into output: Activation, compute: Compute
  ) {
    conv1(x, into: output, compute: compute)
    norm1.measure(output, compute: compute)
    norm1.activated(output, into: hidden, compute: compute)
    conv2(hidden, into: output, compute: compute)
    norm2.measure(output, compute: compute)
    norm2.activate(output, plus: x, compute: compute)
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

  init(
    _ weights: Weights, inputChannels: Int, channels: Int, compute: Compute
  ) throws(NetworkError) {
    conv1 = Convolution3x3x3(
      weights: try weights("conv1.conv.weight"), bias: nil, inputChannels: inputChannels,
      outputChannels: channels, compute: compute)
    conv2 = Convolution3x3x3(
      weights: try weights("conv2.conv.weight"), bias: nil, inputChannels: channels,
      outputChannels: channels, compute: compute)
    norm1 = Normalisation(instance: channels)
    norm2 = Normalisation(instance: channels)
    shortcut =
      inputChannels == channels
      ? nil
      : PlanarShortcut(
        weights: try weights("conv3.conv.weight"), inputChannels: inputChannels,
        outputChannels: channels)
  }

  /// output = block(input); `input` planar (C, D, H, W), `x` its place with a halo, `hidden` for
  /// the values between the convolutions.
  func callAsFunction(
    _ input: UnsafePointer<Float>, x: HaloActivation, hidden: HaloActivation,
    into output: Activation, compute: Compute
  ) {
    compute.interleave(input, into: x)
    conv1(x, into: output, compute: compute)
    norm1.measure(output, compute: compute)
    norm1.activated(output, into: hidden, compute: compute)
    conv2(hidden, into: output, compute: compute)
    norm2.measure(output, compute: compute)
    guard let shortcut else { return norm2.activate(output, plus: x, compute: compute) }
    shortcut.measure(input, voxels: output.tokens, compute: compute)
    shortcut.activate(output, normalisation: norm2, plus: input, compute: compute)
  }
}
