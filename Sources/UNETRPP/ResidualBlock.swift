import Tensors

/// The residual block of the token grids: lrelu(BN(conv2(lrelu(BN(conv1 x)))) + x), with BatchNorm
/// folded into the convolutions.
final class ResidualBlock {
  private let conv1: Convolution3x3x3
  private let conv2: Convolution3x3x3

  init(
    _ weights: Weights, grid: Grid, channels: Int, compute: Compute
  ) throws(NetworkError) {
    conv1 = try Self.convolution(weights, 1, grid, channels, compute)
    conv2 = try Self.convolution(weights, 2, grid, channels, compute)
  }

  private static func convolution(
    _ weights: Weights, _ index: Int, _ grid: Grid, _ channels: Int, _ compute: Compute
  ) throws(NetworkError) -> Convolution3x3x3 {
    let norm = weights.part("norm\(index)")
    let (folded, bias) = BatchNorm.fold(
      weights: try weights("conv\(index).conv.weight"), weight: try norm("weight"),
      bias: try norm("bias"), mean: try norm("running_mean"), variance: try norm("running_var"))
    return Convolution3x3x3(
      weights: folded, bias: bias, inputChannels: channels, outputChannels: channels,
      grid: grid, compute: compute)
  }

  /// output = block(x), with `hidden` for the values between the convolutions; both of these with a
  /// halo.
  func callAsFunction(
    _ x: Voxels, hidden: Voxels, into output: Voxels, scratch: UnsafeMutablePointer<Float>,
    compute: Compute
  ) {
    conv1(x, activated: true, into: hidden, scratch: scratch, compute: compute)
    conv2(hidden, plus: x, activated: true, into: output, scratch: scratch, compute: compute)
  }
}
