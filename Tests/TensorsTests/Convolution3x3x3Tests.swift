import Testing

@testable import Tensors

/// The convolution kernels of every instruction set against the definition of convolution.
struct Convolution3x3x3Tests {
  struct Shape: Sendable, CustomTestStringConvertible {
    let inputs, outputs: Int
    let grid: Grid
    var testDescription: String {
      "\(inputs) -> \(outputs), \(grid.depth)x\(grid.height)x\(grid.width)"
    }
  }

  static let shapes = [
    Shape(inputs: 1, outputs: 4, grid: Grid(3, 4, 5)),
    Shape(inputs: 3, outputs: 20, grid: Grid(2, 3, 7)),
    Shape(inputs: 16, outputs: 16, grid: Grid(3, 5, 16)),
    Shape(inputs: 16, outputs: 16, grid: Grid(2, 3, 30)),
    Shape(inputs: 32, outputs: 32, grid: Grid(3, 3, 4)),
    Shape(inputs: 8, outputs: 70, grid: Grid(2, 2, 2)),
    Shape(inputs: 5, outputs: 33, grid: Grid(1, 1, 1)),
    Shape(inputs: 64, outputs: 64, grid: Grid(4, 4, 8)),
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

  private func planar(_ activation: Activation) -> [Float] {
    (0..<activation.channels).flatMap { channel in
      (0..<activation.tokens).map { activation.data[$0 * activation.channels + channel] }
    }
  }

  @Test(arguments: shapes, InstructionSet.allCases.filter(\.isAvailable))
  func agreesWithTheDefinition(shape: Shape, set: InstructionSet) throws {
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
        compute: compute)
      let input = try memory.halo(x, shape.grid, shape.inputs, compute)
      let output = Activation(
        try memory.floats(expected.count), shape.grid, channels: shape.outputs)
      convolution(input, into: output, compute: compute)
      #expect(relativeError(planar(output), expected) < 2e-6)
      results.append(planar(output))

      let added = try memory.halo(residual, shape.grid, shape.outputs, compute)
      convolution.activated(input, plus: added, into: output, compute: compute)
      #expect(relativeError(planar(output), activated) < 2e-6)
      // In place over the residual: the same values, and the halo stays zero.
      convolution.activated(input, plus: added, into: added, compute: compute)
      try expectHalo(added, holds: output)
    }
    #expect(results.allSatisfy { $0 == results[0] }, "the result depends on the number of threads")
  }

  private func expectHalo(_ halo: HaloActivation, holds inside: Activation) throws {
    let g = halo.grid
    for z in -1...g.depth {
      for y in -1...g.height {
        for x in -1...g.width {
          let isInside =
            (0..<g.depth).contains(z) && (0..<g.height).contains(y) && (0..<g.width).contains(x)
          for c in 0..<halo.channels {
            let value = halo.line(z, y)[x * halo.channels + c]
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
