import Tensors

/// The residual block of the token grids: lrelu(BN(conv2(lrelu(BN(conv1 x)))) + x), with BatchNorm
/// folded into the convolutions.
final class ResidualBlock {
  private let conv1: Convolution3x3x3
  private let conv2: Convolution3x3x3

  init(_ weights: Weights, channels: Int, compute: Compute) throws(NetworkError) {
    conv1 = try Self.convolution(weights, 1, channels, compute)
    conv2 = try Self.convolution(weights, 2, channels, compute)
  }

  private static func convolution(
    _ weights: Weights, _ index: Int, _ channels: Int, _ compute: Compute
  ) throws(NetworkError) -> Convolution3x3x3 {
    let norm = weights.part("norm\(index)")
    let (folded, bias) = BatchNorm.fold(
      weights: try weights("conv\(index).conv.weight"), weight: try norm("weight"),
      bias: try norm("bias"), mean: try norm("running_mean"), variance: try norm("running_var"))
    return Convolution3x3x3(
      weights: folded, bias: bias, inputChannels: channels, outputChannels: channels,
      compute: compute)
  }

  /// x -> x, in place, with `hidden` for the values between the convolutions.
  func callAsFunction(_ x: HaloActivation, hidden: HaloActivation, compute: Compute) {
    conv1.activated(x, into: hidden, compute: compute)
    conv2.activated(hidden, plus: x, into: x, compute: compute)
  }

  /// x -> output.
  func callAsFunction(
    _ x: HaloActivation, hidden: HaloActivation, into output: Activation, compute: Compute
  ) {
    conv1.activated(x, into: hidden, compute: compute)
    conv2.activated(hidden, plus: x, into: output, compute: compute)
  }
}
