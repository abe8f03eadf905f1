import Tensors

/// One transformer block: t = x + position; u = t + gamma · EPA(LayerNorm(t)); r = residual
/// block(s) of u; out = u + conv8(r).
final class TransformerBlock {
  private let position: Parameters  // N x C
  private let normWeight, normBias, gamma: Parameters  // C
  private let attention: EPABlock
  private let residuals: [ResidualBlock]
  private let conv8: Linear

  init(
    _ weights: Weights, kind: BlockKind, grid: Grid, channels: Int, heads: Int, projection: Int,
    compute: Compute
  ) throws(NetworkError) {
    position = try weights.inPlace("pos_embed")
    normWeight = Parameters(try weights("norm.weight"))
    normBias = Parameters(try weights("norm.bias"))
    gamma = Parameters(try weights("gamma"))
    attention = try EPABlock(
      weights.part("epa_block"), kind: kind, tokens: grid.voxels, channels: channels,
      heads: heads, projection: projection, compute: compute)
    var residuals: [ResidualBlock] = []
    for index in 1...kind.residualBlocks {
      residuals.append(
        try ResidualBlock(
          weights.part("conv5\(index)"), grid: grid, channels: channels, compute: compute))
    }
    self.residuals = residuals
    conv8 = Linear(
      weights: try weights("conv8.1.weight"), bias: try weights("conv8.1.bias"),
      inputChannels: channels, outputChannels: channels, compute: compute)
  }

  /// Memory that all blocks share.
  struct Scratch {
    let normalised: UnsafeMutablePointer<Float>  // N x C
    let attention: EPABlock.Scratch
    let convolution: UnsafeMutablePointer<Float>
  }

  /// x -> out, in place.
  func callAsFunction(_ level: Level, scratch: Scratch, compute: Compute) {
    let x = level.x
    let (c, width) = (x.channels, x.grid.width)
    let (volume, hidden) = (level.halo.voxels, level.hidden.voxels)
    let normalised = Activation(scratch.normalised, x.grid, channels: c)
    compute.timed("position and LayerNorm", bytes: 16 * x.tokens * c) {
      compute.planes(x.grid) { z, y, rows in
        for line in y..<y + rows {  // t, LayerNorm(t): N x C
          let first = (z * x.grid.height + line) * width * c
          compute.layerNorm(
            x.data + first, position: position.pointer + first, weight: normWeight,
            bias: normBias, placed: volume.line(z, line), into: normalised.data + first,
            count: width, channels: c)
        }
      }
    }
    attention(  // u: C x D x H x W
      normalised, scale: gamma, plus: volume, into: volume, scratch: scratch.attention,
      compute: compute)
    let convolutions = 54 * residuals.count * x.tokens * c * c
    let bytes = 16 * residuals.count * x.tokens * c
    compute.timed(
      "3x3x3 convolution, token grids", multiplyAdds: convolutions, bytes: bytes
    ) {
      var input = volume
      for residual in residuals.dropLast() {
        residual(
          input, hidden: hidden, into: level.between.voxels, scratch: scratch.convolution,
          compute: compute)
        input = level.between.voxels
      }
      residuals.last?(  // r
        input, hidden: hidden, into: normalised.voxels, scratch: scratch.convolution,
        compute: compute)
    }
    compute.timed("1x1x1 conv8", multiplyAdds: x.tokens * c * c, bytes: 12 * x.tokens * c) {
      conv8(normalised, plus: volume, into: x.voxels, compute: compute)
    }
  }
}
