import Tensors

/// The residual block of the token grids: lrelu(BN(conv2(lrelu(BN(conv1 x)))) + x). What is between
/// the convolutions is normalised as it is read, and never stored.
final class TokenResidualBlock {
  private let conv1, conv2: CubeConvolution
  private let norm1, norm2: ChannelNorm
  private let count: Int
  /// Outputs of the convolutions, the block's output.
  private let first, second, output: Slot

  init(_ prefix: String, grid: Grid, channels: Int, plan: LayerPlan) {
    func convolution(_ index: Int) -> CubeConvolution {
      CubeConvolution(
        "\(prefix).conv\(index).conv", inputs: channels, outputs: channels, grid: grid,
        readsNormalised: index == 2, plan: plan)
    }
    (conv1, conv2) = (convolution(1), convolution(2))
    func norm(_ index: Int) -> ChannelNorm {
      ChannelNorm(
        batch: "\(prefix).norm\(index)", channels: channels, voxels: grid.voxels, plan: plan)
    }
    (norm1, norm2) = (norm(1), norm(2))
    count = plan.batch * grid.voxels * channels
    first = plan.keep(count)
    second = plan.keep(count)
    output = plan.keep(count)
  }

  var scratch: Int { Scratch.size(count, count) + max(conv1.scratch, conv2.scratch) }

  /// The block's output of the last step.
  func result(_ pass: Pass) -> UnsafeMutablePointer<Float> { pass.arena[output] }

  /// The block's output, which stays in place until the next step.
  func forward(
    _ x: UnsafePointer<Float>, scratch: Scratch, _ pass: Pass
  ) -> UnsafeMutablePointer<Float> {
    let (first, second, output) = (pass.arena[first], pass.arena[second], pass.arena[output])
    conv1.forward(x, into: first, measuredBy: norm1, scratch: scratch, pass)
    conv2.forward(
      first, normalisedBy: norm1, into: second, measuredBy: norm2, scratch: scratch, pass)
    norm2.apply(second, plus: x, activated: true, into: output, pass)
    return output
  }

  /// The gradient of the output becomes that of x.
  func backward(
    _ x: UnsafePointer<Float>, gradient: UnsafeMutablePointer<Float>, scratch: Scratch,
    _ pass: Pass
  ) {
    var scratch = scratch
    let (first, second) = (pass.arena[first], pass.arena[second])
    let convolved = scratch.take(count)  // gradients of the second convolution's output
    let read = scratch.take(count)  // and input
    norm2.backward(
      second, gradient, output: pass.arena[output], before: gradient, into: convolved, pass)
    conv2.backwardWeights(first, normalisedBy: norm1, convolved, scratch: scratch, pass)
    conv2.backwardInput(convolved, into: read, scratch: scratch, pass)
    norm1.backward(first, read, activated: true, into: read, pass)
    conv1.backwardWeights(x, read, scratch: scratch, pass)
    conv1.backwardInput(read, plus: gradient, into: gradient, scratch: scratch, pass)
  }
}
