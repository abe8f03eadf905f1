import Tensors
import UNETRPP

/// One transformer block: t = x + position; u = t + gamma · EPA(LayerNorm(t)); r = residual
/// block(s) of u; out = u + conv8(dropout(r)).
final class TransformerLayer {
  private let channels, voxels, batch: Int
  private let norm: TokenNorm
  private let attention: PairedAttention
  private let residuals: [TokenResidualBlock]
  private let conv8: RowMap
  private let conv8Weight, conv8Bias: Range<Int>
  /// Number of the layer, for the random numbers of its dropout.
  private let number: Int
  /// t, LayerNorm(t), u; the factors of dropout (batch x channels).
  private let placed, normalised, joined, factors: Slot

  init(_ prefix: String, stage: Int, projection: Int, number: Int, plan: LayerPlan) {
    let grid = plan.description.grid(ofStage: stage)
    channels = plan.description.dims[stage]
    voxels = grid.voxels
    batch = plan.batch
    self.number = number
    norm = TokenNorm(
      "\(prefix).norm", position: "\(prefix).pos_embed", channels: channels, voxels: voxels,
      plan: plan)
    attention = PairedAttention(
      "\(prefix).epa_block", gamma: plan.place("\(prefix).gamma"), tokens: voxels,
      channels: channels, projection: projection, plan: plan)
    residuals = (1...plan.description.blocks.residualBlocks).map {
      TokenResidualBlock(
        "\(prefix).conv5\($0)", grid: grid, channels: plan.description.dims[stage], plan: plan)
    }
    conv8 = RowMap(inputs: channels, outputs: channels)
    conv8Weight = plan.place("\(prefix).conv8.1.weight")
    conv8Bias = plan.place("\(prefix).conv8.1.bias")
    let count = batch * voxels * channels
    placed = plan.keep(count)
    normalised = plan.keep(count)
    joined = plan.keep(count)
    factors = plan.keep(batch * channels)
  }

  private var rows: Int { batch * voxels }
  private var count: Int { rows * channels }

  var scratch: Int {
    Scratch.size(count, count)
      + max(
        attention.scratch, residuals.map(\.scratch).max() ?? 0, conv8.scratch(rows: rows))
  }

  /// x becomes the block's output.
  func forward(_ x: UnsafeMutablePointer<Float>, scratch: Scratch, _ pass: Pass) {
    let compute = pass.compute
    let (placed, normalised) = (pass.arena[placed], pass.arena[normalised])
    let joined = pass.arena[joined]
    norm.forward(x, placed: placed, into: normalised, pass)
    attention.forward(normalised, plus: placed, into: joined, scratch: scratch, pass)
    var result = joined
    for residual in residuals { result = residual.forward(result, scratch: scratch, pass) }
    if let dropout = pass.dropout, pass.isTraining {
      var scratch = scratch
      let kept = scratch.take(count)
      dropout.factors(layer: number, count: batch * channels, into: pass.arena[factors])
      drop(result, into: kept, pass)
      result = kept
    }
    conv8.forward(
      result, weights: pass.values(conv8Weight), bias: pass.values(conv8Bias), plus: joined,
      into: x,
      rows: rows, compute: compute)
  }

  /// Each channel of each sample times its factor.
  private func drop(
    _ x: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    for sample in 0..<batch {
      let first = sample * voxels * channels
      pass.compute.scale(
        x + first, by: pass.arena[factors] + sample * channels, into: result + first, rows: voxels,
        channels: channels)
    }
  }

  /// The gradient of the output becomes that of x; adds to the parameters' gradients.
  func backward(_ gradient: UnsafeMutablePointer<Float>, scratch: Scratch, _ pass: Pass) {
    var scratch = scratch
    let compute = pass.compute
    let other = scratch.take(count)
    let normalised = scratch.take(count)
    backwardConv8(gradient, into: other, kept: normalised, scratch: scratch, pass)
    // The inputs of the residual blocks are u and the blocks' outputs but the last.
    let joined = pass.arena[joined]
    for (index, residual) in residuals.enumerated().reversed() {
      residual.backward(
        index == 0 ? joined : residuals[index - 1].result(pass), gradient: other, scratch: scratch,
        pass)
    }
    compute.add(other, to: gradient, count: count)  // of u
    attention.backward(
      pass.arena[self.normalised], gradient, into: normalised, scratch: scratch, pass)
    norm.backward(pass.arena[placed], normalised, addedTo: gradient, pass)  // of t
  }

  /// The gradient of r, from that of conv8's output.
  private func backwardConv8(
    _ gradient: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>,
    kept: UnsafeMutablePointer<Float>, scratch: Scratch, _ pass: Pass
  ) {
    let compute = pass.compute
    var input = residuals[residuals.count - 1].result(pass)
    let drops = pass.dropout != nil && pass.isTraining
    if drops {
      drop(input, into: kept, pass)
      input = kept
    }
    compute.addColumnSums(gradient, rows: rows, channels: channels, to: pass.gradients(conv8Bias))
    conv8.backwardWeights(
      input, gradient, into: pass.gradients(conv8Weight), rows: rows, scratch: scratch,
      compute: compute)
    conv8.backwardInput(
      gradient, weights: pass.values(conv8Weight), into: result, rows: rows, accumulates: false,
      compute: compute)
    if drops { drop(result, into: result, pass) }
  }
}
