import Tensors
import Testing
import UNETRPP

@testable import Training

/// Every block's backward pass against finite differences of its definition in double.
@Suite(.serialized)
struct LayerGradientTests {
  private static let sets = InstructionSet.allCases.filter(\.isAvailable)

  @Test(arguments: sets)
  func cubeConvolution(set: InstructionSet) throws {
    // Few channels on a grid with odd sides, and the channels and grid of a deep stage.
    let cases: [(name: String, grid: Grid, inputs: Int, outputs: Int)] = [
      ("encoder1.conv1.conv", Grid(3, 6, 5), 4, 4),
      ("unetr_pp_encoder.stages.1.0.conv51.conv1.conv", Grid(4, 8, 9), 16, 16),
      ("unetr_pp_encoder.stages.3.0.conv51.conv2.conv", Grid(2, 3, 2), 32, 32),
    ]
    for (name, grid, inputs, outputs) in cases {
      let bench = try LayerBench(.tumor, instructions: set)
      let layer = CubeConvolution(
        name, inputs: inputs, outputs: outputs, grid: grid, plan: bench.plan)
      let (pass, scratch) = try bench.pass(scratch: layer.scratch)
      let rows = LayerBench.batch * grid.voxels
      let x = SmallNetworks.numbers(rows * inputs, seed: 1)
      let gradient = SmallNetworks.numbers(rows * outputs, seed: 2)
      let (input, dy) = (try bench.floats(x), try bench.floats(gradient))
      let (y, dx) = (try bench.floats(rows * outputs), try bench.floats(rows * inputs))
      layer.forward(input, into: y, scratch: scratch, pass)
      layer.backwardWeights(input, dy, scratch: scratch, pass)
      layer.backwardInput(dy, into: dx, scratch: scratch, pass)
      bench.check(
        "\(set) 3x3x3 \(inputs)", input: x, output: bench.values(y, rows * outputs),
        outputGradient: gradient, inputGradient: bench.values(dx, rows * inputs), prefix: name
      ) { $0.cube($1, name, grid: grid, inputs: inputs, outputs: outputs) }
    }
  }

  @Test func stridedConvolution() throws {
    let cases: [(stage: Int, kernel: Grid, inputs: Int, outputs: Int)] = [
      (0, Grid(4, 4, 4), 4, 8), (1, Grid(2, 2, 2), 8, 16),
    ]
    for (stage, kernel, inputs, outputs) in cases {
      let bench = try LayerBench(.tumor)
      let grid = Grid(2, 3, 2)
      let name = "unetr_pp_encoder.downsample_layers.\(stage).0.conv"
      let layer = StridedConvolution(
        name, kernel: kernel, inputs: inputs, outputs: outputs, grid: grid,
        planarInput: stage == 0, plan: bench.plan)
      let (pass, scratch) = try bench.pass(scratch: layer.scratch)
      let fine = LayerBench.batch * grid.voxels * kernel.voxels * inputs
      let coarse = LayerBench.batch * grid.voxels * outputs
      let x = SmallNetworks.numbers(fine, seed: 3)
      let gradient = SmallNetworks.numbers(coarse, seed: 4)
      let (input, dy, y) = (
        try bench.floats(x), try bench.floats(gradient), try bench.floats(coarse)
      )
      let dx = try bench.floats([Float](repeating: 0, count: fine))
      layer.forward(input, into: y, scratch: scratch, pass)
      // The network's own input has no gradient.
      layer.backward(input, dy, addedTo: stage == 0 ? nil : dx, scratch: scratch, pass)
      bench.check(
        "strided \(inputs)", input: x, output: bench.values(y, coarse), outputGradient: gradient,
        inputGradient: stage == 0 ? nil : bench.values(dx, fine), prefix: name
      ) {
        $0.strided(
          $1, name, kernel: kernel, grid: grid, inputs: inputs, outputs: outputs,
          planar: stage == 0)
      }
    }
  }

  @Test func transposedConvolution() throws {
    let cases: [(name: String, kernel: Grid, inputs: Int, outputs: Int)] = [
      ("decoder4.transp_conv.conv", Grid(2, 2, 2), 32, 16),
      ("decoder2.transp_conv.conv", Grid(2, 4, 4), 8, 4),
    ]
    for (name, kernel, inputs, outputs) in cases {
      let bench = try LayerBench(.synapse)
      let grid = Grid(2, 3, 3)
      let layer = TransposedConvolution(
        name, kernel: kernel, inputs: inputs, outputs: outputs, grid: grid, plan: bench.plan)
      let (pass, scratch) = try bench.pass(scratch: layer.scratch)
      let coarse = LayerBench.batch * grid.voxels * inputs
      let fine = LayerBench.batch * grid.voxels * kernel.voxels * outputs
      let x = SmallNetworks.numbers(coarse, seed: 5)
      let gradient = SmallNetworks.numbers(fine, seed: 6)
      let (input, dy, dx) = (
        try bench.floats(x), try bench.floats(gradient), try bench.floats(coarse)
      )
      let y = try bench.floats([Float](repeating: 0, count: fine))
      layer.forward(input, addedTo: y, pass)
      layer.backward(input, dy, into: dx, scratch: scratch, pass)
      bench.check(
        "transposed \(inputs)", input: x, output: bench.values(y, fine), outputGradient: gradient,
        inputGradient: bench.values(dx, coarse), prefix: name
      ) {
        $0.transposed(
          $1, name, kernel: kernel, grid: grid, inputs: inputs, outputs: outputs)
      }
    }
  }

  @Test(arguments: ["group", "batch", "instance"])
  func channelNorm(item: String) throws {
    let bench = try LayerBench(.acdc)
    let voxels = 30
    let channels = item == "instance" ? 4 : 16
    let count = voxels * LayerBench.batch * channels
    let x = SmallNetworks.numbers(count, seed: 7)
    let gradient = SmallNetworks.numbers(count, seed: 8)
    let names = [
      "group": "unetr_pp_encoder.downsample_layers.1.1",
      "batch": "unetr_pp_encoder.stages.1.0.conv51.norm1", "instance": "none",
    ]
    let name = try #require(names[item])
    let norm =
      switch item {
      case "group": ChannelNorm(name, channels: 16, groups: 8, voxels: voxels, plan: bench.plan)
      case "batch": ChannelNorm(batch: name, channels: 16, voxels: voxels, plan: bench.plan)
      default: ChannelNorm(instance: 4, voxels: voxels, plan: bench.plan)
      }
    let (pass, _) = try bench.pass(scratch: 0)
    let (input, dy) = (try bench.floats(x), try bench.floats(gradient))
    let (y, dx) = (try bench.floats(count), try bench.floats(count))
    norm.measure(input, pass)
    norm.apply(input, activated: false, into: y, pass)
    norm.backward(input, dy, into: dx, pass)
    bench.check(
      "\(item) norm", input: x, output: bench.values(y, count), outputGradient: gradient,
      inputGradient: bench.values(dx, count), prefix: name
    ) { reference, x in
      switch item {
      case "batch": reference.batchNorm(x, name, channels: 16)
      case "group":
        reference.normalised(
          x, channels: 16, groups: 8, weight: reference.parameter("\(name).weight"),
          bias: reference.parameter("\(name).bias"))
      default: reference.normalised(x, channels: 4, groups: 4)
      }
    }
  }

  /// Position and LayerNorm.
  @Test func tokenNorm() throws {
    let bench = try LayerBench(.acdc)
    let stage = "unetr_pp_encoder.stages.2.0"
    let voxels = bench.description.grid(ofStage: 2).voxels
    let norm = TokenNorm(
      "\(stage).norm", position: "\(stage).pos_embed", channels: 32, voxels: voxels,
      plan: bench.plan)
    let (pass, _) = try bench.pass(scratch: 0)
    let count = voxels * LayerBench.batch * 32
    let x = SmallNetworks.numbers(count, seed: 7)
    let gradient = SmallNetworks.numbers(count, seed: 8)
    let (input, dy) = (try bench.floats(x), try bench.floats(gradient))
    let (placed, y) = (try bench.floats(count), try bench.floats(count))
    let dx = try bench.floats([Float](repeating: 0, count: count))
    norm.forward(input, placed: placed, into: y, pass)
    norm.backward(placed, dy, addedTo: dx, pass)
    bench.check(
      "layer norm", input: x, output: bench.values(y, count), outputGradient: gradient,
      inputGradient: bench.values(dx, count), prefix: "\(stage).norm"
    ) { reference, x in
      let position = reference.parameter("\(stage).pos_embed")
      let placed = x.indices.map { x[$0] + position[$0 % position.count] }
      return reference.layerNorm(placed, "\(stage).norm", channels: 32)
    }
  }

  /// Every kind, and both layouts of the projection with every instruction set.
  @Test(arguments: BlockKind.allCases, sets)
  func pairedAttention(kind: BlockKind, set: InstructionSet) throws {
    guard kind == .acdc || kind == .tumor || set == Self.sets[0] else { return }
    let bench = try LayerBench(kind, instructions: set)
    let gamma = "unetr_pp_encoder.stages.1.0.gamma"
    let name = "unetr_pp_encoder.stages.1.0.epa_block"
    let tokens = bench.description.grid(ofStage: 1).voxels
    let layer = PairedAttention(
      name, gamma: bench.plan.place(gamma), tokens: tokens, channels: 16, projection: 8,
      plan: bench.plan)
    let (pass, scratch) = try bench.pass(scratch: layer.scratch)
    let count = LayerBench.batch * tokens * 16
    let x = SmallNetworks.numbers(count, seed: 9)
    let gradient = SmallNetworks.numbers(count, seed: 10)
    let residual = SmallNetworks.numbers(count, seed: 20)
    let (input, dy) = (try bench.floats(x), try bench.floats(gradient))
    let (y, dx) = (try bench.floats(count), try bench.floats(count))
    layer.forward(input, plus: try bench.floats(residual), into: y, scratch: scratch, pass)
    layer.backward(input, dy, into: dx, scratch: scratch, pass)
    bench.check(
      "\(kind) \(set) attention", input: x, output: bench.values(y, count),
      outputGradient: gradient,
      inputGradient: bench.values(dx, count), prefix: name
    ) { reference, x in
      let factors = reference.parameter(gamma)
      let attended = reference.attention(x, name, channels: 16, projection: 8)
      return attended.indices.map { Double(residual[$0]) + factors[$0 % 16] * attended[$0] }
    }
  }

  @Test(arguments: BlockKind.allCases)
  func transformerBlock(kind: BlockKind) throws {
    let bench = try LayerBench(kind)
    let name = "unetr_pp_encoder.stages.2.0"
    let grid = bench.description.grid(ofStage: 2)
    let layer = TransformerLayer(name, stage: 2, projection: 4, number: 0, plan: bench.plan)
    let (pass, scratch) = try bench.pass(scratch: layer.scratch)
    let count = LayerBench.batch * grid.voxels * 32
    let x = SmallNetworks.numbers(count, seed: 11)
    let gradient = SmallNetworks.numbers(count, seed: 12)
    let (values, gradients) = (try bench.floats(x), try bench.floats(gradient))
    layer.forward(values, scratch: scratch, pass)
    let output = bench.values(values, count)
    layer.backward(gradients, scratch: scratch, pass)
    bench.check(
      "\(kind) transformer block", input: x, output: output, outputGradient: gradient,
      inputGradient: bench.values(gradients, count), prefix: name
    ) { $0.transformer($1, name, grid: grid, channels: 32, projection: 4) }
  }

  /// Dropout sets whole channels of a sample to zero, the same ones for the same seed and step.
  @Test func dropout() throws {
    func factors(seed: UInt64, step: Int, layer: Int, rate: Float) -> [Float] {
      var values = [Float](repeating: .nan, count: 10_000)
      values.withUnsafeMutableBufferPointer { values in
        guard let base = values.baseAddress else { return }
        Dropout(rate: rate, seed: seed, step: step)
          .factors(layer: layer, count: values.count, into: base)
      }
      return values
    }
    let first = factors(seed: 1, step: 2, layer: 3, rate: 0.25)
    #expect(first == factors(seed: 1, step: 2, layer: 3, rate: 0.25))
    #expect(first != factors(seed: 2, step: 2, layer: 3, rate: 0.25))
    #expect(first != factors(seed: 1, step: 3, layer: 3, rate: 0.25))
    #expect(first != factors(seed: 1, step: 2, layer: 4, rate: 0.25))
    #expect(Set(first) == [0, 1 / 0.75])
    #expect(abs(first.reduce(0, +) / 10_000 - 1) < 0.03)

    let bench = try LayerBench(.tumor)
    let name = "unetr_pp_encoder.stages.2.0"
    let grid = bench.description.grid(ofStage: 2)
    let layer = TransformerLayer(name, stage: 2, projection: 4, number: 5, plan: bench.plan)
    let dropout = Dropout(rate: 0.3, seed: 7, step: 11)
    let (pass, scratch) = try bench.pass(scratch: layer.scratch, dropout: dropout)
    let count = LayerBench.batch * grid.voxels * 32
    let x = SmallNetworks.numbers(count, seed: 17)
    let gradient = SmallNetworks.numbers(count, seed: 18)
    let (values, gradients) = (try bench.floats(x), try bench.floats(gradient))
    layer.forward(values, scratch: scratch, pass)
    let output = bench.values(values, count)
    layer.backward(gradients, scratch: scratch, pass)
    let drawn = factors(seed: 7, step: 11, layer: 5, rate: 0.3)
    let kept = drawn.prefix(LayerBench.batch * 32).map { Double($0) }
    #expect(kept.contains(0))
    bench.check(
      "transformer block with dropout", input: x, output: output, outputGradient: gradient,
      inputGradient: bench.values(gradients, count), prefix: name
    ) { $0.transformer($1, name, grid: grid, channels: 32, projection: 4, factors: kept) }
  }

  /// With the input as shortcut, and with a convolution of it (as the network's first block, whose
  /// input has no gradient).
  @Test func volumeResidualBlock() throws {
    let grid = Grid(4, 7, 6)
    for (name, kind, inputs) in [
      ("decoder2.decoder_block.0", BlockKind.synapse, 4), ("encoder1", .synapse, 1),
      ("encoder1", .tumor, 4),
    ] {
      let bench = try LayerBench(kind)
      let layer = VolumeResidualBlock(
        name, inputs: inputs, outputs: 4, grid: grid, plan: bench.plan)
      let (pass, scratch) = try bench.pass(scratch: layer.scratch)
      let rows = LayerBench.batch * grid.voxels
      let x = SmallNetworks.numbers(rows * inputs, seed: 13)
      let gradient = SmallNetworks.numbers(rows * 4, seed: 14)
      let (input, dy) = (try bench.floats(x), try bench.floats(gradient))
      let y = try bench.floats(rows * 4)
      layer.forward(input, into: y, scratch: scratch, pass)
      let hasGradient = inputs == 4
      layer.backward(
        input, output: hasGradient ? UnsafePointer(y) : nil, gradient: dy,
        into: hasGradient ? dy : nil, scratch: scratch, pass)
      bench.check(
        "\(name) \(inputs)", input: x, output: bench.values(y, rows * 4),
        outputGradient: gradient,
        inputGradient: hasGradient ? bench.values(dy, rows * 4) : nil, prefix: name + ".conv"
      ) { $0.volumeResidual($1, name, grid: grid, inputs: inputs, outputs: 4) }
    }
  }

  @Test func head() throws {
    let bench = try LayerBench(.synapse)
    let (name, channels, voxels) = ("out2.conv.conv", 8, 77)
    let classes = bench.description.classes
    let layer = HeadLayer(
      name, channels: channels, classes: classes, voxels: voxels, plan: bench.plan)
    let (pass, scratch) = try bench.pass(scratch: layer.scratch)
    let rows = LayerBench.batch * voxels
    let x = SmallNetworks.numbers(rows * channels, seed: 15)
    let gradient = SmallNetworks.numbers(rows * classes, seed: 16)
    let (input, dy) = (try bench.floats(x), try bench.floats(gradient))
    let (y, dx) = (try bench.floats(rows * classes), try bench.floats(rows * channels))
    layer.forward(input, into: y, pass)
    layer.backward(input, dy, into: dx, accumulates: false, scratch: scratch, pass)
    bench.check(
      "head", input: x, output: bench.values(y, rows * classes), outputGradient: gradient,
      inputGradient: bench.values(dx, rows * channels), prefix: name
    ) { $0.head($1, name, channels: channels) }
  }
}
