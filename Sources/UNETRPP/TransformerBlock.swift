import Tensors

/// One transformer block: t = x + position; u = t + gamma · EPA(LayerNorm(t)); r = residual
/// block(s) of u; out = u + conv8(r).
final class TransformerBlock {
  private let position: Parameters  // N x C
  private let normWeight, normBias, gamma: Parameters  // C
  private let attention: EPABlock
  private let residuals: [ResidualBlock]
  private let conv8: PointwiseConvolution

  init(
    _ weights: Weights, kind: BlockKind, grid: Grid, channels: Int, heads: Int, projection: Int,
    compute: Compute
  ) throws(NetworkError) {
    position = Parameters(try weights("pos_embed"))
    normWeight = Parameters(try weights("norm.weight"))
    normBias = Parameters(try weights("norm.bias"))
    gamma = Parameters(try weights("gamma"))
    attention = try EPABlock(
      weights.part("epa_block"), kind: kind, tokens: grid.voxels, channels: channels,
      heads: heads, projection: projection)
    var residuals: [ResidualBlock] = []
    for index in 1...kind.residualBlocks {
      residuals.append(
        try ResidualBlock(weights.part("conv5\(index)"), channels: channels, compute: compute))
    }
    self.residuals = residuals
    conv8 = PointwiseConvolution(
      weights: try weights("conv8.1.weight"), bias: try weights("conv8.1.bias"),
      inputChannels: channels, outputChannels: channels)
  }

  /// Memory that all blocks share.
  struct Scratch {
    let normalised: UnsafeMutablePointer<Float>  // N x C
    let update: UnsafeMutablePointer<Float>  // N x C
    let attention: EPABlock.Scratch
  }

  /// x -> out, in place; `halo` and `hidden` are of x's grid and channels.
  func callAsFunction(
    _ x: Activation, halo: HaloActivation, hidden: HaloActivation, scratch: Scratch,
    compute: Compute
  ) {
    let c = x.channels
    let step = EPABlock.Scratch.tokensOfBlock
    compute.run(blocks: (x.tokens + step - 1) / step) { block, _ in
      let first = block * step
      compute.layerNorm(  // t, LayerNorm(t): N x C
        x.data + first * c, position: position.pointer + first * c, weight: normWeight,
        bias: normBias, into: scratch.normalised + first * c, count: min(step, x.tokens - first),
        channels: c)
    }
    attention(
      scratch.normalised, into: scratch.update, scratch: scratch.attention, compute: compute)
    compute.run(blocks: x.grid.rows) { row, _ in
      let (z, y) = row.quotientAndRemainder(dividingBy: x.grid.height)
      compute.scaledResidual(  // u: C x D x H x W
        x, z: z, y: y, update: scratch.update + row * x.grid.width * c, gamma: gamma, copy: halo)
    }
    for residual in residuals.dropLast() { residual(halo, hidden: hidden, compute: compute) }
    let r = Activation(scratch.normalised, x.grid, channels: c)
    residuals.last?(halo, hidden: hidden, into: r, compute: compute)
    conv8.add(r, to: x, compute: compute)
  }
}
