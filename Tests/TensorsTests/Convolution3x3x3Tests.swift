import Testing

@testable import Tensors

/// The convolution kernels of every instruction set against the definition of convolution.
struct Convolution3x3x3Tests {
  typealias Shape = ConvolutionShape

  static let shapes = [
    Shape(inputs: 1, outputs: 4, grid: Grid(3, 4, 5)),
    Shape(inputs: 3, outputs: 20, grid: Grid(2, 3, 7)),
    Shape(inputs: 16, outputs: 16, grid: Grid(3, 5, 16)),
    Shape(inputs: 16, outputs: 16, grid: Grid(2, 3, 30)),
    Shape(inputs: 32, outputs: 32, grid: Grid(3, 3, 4)),
    Shape(inputs: 8, outputs: 70, grid: Grid(2, 2, 2)),
    Shape(inputs: 5, outputs: 33, grid: Grid(1, 1, 1)),
    Shape(inputs: 64, outputs: 64, grid: Grid(4, 4, 8)),
    Shape(inputs: 32, outputs: 16, grid: Grid(5, 10, 11)),
    // Direct tiles that end with their slice, and 25 rows of products: one tile takes 13.
    Shape(inputs: 8, outputs: 40, grid: Grid(2, 5, 5)),
    Shape(inputs: 4, outputs: 20, grid: Grid(4, 10, 10)),
  ]

  /// Convolution by its definition, in double: planar in, planar out.
  private func reference(
    _ x: [Float], _ weights: [Float], _ bias: [Float], _ shape: Shape
  ) -> [Double] {
    let g = shape.grid
    var output: [Double] = []
    for o in 0..<shape.outputs {
      for z in 0..<g.depth {
        for y in 0..<g.height {
          for column in 0..<g.width {
            var sum = Double(bias[o])
            for tap in 0..<27 {
              let (fz, fy, fx) = (z + tap / 9 - 1, y + tap / 3 % 3 - 1, column + tap % 3 - 1)
              guard (0..<g.depth).contains(fz), (0..<g.height).contains(fy),
                (0..<g.width).contains(fx)
              else { continue }
              for i in 0..<shape.inputs {
                let voxel = ((i * g.depth + fz) * g.height + fy) * g.width + fx
                sum += Double(x[voxel]) * Double(weights[(o * shape.inputs + i) * 27 + tap])
              }
            }
            output.append(sum)
          }
        }
      }
    }
    return output
  }

  static let methods: [ConvolutionPlan.Method] = [
    .direct, .strips(tile: 4, tiles: 2, slices: 2), .strips(tile: 2, tiles: 64, slices: 1),
    .deepStrips(tile: 4, tiles: 2, slices: 2), .deepStrips(tile: 2, tiles: 64, slices: 4),
    .phases(tile: 4), .phases(tile: 2), .deepPhases(tile: 4), .deepPhases(tile: 2),
  ]

  @Test(arguments: shapes, InstructionSet.allCases.filter(\.isAvailable))
  func agreesWithTheDefinition(shape: Shape, set: InstructionSet) throws {
    for method in Self.methods { try compare(method, shape, set) }
  }

  /// Weights that are transformed once for a batch make tiles worth while on a grid where one volume does not.
  @Test func aBatchSharesTransformedWeights() {
    func method(_ grid: Grid, _ channels: Int, samples: Int?) -> ConvolutionPlan.Method {
      ConvolutionPlan.best(
        grid: grid, inputChannels: channels, outputChannels: channels, samples: samples
      ).method
    }
    #expect(method(Grid(4, 6, 4), 128, samples: nil) == .direct)
    #expect(method(Grid(4, 6, 4), 128, samples: 4) == .deepPhases(tile: 2))
    #expect(method(Grid(2, 5, 5), 256, samples: nil) == .direct)
    #expect(method(Grid(2, 5, 5), 256, samples: 2) == .deepPhases(tile: 2))
    #expect(method(Grid(2, 3, 2), 256, samples: 4) == .direct)
    // A slice of six tiles fills no register tile of twelve rows; with the batch's others it does.
    #expect(method(Grid(8, 12, 8), 64, samples: 4) == .deepPhases(tile: 4))
    #expect(method(Grid(8, 12, 8), 64, samples: nil) == .strips(tile: 4, tiles: 6, slices: 4))
    #expect(method(Grid(8, 20, 20), 64, samples: 2) == .deepStrips(tile: 4, tiles: 25, slices: 4))
    #expect(method(Grid(8, 20, 20), 64, samples: nil) == .strips(tile: 4, tiles: 25, slices: 4))
  }

  private func compare(
    _ method: ConvolutionPlan.Method, _ shape: Shape, _ set: InstructionSet
  ) throws {
    // F(4x4) loses some digits; a wrong one would be off by far more.
    let tolerance = method == .direct ? 2e-6 : 1e-5
    let memory = TestMemory()
    let x = memory.random(shape.inputs * shape.grid.voxels)
    let weights = memory.random(shape.outputs * shape.inputs * 27)
    let bias = memory.random(shape.outputs)
    let residual = memory.random(shape.outputs * shape.grid.voxels)
    let expected = reference(x, weights, bias, shape)
    let activated = zip(expected, residual).map { sum, add in
      let value = sum + Double(add)
      return value > 0 ? value : value * 0.01
    }
    var results: [[Float]] = []
    for threads in [1, 2, 3] {
      let compute = try #require(Compute(threads: threads, instructions: set))
      let convolution = Convolution3x3x3(
        weights: weights, bias: bias, inputChannels: shape.inputs, outputChannels: shape.outputs,
        grid: shape.grid, method: method, compute: compute)
      let scratch = try memory.floats(convolution.plan.scratch(threads: threads))
      let halo = try memory.halo(x, shape.grid, shape.inputs, compute)
      let output = Activation(
        try memory.floats(expected.count), shape.grid, channels: shape.outputs)
      let norm = Normalisation(instance: shape.outputs)
      convolution(
        halo.voxels, into: output.voxels, measuredBy: norm, scratch: scratch, compute: compute)
      #expect(relativeError(planar(output), expected) < tolerance)
      expectStatistics(norm, of: expected, shape)
      results.append(planar(output))

      let added = try memory.halo(residual, shape.grid, shape.outputs, compute)
      convolution(
        halo.voxels, plus: added.voxels, activated: true, into: output.voxels, scratch: scratch,
        compute: compute)
      #expect(relativeError(planar(output), activated) < tolerance)
      // In place over the residual: the same values, and the halo stays zero.
      convolution(
        halo.voxels, plus: added.voxels, activated: true, into: added.voxels, scratch: scratch,
        compute: compute)
      try expectHalo(added, holds: output)
    }
    #expect(results.allSatisfy { $0 == results[0] }, "the result depends on the number of threads")
  }

  private func expectStatistics(_ norm: Normalisation, of values: [Double], _ shape: Shape) {
    let voxels = shape.grid.voxels
    for channel in 0..<shape.outputs {
      let line = values[channel * voxels..<(channel + 1) * voxels]
      let mean = line.reduce(0, +) / Double(voxels)
      let variance = line.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(voxels)
      let scale = 1 / (variance + 1e-5).squareRoot()
      let found = norm.channelAffine
      #expect(abs(Double(found.mean[channel]) - mean) < 2e-4)
      #expect(abs(Double(found.scale[channel]) / scale - 1) < (voxels > 8 ? 2e-4 : 1))
    }
  }

  /// The input is normalised as it is read, and what is outside is zero all the same.
  @Test(arguments: InstructionSet.allCases.filter(\.isAvailable))
  func normalisesItsInput(set: InstructionSet) throws {
    let compute = try #require(Compute(threads: 2, instructions: set))
    for channels in [4, 16, 32] {
      let memory = TestMemory()
      let grid = Grid(3, 9, 14)
      let shape = Shape(inputs: channels, outputs: channels, grid: grid)
      let x = memory.random(channels * grid.voxels).map { $0 * 3 + 1 }
      let weights = memory.random(channels * channels * 27)
      let norm = Normalisation(instance: channels)
      let input = Activation(try memory.floats(x.count), grid, channels: channels)
      for c in 0..<channels {
        for n in 0..<grid.voxels { input.data[n * channels + c] = x[c * grid.voxels + n] }
      }
      norm.measure(input, compute: compute)
      let normalised = (0..<channels).flatMap { c in
        let line = x[c * grid.voxels..<(c + 1) * grid.voxels].map { Double($0) }
        let mean = line.reduce(0, +) / Double(grid.voxels)
        let variance = line.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(grid.voxels)
        return line.map { value in
          let y = (value - mean) / (variance + 1e-5).squareRoot()
          return Float(y > 0 ? y : 0.01 * y)
        }
      }
      let expected = reference(
        normalised, weights, [Float](repeating: 0, count: channels), shape)
      for method in Self.methods where method != .direct {
        let convolution = Convolution3x3x3(
          weights: weights, bias: nil, inputChannels: channels, outputChannels: channels,
          grid: grid, method: method, compute: compute)
        let output = Activation(try memory.floats(x.count), grid, channels: channels)
        convolution(
          input.voxels, normalisedBy: norm, into: output.voxels,
          scratch: try memory.floats(convolution.plan.scratch(threads: 2)), compute: compute)
        #expect(relativeError(planar(output), expected) < 1e-5)
      }
    }
  }

  private func expectHalo(_ halo: HaloActivation, holds inside: Activation) throws {
    let g = halo.grid
    for z in -1...g.depth {
      for y in -1...g.height {
        for x in -1...g.width {
          let isInside =
            (0..<g.depth).contains(z) && (0..<g.height).contains(y) && (0..<g.width).contains(x)
          for c in 0..<halo.channels {
            let value = halo.voxels.line(z, y)[x * halo.channels + c]
            let voxel = (z * g.height + y) * g.width + x
            let expected = isInside ? inside.data[voxel * halo.channels + c] : 0
            guard value == expected else {
              Issue.record("voxel \(z) \(y) \(x), channel \(c): \(value), not \(expected)")
              return
            }
          }
        }
      }
    }
  }
}
