import Tensors

/// One stage of the encoder: a convolution that shrinks the grid, GroupNorm, transformer blocks.
final class EncoderStage {
  private let downsampling: Downsampling
  private let norm: Normalisation
  private let blocks: [TransformerBlock]

  /// Stage 0 reads the network's planar input, the others the stage before.
  init(
    _ weights: Weights, description: NetworkDescription, stage: Int, compute: Compute
  ) throws(NetworkError) {
    let kernel = stage == 0 ? description.stemGrid : Grid(2, 2, 2)
    let input = stage == 0 ? description.inputChannels : description.dims[stage - 1]
    let channels = description.dims[stage]
    let layer = weights.part("downsample_layers.\(stage)")
    downsampling = Downsampling(
      weights: try layer("0.conv.weight"), kernel: kernel, inputChannels: input,
      outputChannels: channels, planarInput: stage == 0, compute: compute)
    // The reference takes as many groups as the convolution has inputs.
    norm = Normalisation(
      channels: channels, groups: input, weight: try layer("1.weight"), bias: try layer("1.bias"))
    var blocks: [TransformerBlock] = []
    for index in 0..<description.depths[stage] {
      blocks.append(
        try TransformerBlock(
          weights.part("stages.\(stage).\(index)"), kind: description.blocks,
          grid: description.grid(ofStage: stage), channels: channels, heads: description.heads,
          projection: description.projections[stage], compute: compute))
    }
    self.blocks = blocks
  }

  /// The convolution and GroupNorm: input -> level.x.
  func shrink(_ input: UnsafePointer<Float>, into level: Level, memory: Memory, compute: Compute) {
    compute.timed(
      "stem and downsampling", multiplyAdds: downsampling.multiplyAdds(level.x.grid),
      bytes: 16 * level.x.tokens * level.x.channels
    ) {
      downsampling(input, into: level.x, scratch: memory.workers, compute: compute)
      norm.measure(level.x, compute: compute)
      norm.apply(level.x, compute: compute)
    }
  }

  /// The transformer blocks, in place.
  func transform(_ level: Level, memory: Memory, compute: Compute) {
    for block in blocks { block(level, scratch: memory.scratch, compute: compute) }
  }
}
