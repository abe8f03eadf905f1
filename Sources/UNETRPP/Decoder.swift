import Tensors

/// One level of the decoder: a transposed convolution that doubles the grid, the encoder's output
/// of that grid added, transformer blocks.
final class DecoderLevel {
  private let upsampling: Upsampling
  private let blocks: [TransformerBlock]

  /// - Parameters:
  ///   - weights: tensors of this level.
  ///   - description: sizes of the network.
  ///   - index: 0 decoder5, 1 decoder4, 2 decoder3.
  ///   - compute: the kernels and worker threads.
  init(
    _ weights: Weights, description: NetworkDescription, index: Int, compute: Compute
  ) throws(NetworkError) {
    let stage = 2 - index
    upsampling = Upsampling(
      weights: try weights("transp_conv.conv.weight"), kernel: Grid(2, 2, 2),
      inputChannels: description.dims[stage + 1], outputChannels: description.dims[stage],
      compute: compute)
    var blocks: [TransformerBlock] = []
    for block in 0..<description.decoderDepths[index] {
      blocks.append(
        try TransformerBlock(
          weights.part("decoder_block.0.\(block)"), kind: description.blocks,
          grid: description.grid(ofStage: stage), channels: description.dims[stage],
          heads: description.heads, projection: description.decoderProjections[index],
          compute: compute))
    }
    self.blocks = blocks
  }

  /// level.x, the encoder's output, becomes this level's output.
  func callAsFunction(
    _ below: Activation, level: Level, memory: Memory, compute: Compute
  ) {
    compute.timed(
      "transposed convolution", multiplyAdds: level.x.tokens * below.channels * level.x.channels,
      bytes: 8 * level.x.tokens * level.x.channels
    ) {
      upsampling(below, plus: level.x, into: level.x, compute: compute)
    }
    for block in blocks { block(level, scratch: memory.scratch, compute: compute) }
  }
}
