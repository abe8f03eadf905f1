import Tensors
import UNETRPP

/// The layers of UNETR++, planned but without memory, and how they follow one another.
final class NetworkLayers {
  private let description: NetworkDescription
  private let batch: Int
  private let encoder: [EncoderStageLayer]  // stages 0...3
  private let decoder: [DecoderLevelLayer]  // decoder5, decoder4, decoder3
  private let encoder1: VolumeResidualBlock
  private let upsampling: TransposedConvolution  // decoder2's
  private let decoder2: VolumeResidualBlock
  private let heads: [HeadLayer]  // out1, and with deep supervision out2, out3

  /// The input, planar and channels-last (one and the same with one channel).
  private let images, input: Slot
  /// Outputs of the encoder's stages and of the decoder's levels, by stage: the finest first.
  private let encoded, decoded: [Slot]
  /// decoder2's input and output.
  private let joined, output: Slot
  private let logits: [Slot]
  /// Gradients at full resolution, and at each stage.
  private let fullGradient: Slot
  private let gradients: [Slot]

  init(_ plan: LayerPlan, deepSupervision: Bool) {
    let d = plan.description
    description = d
    batch = plan.batch
    var number = 0
    encoder = (0..<4).map { EncoderStageLayer(stage: $0, number: &number, plan: plan) }
    decoder = (0..<3).map { DecoderLevelLayer(index: $0, number: &number, plan: plan) }
    let patch = d.patchGrid
    encoder1 = VolumeResidualBlock(
      "encoder1", inputs: d.inputChannels, outputs: d.featureSize, grid: patch, plan: plan)
    upsampling = TransposedConvolution(
      "decoder2.transp_conv.conv", kernel: d.stemGrid, inputs: d.dims[0], outputs: d.featureSize,
      grid: d.grid(ofStage: 0), plan: plan)
    decoder2 = VolumeResidualBlock(
      "decoder2.decoder_block.0", inputs: d.featureSize, outputs: d.featureSize, grid: patch,
      plan: plan)
    let grids = Self.headGrids(d, deepSupervision: deepSupervision)
    let widths = [d.featureSize, d.dims[0], d.dims[1]]
    heads = grids.enumerated().map { index, grid in
      HeadLayer(
        "out\(index + 1).conv.conv", channels: widths[index], classes: d.classes,
        voxels: grid.voxels, plan: plan)
    }
    let batch = plan.batch
    let full = batch * patch.voxels
    images = plan.keep(full * d.inputChannels)
    input = d.inputChannels == 1 ? images : plan.keep(full * d.inputChannels)
    func count(_ stage: Int) -> Int { batch * d.grid(ofStage: stage).voxels * d.dims[stage] }
    encoded = (0..<4).map { plan.keep(count($0)) }
    decoded = (0..<3).map { plan.keep(count($0)) }
    joined = plan.keep(full * d.featureSize)
    output = plan.keep(full * d.featureSize)
    logits = grids.map { plan.keep(batch * d.classes * $0.voxels) }
    fullGradient = plan.keep(full * d.featureSize)
    gradients = (0..<4).map { plan.keep(count($0)) }
  }

  /// The grids of the heads' logits.
  static func headGrids(_ d: NetworkDescription, deepSupervision: Bool) -> [Grid] {
    [d.patchGrid] + (deepSupervision ? [d.grid(ofStage: 0), d.grid(ofStage: 1)] : [])
  }

  /// The floats of scratch that a pass needs.
  var scratch: Int {
    let tokens = (encoder.map(\.scratch) + decoder.map(\.scratch)).max() ?? 0
    let full = max(encoder1.scratch, decoder2.scratch, upsampling.scratch)
    return max(tokens, full, heads.map(\.scratch).max() ?? 0)
  }

  /// The logits of each head for planar images of the whole batch.
  func forward(
    _ planar: UnsafePointer<Float>, scratch: Scratch, _ pass: Pass
  ) -> [UnsafeMutablePointer<Float>] {
    let d = description
    let full = batch * d.patchGrid.voxels
    pass.compute.copy(planar, to: pass.arena[images], count: full * d.inputChannels)
    interleave(pass)
    var below = UnsafePointer(pass.arena[images])
    for (stage, layer) in encoder.enumerated() {
      let x = pass.arena[encoded[stage]]
      layer.forward(below, into: x, scratch: scratch, pass)
      below = UnsafePointer(x)
    }
    for (index, level) in decoder.enumerated() {
      let stage = 2 - index
      let x = pass.arena[decoded[stage]]
      level.forward(below, skip: pass.arena[encoded[stage]], into: x, scratch: scratch, pass)
      below = UnsafePointer(x)
    }
    let joined = pass.arena[joined]
    encoder1.forward(pass.arena[input], into: joined, scratch: scratch, pass)
    upsampling.forward(below, addedTo: joined, pass)
    decoder2.forward(joined, into: pass.arena[output], scratch: scratch, pass)
    return heads.enumerated().map { index, head in
      let logits = pass.arena[logits[index]]
      head.forward(headInput(index, pass), into: logits, pass)
      return logits
    }
  }

  private func headInput(_ index: Int, _ pass: Pass) -> UnsafePointer<Float> {
    UnsafePointer(pass.arena[index == 0 ? output : decoded[index - 1]])
  }

  private func interleave(_ pass: Pass) {
    let (grid, channels) = (description.patchGrid, description.inputChannels)
    guard channels > 1 else { return }
    let (images, input, voxels) = (pass.arena[images], pass.arena[input], grid.voxels)
    pass.compute.run(blocks: batch * grid.rows) { row, _ in
      let (sample, line) = row.quotientAndRemainder(dividingBy: grid.rows)
      pass.compute.interleaveRow(
        images + sample * channels * voxels + line * grid.width, plane: voxels,
        channels: channels, count: grid.width,
        into: input + (sample * voxels + line * grid.width) * channels)
    }
  }

  /// Adds to the parameters' gradients what the logits' gradients cause.
  func backward(_ logitGradients: [UnsafePointer<Float>], scratch: Scratch, _ pass: Pass) {
    let full = pass.arena[fullGradient]
    let gradients = gradients.map { pass.arena[$0] }
    heads[0].backward(
      pass.arena[output], logitGradients[0], into: full, accumulates: false, scratch: scratch,
      pass)
    decoder2.backward(
      pass.arena[joined], output: pass.arena[output], gradient: full, into: full,
      scratch: scratch, pass)
    encoder1.backward(
      pass.arena[input], output: nil, gradient: full, into: nil, scratch: scratch, pass)
    upsampling.backward(
      pass.arena[decoded[0]], full, into: gradients[0], scratch: scratch, pass)
    for stage in 0..<3 {
      let level = decoder[2 - stage]
      if stage + 1 < heads.count {
        heads[stage + 1].backward(
          pass.arena[decoded[stage]], logitGradients[stage + 1], into: gradients[stage],
          accumulates: true, scratch: scratch, pass)
      }
      let below = stage == 2 ? encoded[3] : decoded[stage + 1]
      level.backward(
        pass.arena[below], gradient: gradients[stage], into: gradients[stage + 1],
        scratch: scratch, pass)
    }
    for stage in (0..<4).reversed() {
      encoder[stage].backward(
        stage == 0 ? pass.arena[images] : pass.arena[encoded[stage - 1]],
        gradient: gradients[stage], addedTo: stage == 0 ? nil : gradients[stage - 1],
        scratch: scratch, pass)
    }
  }
}
