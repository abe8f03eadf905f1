import Checkpoints
import Tensors
import Testing

@testable import UNETRPP

/// Each block alone against the reference implementation, on every instruction set.
@Suite(.serialized)
struct BlockParityTests {
  static let sets = InstructionSet.allCases.filter(\.isAvailable)
  static let tolerance = 2e-5

  @Test(arguments: [BlockKind.synapse, .acdc, .tumor], sets)
  func transformerBlock(kind: BlockKind, set: InstructionSet) throws {
    let file = try Golden.file("block_transformer_\(kind.rawValue)")
    let bench = try Bench(instructions: set)
    let grid = Grid(2, 4, 8)
    let weights = Weights(file: file).part("w")
    let scratch = try bench.scratch(grid, channels: 16, projection: 8)

    let attention = try EPABlock(
      weights.part("epa_block"), kind: kind, tokens: 64, channels: 16, heads: 4, projection: 8,
      compute: bench.compute)
    let input = try bench.activation(grid, 16)  // N x C, as the file has it
    for (index, value) in try file.floats("epa.in").enumerated() { input.data[index] = value }
    let output = try bench.activation(grid, 16)
    attention(
      input, into: output.voxels, scratch: scratch.attention, compute: bench.compute)
    let values = Array(UnsafeBufferPointer(start: output.data, count: 64 * 16))
    Parity("EPA \(kind) \(set)", values, try file.floats("epa.out")).check(within: Self.tolerance)
    let spatial = Array(UnsafeBufferPointer(start: scratch.attention.spatial, count: 64 * 16))
    Parity("EPA spatial \(kind) \(set)", spatial, try file.floats("epa.x_sa"))
      .check(within: Self.tolerance)

    let block = try TransformerBlock(
      weights, kind: kind, grid: grid, channels: 16, heads: 4, projection: 8,
      compute: bench.compute)
    let x = try bench.activation(file, "in")
    block(try bench.level(x), scratch: scratch, compute: bench.compute)
    Parity("TransformerBlock \(kind) \(set)", x.planar, try file.floats("out"))
      .check(within: Self.tolerance)
  }

  @Test(arguments: sets)
  func residualBlocks(set: InstructionSet) throws {
    let file = try Golden.file("block_unetres")
    let bench = try Bench(instructions: set)
    let grid = Grid(5, 6, 9)
    let output = try bench.activation(grid, 16)

    let batch = try ResidualBlock(
      Weights(file: file).part("bn16.w"), grid: grid, channels: 16, compute: bench.compute)
    batch(
      try bench.halo(file, "bn16.in").voxels, hidden: try bench.halo(grid, 16).voxels,
      into: output.voxels, scratch: try bench.convolutionScratch(grid, 16),
      compute: bench.compute)
    Parity("ResidualBlock BN \(set)", output.planar, try file.floats("bn16.out"))
      .check(within: Self.tolerance)

    let instance = try InstanceResidualBlock(
      Weights(file: file).part("in16.w"), grid: grid, channels: 16, compute: bench.compute)
    let full = try bench.full(grid, 16)
    full.a.data.update(from: try bench.activation(file, "in16.in").data, count: 16 * grid.voxels)
    instance(full, compute: bench.compute)
    Parity(
      "ResidualBlock IN \(set)", bench.finish(instance, full).planar, try file.floats("in16.out")
    )
    .check(within: Self.tolerance)

    for channels in [1, 4] {
      let name = "in\(channels)to16"
      let block = try InputResidualBlock(
        Weights(file: file).part("\(name).w"), grid: grid, inputChannels: channels, channels: 16,
        compute: bench.compute)
      try file.floats("\(name).in").withUnsafeBufferPointer {
        let input = try #require($0.baseAddress)
        block(input, x: try bench.halo(grid, channels), full: full, compute: bench.compute)
        for row in 0..<grid.rows {
          block.row(
            row / grid.height, row % grid.height, of: full, input: input,
            into: output.data + row * grid.width * 16, compute: bench.compute)
        }
      }
      Parity(
        "ResidualBlock \(channels) -> 16 \(set)", output.planar, try file.floats("\(name).out")
      )
      .check(within: Self.tolerance)
    }
  }

  @Test(arguments: [
    ("stem244", Grid(2, 4, 4), 1, 32), ("stem144", Grid(1, 4, 4), 1, 32),
    ("stem444", Grid(4, 4, 4), 4, 32), ("down32to64", Grid(2, 2, 2), 32, 64),
  ])
  func downsampling(name: String, kernel: Grid, inputs: Int, outputs: Int) throws {
    let file = try Golden.file("block_stem_up")
    for set in Self.sets {
      let bench = try Bench(instructions: set)
      let weights = Weights(file: file).part("\(name).w")
      let shape = try #require(file.entry("\(name).out")?.shape)
      let output = try bench.activation(Grid(shape[2], shape[3], shape[4]), outputs)
      let isStem = inputs != 32
      let layer = Downsampling(
        weights: try weights("0.conv.weight"), kernel: kernel, inputChannels: inputs,
        outputChannels: outputs, planarInput: isStem, compute: bench.compute)
      let norm = Normalisation(
        channels: outputs, groups: inputs, weight: try weights("1.weight"),
        bias: try weights("1.bias"))
      let scratch = try bench.floats(2 * layer.scratch(output.grid))
      if isStem {
        try file.floats("\(name).in").withUnsafeBufferPointer {
          layer(
            try #require($0.baseAddress), into: output, scratch: scratch, compute: bench.compute)
        }
      } else {
        layer(
          try bench.activation(file, "\(name).in").data, into: output, scratch: scratch,
          compute: bench.compute)
      }
      norm.measure(output, compute: bench.compute)
      norm.apply(output, compute: bench.compute)
      Parity("\(name) \(set)", output.planar, try file.floats("\(name).out"))
        .check(within: Self.tolerance)
    }
  }

  @Test(arguments: [
    ("up244_conv", Grid(2, 4, 4)), ("up144_conv", Grid(1, 4, 4)), ("up444_conv", Grid(4, 4, 4)),
    ("up2_epa", Grid(2, 2, 2)),
  ])
  func upsampling(name: String, kernel: Grid) throws {
    let file = try Golden.file("block_stem_up")
    for set in Self.sets {
      let bench = try Bench(instructions: set)
      let weights = Weights(file: file).part("\(name).w")
      let upsampling = Upsampling(
        weights: try weights("transp_conv.conv.weight"), kernel: kernel, inputChannels: 32,
        outputChannels: 16, compute: bench.compute)
      let input = try bench.activation(file, "\(name).in")
      let skip = try bench.activation(file, "\(name).skip")
      let zero = try bench.activation(skip.grid, 16)
      upsampling(input, plus: zero, into: zero, compute: bench.compute)
      Parity("\(name) convolution \(set)", zero.planar, try file.floats("\(name).transp_out"))
        .check(within: Self.tolerance)
      if name == "up2_epa" {
        upsampling(input, plus: skip, into: skip, compute: bench.compute)
        let block = try TransformerBlock(
          weights.part("decoder_block.0.0"), kind: .synapse, grid: skip.grid, channels: 16,
          heads: 4, projection: 8, compute: bench.compute)
        block(
          try bench.level(skip), scratch: try bench.scratch(skip.grid, channels: 16, projection: 8),
          compute: bench.compute)
      } else {
        let full = try bench.full(skip.grid, 16)
        upsampling(input, plus: skip, into: full.a, compute: bench.compute)
        let block = try InstanceResidualBlock(
          weights.part("decoder_block.0"), grid: skip.grid, channels: 16, compute: bench.compute)
        block(full, compute: bench.compute)
        skip.data.update(from: bench.finish(block, full).data, count: 16 * skip.tokens)
      }
      Parity("\(name) \(set)", skip.planar, try file.floats("\(name).out"))
        .check(within: Self.tolerance)
    }
  }
}
