import Testing

@testable import Tensors

/// The weight gradient of every method and instruction set against its definition in double.
struct ConvolutionWeightGradientTests {
  typealias Shape = InputGradientTests.Shape
  typealias Method = ConvolutionWeightGradient.Method

  static let shapes = [
    Shape(inputs: 1, outputs: 16, grid: Grid(3, 4, 21)),
    Shape(inputs: 4, outputs: 20, grid: Grid(2, 6, 6)),
    Shape(inputs: 16, outputs: 16, grid: Grid(4, 10, 10)),
    Shape(inputs: 16, outputs: 16, grid: Grid(16, 16, 16)),
    Shape(inputs: 32, outputs: 32, grid: Grid(2, 5, 5)),
    Shape(inputs: 19, outputs: 37, grid: Grid(4, 4, 4)),
    Shape(inputs: 40, outputs: 64, grid: Grid(2, 6, 7)),
    Shape(inputs: 16, outputs: 48, grid: Grid(1, 1, 1)),
    Shape(inputs: 33, outputs: 3, grid: Grid(8, 20, 20)),
  ]
  static let methods: [Method] = [
    .narrow, .direct, .strips(tile: 4, tiles: 3, slices: 2), .strips(tile: 2, tiles: 64, slices: 1),
    .strips(tile: 4, tiles: 4, slices: 16), .phases(tile: 2), .phases(tile: 4),
  ]

  /// One sample: dw[o][i][tap] = sum over voxels of dy[o][v] * x[i][v + tap - 1]; planar.
  static func reference(_ x: [Float], _ dy: [Float], _ shape: Shape) -> [Double] {
    let g = shape.grid
    let (planes, rows) = ((g.height + 2) * (g.width + 2), g.width + 2)
    var padded = [Double](repeating: 0, count: shape.inputs * (g.depth + 2) * planes)
    for i in 0..<shape.inputs {
      for n in 0..<g.voxels {
        let (z, y, column) = (n / g.width / g.height, n / g.width % g.height, n % g.width)
        padded[(i * (g.depth + 2) + z + 1) * planes + (y + 1) * rows + column + 1] =
          Double(x[i * g.voxels + n])
      }
    }
    var result: [Double] = []
    result.reserveCapacity(shape.outputs * shape.inputs * 27)
    for o in 0..<shape.outputs {
      for i in 0..<shape.inputs {
        for tap in 0..<27 {
          var sum = 0.0
          for z in 0..<g.depth {
            for y in 0..<g.height {
              let from =
                (i * (g.depth + 2) + z + tap / 9) * planes + (y + tap / 3 % 3) * rows + tap % 3
              let to = ((o * g.depth + z) * g.height + y) * g.width
              for column in 0..<g.width { sum += padded[from + column] * Double(dy[to + column]) }
            }
          }
          result.append(sum)
        }
      }
    }
    return result
  }

  @Test(arguments: shapes)
  func agreesWithTheDefinition(shape: Shape) throws {
    let memory = TestMemory()
    let samples = shape.grid.voxels > 1000 ? 1 : 2
    let count = shape.grid.voxels
    let x = (0..<samples).map { _ in memory.random(shape.inputs * count) }
    let dy = (0..<samples).map { _ in memory.random(shape.outputs * count) }
    var expected = Self.reference(x[0], dy[0], shape)
    for sample in 1..<samples {
      let other = Self.reference(x[sample], dy[sample], shape)
      for i in expected.indices { expected[i] += other[i] }
    }
    for set in InputGradientTests.sets {
      for method in Self.methods {
        var results: [[Float]] = []
        for threads in [1, 3] {
          let compute = try #require(Compute(threads: threads, instructions: set))
          let gradient = ConvolutionWeightGradient(
            inputChannels: shape.inputs, outputChannels: shape.outputs, grid: shape.grid,
            samples: samples, method: method)
          let batch = try (0..<samples).map {
            ConvolutionWeightGradient.Sample(
              try memory.halo(x[$0], shape.grid, shape.inputs, compute).voxels,
              gradient: try memory.halo(dy[$0], shape.grid, shape.outputs, compute).voxels)
          }
          let result = try memory.floats([Float](repeating: .nan, count: expected.count))
          gradient(
            batch, into: result, scratch: try memory.floats(gradient.scratch(threads: threads)),
            compute: compute)
          results.append(Array(UnsafeBufferPointer(start: result, count: expected.count)))
        }
        #expect(relativeError(results[0], expected) < 1e-5, "\(set) \(method)")
        #expect(results[0] == results[1], "the result depends on the number of threads")
      }
    }
  }

  /// Without a halo, and the input normalised as it is read.
  @Test(arguments: InputGradientTests.sets)
  func normalisesItsInput(set: InstructionSet) throws {
    let memory = TestMemory()
    let compute = try #require(Compute(threads: 2, instructions: set))
    let shape = Shape(inputs: 16, outputs: 16, grid: Grid(3, 9, 14))
    let count = shape.grid.voxels
    let x = memory.random(shape.inputs * count).map { $0 * 3 + 1 }
    let dy = memory.random(shape.outputs * count)
    func activation(_ values: [Float]) throws -> Activation {
      let result = Activation(try memory.floats(values.count), shape.grid, channels: 16)
      for c in 0..<16 { for n in 0..<count { result.data[n * 16 + c] = values[c * count + n] } }
      return result
    }
    let (input, gradient) = (try activation(x), try activation(dy))
    let norm = Normalisation(instance: 16)
    norm.measure(input, compute: compute)
    let affine = norm.channelAffine
    let normalised = x.indices.map { i in
      let c = i / count
      let y = (x[i] - affine.mean[c]) * affine.scale[c] + affine.shift[c]
      return y > 0 ? y : 0.01 * y
    }
    let expected = Self.reference(normalised, dy, shape)
    for method in [Method.strips(tile: 4, tiles: 5, slices: 3), .phases(tile: 2)] {
      let weights = ConvolutionWeightGradient(
        inputChannels: 16, outputChannels: 16, grid: shape.grid, method: method)
      let result = try memory.floats(expected.count)
      weights(
        [.init(input.voxels, normalisedBy: norm, gradient: gradient.voxels)], into: result,
        scratch: try memory.floats(weights.scratch(threads: 2)), compute: compute)
      let values = Array(UnsafeBufferPointer(start: result, count: expected.count))
      #expect(relativeError(values, expected) < 1e-5)
    }
  }
}
