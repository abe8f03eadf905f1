import Tensors
import UNETRPP

/// One stage of the encoder: a convolution that shrinks the grid, GroupNorm, transformer blocks.
final class EncoderStageLayer {
  private let convolution: StridedConvolution
  private let norm: ChannelNorm
  private let blocks: [TransformerLayer]
  private let count: Int
  private let shrunk: Slot

  /// - Parameters:
  ///   - stage: 0...3; stage 0 reads the network's planar input.
  ///   - number: of the next transformer block; counts on.
  ///   - plan: where parameters and activations are.
  init(stage: Int, number: inout Int, plan: LayerPlan) {
    let d = plan.description
    let prefix = "unetr_pp_encoder.downsample_layers.\(stage)"
    let inputs = stage == 0 ? d.inputChannels : d.dims[stage - 1]
    let grid = d.grid(ofStage: stage)
    convolution = StridedConvolution(
      "\(prefix).0.conv", kernel: stage == 0 ? d.stemGrid : Grid(2, 2, 2), inputs: inputs,
      outputs: d.dims[stage], grid: grid, planarInput: stage == 0, plan: plan)
    // The reference takes as many groups as the convolution has inputs.
    norm = ChannelNorm(
      "\(prefix).1", channels: d.dims[stage], groups: inputs, voxels: grid.voxels, plan: plan)
    let first = number
    blocks = (0..<d.depths[stage]).map {
      TransformerLayer(
        "unetr_pp_encoder.stages.\(stage).\($0)", stage: stage, projection: d.projections[stage],
        number: first + $0, plan: plan)
    }
    number += blocks.count
    count = plan.batch * grid.voxels * d.dims[stage]
    shrunk = plan.keep(count)
  }

  var scratch: Int {
    max(Scratch.size(count) + convolution.scratch, blocks.map(\.scratch).max() ?? 0)
  }

  func forward(
    _ below: UnsafePointer<Float>, into x: UnsafeMutablePointer<Float>, scratch: Scratch,
    _ pass: Pass
  ) {
    let shrunk = pass.arena[shrunk]
    convolution.forward(below, into: shrunk, scratch: scratch, pass)
    norm.measure(shrunk, pass)
    norm.apply(shrunk, activated: false, into: x, pass)
    for block in blocks { block.forward(x, scratch: scratch, pass) }
  }

  /// Adds the gradient of the input to `input`, where that is asked for; changes `gradient`.
  func backward(
    _ below: UnsafePointer<Float>, gradient: UnsafeMutablePointer<Float>,
    addedTo input: UnsafeMutablePointer<Float>?, scratch: Scratch, _ pass: Pass
  ) {
    for block in blocks.reversed() { block.backward(gradient, scratch: scratch, pass) }
    norm.backward(pass.arena[shrunk], gradient, into: gradient, pass)
    convolution.backward(below, gradient, addedTo: input, scratch: scratch, pass)
  }
}

/// One level of the decoder: a transposed convolution that doubles the grid, the encoder's output
/// of that grid added, transformer blocks.
final class DecoderLevelLayer {
  private let upsampling: TransposedConvolution
  private let blocks: [TransformerLayer]
  private let count: Int

  /// - Parameters:
  ///   - index: 0 decoder5, 1 decoder4, 2 decoder3.
  ///   - number: of the next transformer block; counts on.
  ///   - plan: where parameters and activations are.
  init(index: Int, number: inout Int, plan: LayerPlan) {
    let d = plan.description
    let stage = 2 - index
    upsampling = TransposedConvolution(
      "decoder\(5 - index).transp_conv.conv", kernel: Grid(2, 2, 2), inputs: d.dims[stage + 1],
      outputs: d.dims[stage], grid: d.grid(ofStage: stage + 1), plan: plan)
    let first = number
    blocks = (0..<d.decoderDepths[index]).map {
      TransformerLayer(
        "decoder\(5 - index).decoder_block.0.\($0)", stage: stage,
        projection: d.decoderProjections[index], number: first + $0, plan: plan)
    }
    number += blocks.count
    count = plan.batch * d.grid(ofStage: stage).voxels * d.dims[stage]
  }

  var scratch: Int { max(upsampling.scratch, blocks.map(\.scratch).max() ?? 0) }

  func forward(
    _ below: UnsafePointer<Float>, skip: UnsafePointer<Float>,
    into x: UnsafeMutablePointer<Float>, scratch: Scratch, _ pass: Pass
  ) {
    pass.compute.copy(skip, to: x, count: count)
    upsampling.forward(below, addedTo: x, pass)
    for block in blocks { block.forward(x, scratch: scratch, pass) }
  }

  /// `gradient` becomes that of the sum, which is the skip connection's too; `input` that of `below`.
  func backward(
    _ below: UnsafePointer<Float>, gradient: UnsafeMutablePointer<Float>,
    into input: UnsafeMutablePointer<Float>, scratch: Scratch, _ pass: Pass
  ) {
    for block in blocks.reversed() { block.backward(gradient, scratch: scratch, pass) }
    upsampling.backward(below, gradient, into: input, scratch: scratch, pass)
  }
}
