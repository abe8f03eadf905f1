import Testing

@testable import Tensors

/// A batch that is convolved at once against its samples one by one.
struct ConvolutionBatchTests {
  typealias Shape = ConvolutionShape

  static let shapes = [
    Shape(inputs: 40, outputs: 70, grid: Grid(2, 3, 2)),
    Shape(inputs: 20, outputs: 40, grid: Grid(1, 5, 6)),
    Shape(inputs: 16, outputs: 33, grid: Grid(3, 9, 7)),
  ]
  static let methods: [ConvolutionPlan.Method] = [
    .direct, .strips(tile: 4, tiles: 2, slices: 2), .strips(tile: 2, tiles: 64, slices: 1),
    .deepStrips(tile: 4, tiles: 2, slices: 2), .deepStrips(tile: 2, tiles: 64, slices: 4),
    .phases(tile: 4), .phases(tile: 2), .deepPhases(tile: 4), .deepPhases(tile: 2),
  ]
  private static let samples = 3

  /// The same bits, with a residual, a normalised input and statistics of the output; the sums of the
  /// batch's statistics only differ in their order.
  @Test(arguments: shapes, InstructionSet.allCases.filter(\.isAvailable))
  func equalsItsSamples(shape: Shape, set: InstructionSet) throws {
    for method in Self.methods {
      for threads in [1, 2, 3] {
        for isTransposed in [false, true] {
          try compare(method, shape, try Bench(shape, set, threads), isTransposed: isTransposed)
        }
      }
    }
  }

  /// Inputs, weights and results of one comparison.
  private final class Bench {
    let compute: Compute
    let memory = TestMemory()
    let inputs, residuals: [HaloActivation]
    let weights: UnsafeMutablePointer<Float>
    let norm: Normalisation

    init(_ shape: Shape, _ set: InstructionSet, _ threads: Int) throws {
      let compute = try #require(Compute(threads: threads, instructions: set))
      self.compute = compute
      let (memory, grid) = (memory, shape.grid)
      inputs = try (0..<ConvolutionBatchTests.samples).map { _ in
        try memory.halo(
          memory.random(shape.inputs * grid.voxels), grid, shape.inputs, compute)
      }
      residuals = try (0..<ConvolutionBatchTests.samples).map { _ in
        try memory.halo(
          memory.random(shape.outputs * grid.voxels), grid, shape.outputs, compute)
      }
      weights = try memory.floats(memory.random(shape.outputs * shape.inputs * 27))
      norm = Normalisation(instance: shape.inputs)
      let measured = Activation(
        try memory.floats(memory.random(shape.inputs * grid.voxels)), grid, channels: shape.inputs)
      norm.measure(measured, compute: compute)
    }

    func outputs(_ shape: Shape) throws -> [Activation] {
      try inputs.map { _ in
        Activation(
          try memory.floats(
            [Float](repeating: .nan, count: shape.outputs * shape.grid.voxels)), shape.grid,
          channels: shape.outputs)
      }
    }
  }

  private func compare(
    _ method: ConvolutionPlan.Method, _ shape: Shape, _ bench: Bench, isTransposed: Bool
  ) throws {
    let compute = bench.compute
    func convolution(isForBatches: Bool) -> Convolution3x3x3 {
      let convolution = Convolution3x3x3(
        inputChannels: shape.inputs, outputChannels: shape.outputs, grid: shape.grid,
        method: method, isForBatches: isForBatches, compute: compute)
      if isTransposed {
        convolution.load(transposeOf: bench.weights, inPlace: true, compute: compute)
      } else {
        convolution.load(weights: bench.weights, inPlace: true, compute: compute)
      }
      return convolution
    }
    let norm = method == .direct ? nil : bench.norm
    let (alone, together) = (convolution(isForBatches: false), convolution(isForBatches: true))
    try #require(together.plan.convolvesBatches)
    let (expected, outputs) = (try bench.outputs(shape), try bench.outputs(shape))
    let scratch = try bench.memory.floats(alone.plan.scratch(threads: compute.threads))
    let ofEach = expected.map { _ in Normalisation(instance: shape.outputs) }
    let ofBatch = Normalisation(batch: shape.outputs)
    for (index, output) in expected.enumerated() {
      for measured in [ofEach[index], ofBatch] {
        alone(
          bench.inputs[index].voxels, normalisedBy: norm, plus: bench.residuals[index].voxels,
          into: output.voxels, measuredBy: measured, scratch: scratch, compute: compute)
      }
    }
    let memory = try bench.memory.floats(
      together.plan.scratch(threads: compute.threads, samples: outputs.count))
    let (newEach, newBatch) = (
      outputs.map { _ in Normalisation(instance: shape.outputs) },
      Normalisation(batch: shape.outputs)
    )
    for isOfBatch in [false, true] {
      together(
        batch: outputs.enumerated().map { index, output in
          Convolution3x3x3.Sample(
            bench.inputs[index].voxels, normalisedBy: norm, plus: bench.residuals[index].voxels,
            into: output.voxels, measuredBy: isOfBatch ? newBatch : newEach[index])
        }, scratch: memory, compute: compute)
      for (output, wanted) in zip(outputs, expected) {
        #expect(planar(output) == planar(wanted), "\(method) \(shape), \(compute.threads) threads")
      }
    }
    for (found, wanted) in zip(newEach + [newBatch], ofEach + [ofBatch]) {
      for channel in 0..<shape.outputs {
        #expect(abs(found.means[channel] - wanted.means[channel]) < 1e-12)
        #expect(abs(found.variances[channel] / wanted.variances[channel] - 1) < 1e-9)
      }
    }
  }
}
