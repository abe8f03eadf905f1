import Testing

@testable import Tensors

/// The layers that compute an input gradient: those of the forward pass with the weights transposed,
/// against the definition in double.
struct InputGradientTests {
  static let sets = InstructionSet.allCases.filter(\.isAvailable)

  typealias Shape = ConvolutionShape

  static let shapes = [
    Shape(inputs: 1, outputs: 16, grid: Grid(3, 4, 5)),
    Shape(inputs: 20, outputs: 3, grid: Grid(2, 6, 6)),
    Shape(inputs: 16, outputs: 16, grid: Grid(4, 10, 10)),
    Shape(inputs: 16, outputs: 32, grid: Grid(2, 5, 5)),
    Shape(inputs: 33, outputs: 40, grid: Grid(4, 4, 4)),
    Shape(inputs: 64, outputs: 64, grid: Grid(2, 5, 5)),
  ]

  /// dx[i][v] = sum over outputs and taps of dy[o][v - (tap - 1)] * w[o][i][tap]; planar.
  private func reference(_ dy: [Float], _ weights: [Float], _ shape: Shape) -> [Double] {
    let g = shape.grid
    var dx = [Double](repeating: 0, count: shape.inputs * g.voxels)
    for o in 0..<shape.outputs {
      for i in 0..<shape.inputs {
        for tap in 0..<27 {
          let weight = Double(weights[(o * shape.inputs + i) * 27 + tap])
          for n in 0..<g.voxels {
            let x = n % g.width + tap % 3 - 1
            let y = n / g.width % g.height + tap / 3 % 3 - 1
            let z = n / g.width / g.height + tap / 9 - 1
            guard (0..<g.depth).contains(z), (0..<g.height).contains(y), (0..<g.width).contains(x)
            else { continue }
            dx[i * g.voxels + (z * g.height + y) * g.width + x] +=
              weight * Double(dy[o * g.voxels + n])
          }
        }
      }
    }
    return dx
  }

  @Test(arguments: shapes, sets)
  func convolution(shape: Shape, set: InstructionSet) throws {
    let memory = TestMemory()
    let compute = try #require(Compute(threads: 2, instructions: set))
    let weights = memory.random(shape.outputs * shape.inputs * 27)
    let dy = memory.random(shape.outputs * shape.grid.voxels)
    let expected = reference(dy, weights, shape)
    let gradient = try memory.halo(dy, shape.grid, shape.outputs, compute)
    let pointer = try memory.floats(weights)
    for method in Convolution3x3x3Tests.methods {
      let transpose = Convolution3x3x3(
        inputChannels: shape.outputs, outputChannels: shape.inputs, grid: shape.grid,
        method: method, compute: compute)
      transpose.load(transposeOf: pointer, compute: compute)
      let dx = Activation(
        try memory.floats(expected.count), shape.grid, channels: shape.inputs)
      transpose(
        gradient.voxels, into: dx.voxels,
        scratch: try memory.floats(transpose.plan.scratch(threads: 2)), compute: compute)
      #expect(relativeError(planar(dx), expected) < 1e-5)
      // The same weights read where they are, and for a second sample not transformed again.
      let packed = planar(dx)
      transpose.load(transposeOf: pointer, inPlace: true, compute: compute)
      let scratch = try memory.floats(transpose.plan.scratch(threads: 2))
      for isTransformed in [false, true] {
        dx.data.update(repeating: .nan, count: expected.count)
        transpose(
          gradient.voxels, into: dx.voxels, isTransformed: isTransformed, scratch: scratch,
          compute: compute)
        #expect(planar(dx) == packed)
      }
    }
  }

  /// Weights that are loaded again replace all of the former ones.
  @Test(arguments: sets)
  func loadingAgain(set: InstructionSet) throws {
    let memory = TestMemory()
    let compute = try #require(Compute(threads: 2, instructions: set))
    let shape = Shape(inputs: 20, outputs: 35, grid: Grid(2, 4, 6))
    let (first, second) = (
      memory.random(shape.outputs * shape.inputs * 27),
      memory.random(shape.outputs * shape.inputs * 27)
    )
    let x = try memory.halo(
      memory.random(shape.inputs * shape.grid.voxels), shape.grid, shape.inputs, compute)
    func result(_ convolution: Convolution3x3x3) throws -> [Float] {
      let y = Activation(
        try memory.floats(shape.outputs * shape.grid.voxels), shape.grid, channels: shape.outputs)
      convolution(
        x.voxels, into: y.voxels,
        scratch: try memory.floats(convolution.plan.scratch(threads: 2)), compute: compute)
      return planar(y)
    }
    func made(_ weights: [Float]) -> Convolution3x3x3 {
      Convolution3x3x3(
        weights: weights, bias: nil, inputChannels: shape.inputs, outputChannels: shape.outputs,
        grid: shape.grid, method: .strips(tile: 2, tiles: 64, slices: 1), compute: compute)
    }
    let changed = made(first)
    let before = try result(changed)
    let (place, other) = (try memory.floats(second), try memory.floats(first))
    changed.load(weights: place, compute: compute)
    #expect(try result(changed) == result(made(second)))
    #expect(try result(changed) != before)
    // Read in place: whatever is there at the time of the call.
    changed.load(weights: other, inPlace: true, compute: compute)
    #expect(try result(changed) == before)
    other.update(from: place, count: second.count)
    #expect(try result(changed) == result(made(second)))
  }

  @Test(arguments: [(5, 7), (16, 16), (48, 33)], sets)
  func linear(channels: (Int, Int), set: InstructionSet) throws {
    let (inputs, outputs) = channels
    let memory = TestMemory()
    let compute = try #require(Compute(threads: 1, instructions: set))
    let rows = 19
    let weights = memory.random(outputs * inputs)
    let dy = memory.random(rows * outputs)
    let expected = (0..<rows * inputs).map { index in
      (0..<outputs).reduce(0.0) {
        $0 + Double(dy[index / inputs * outputs + $1])
          * Double(weights[$1 * inputs + index % inputs])
      }
    }
    let transpose = Linear(inputChannels: outputs, outputChannels: inputs, compute: compute)
    transpose.load(transposeOf: try memory.floats(weights))
    let dx = try memory.floats(rows * inputs)
    transpose.rows(try memory.floats(dy), into: dx, count: rows, compute: compute)
    let found = Array(UnsafeBufferPointer(start: dx, count: rows * inputs))
    #expect(relativeError(found, expected) < 2e-6)
  }

  /// Where the kernel equals the stride, each layer is the other's input gradient:
  /// <down(x), y> = <x, up(y)>.
  @Test(arguments: [Grid(1, 4, 4), Grid(2, 2, 2)], sets)
  func stridedAndTransposed(kernel: Grid, set: InstructionSet) throws {
    let memory = TestMemory()
    let compute = try #require(Compute(threads: 2, instructions: set))
    let (fineChannels, coarseChannels) = (6, 40)
    let coarse = Grid(2, 3, 5)
    let fine = coarse * kernel
    let weights = memory.random(coarseChannels * fineChannels * kernel.voxels)
    let x = memory.random(fine.voxels * fineChannels)
    let y = memory.random(coarse.voxels * coarseChannels)
    let down = Downsampling(
      kernel: kernel, inputChannels: fineChannels, outputChannels: coarseChannels,
      planarInput: false, compute: compute)
    let up = Upsampling(
      kernel: kernel, inputChannels: coarseChannels, outputChannels: fineChannels,
      compute: compute)
    let pointer = try memory.floats(weights)
    down.load(weights: pointer)
    up.load(weights: pointer)
    // A row at a time, and four rows, shared out by channels too.
    let lower = try [1, 4].map { lines in
      let lower = Activation(try memory.floats(y.count), coarse, channels: coarseChannels)
      down(
        try memory.floats(x), into: lower, lines: lines,
        scratch: try memory.floats(2 * down.scratch(coarse, lines: lines)), compute: compute)
      return Array(UnsafeBufferPointer(start: lower.data, count: y.count))
    }
    let upper = Activation(try memory.floats(x.count), fine, channels: fineChannels)
    up(
      Activation(try memory.floats(y), coarse, channels: coarseChannels), into: upper,
      compute: compute
    ) { _, _, row in row.update(repeating: 0, count: fine.width * fineChannels) }
    // Each against the definition, so that both cannot be wrong in the same way.
    let (expectedLower, expectedUpper) = strided(
      x, y, weights, coarse, kernel, fineChannels, coarseChannels)
    #expect(relativeError(lower[0], expectedLower) < 2e-6)
    #expect(lower[0] == lower[1])
    #expect(
      relativeError(Array(UnsafeBufferPointer(start: upper.data, count: x.count)), expectedUpper)
        < 2e-6)
  }

  /// The strided convolution of x and the transposed one of y, channels-last, weights
  /// [coarse channel][fine channel][kz][ky][kx].
  private func strided(
    _ x: [Float], _ y: [Float], _ weights: [Float], _ coarse: Grid, _ kernel: Grid, _ inner: Int,
    _ outer: Int
  ) -> ([Double], [Double]) {
    let fine = coarse * kernel
    var lower = [Double](repeating: 0, count: y.count)
    var upper = [Double](repeating: 0, count: x.count)
    for n in 0..<fine.voxels {
      let (column, row, plane) = (
        n % fine.width, n / fine.width % fine.height, n / fine.width / fine.height
      )
      let place =
        ((plane / kernel.depth) * coarse.height + row / kernel.height) * coarse.width
        + column / kernel.width
      let tap =
        (plane % kernel.depth * kernel.height + row % kernel.height) * kernel.width
        + column % kernel.width
      for o in 0..<outer {
        for i in 0..<inner {
          let weight = Double(weights[(o * inner + i) * kernel.voxels + tap])
          lower[place * outer + o] += weight * Double(x[n * inner + i])
          upper[n * inner + i] += weight * Double(y[place * outer + o])
        }
      }
    }
    return (lower, upper)
  }
}
