import Testing

@testable import Tensors

struct ComputeTests {
  /// Each block runs exactly once, whatever the number of threads; run often enough to meet both
  /// spinning and sleeping workers.
  @Test(arguments: [1, 2, 3, 7])
  func everyBlockRunsOnce(threads: Int) throws {
    let compute = try #require(Compute(threads: threads))
    #expect(compute.threads == threads)
    let memory = TestMemory()
    for round in 0..<300 {
      let count = round % 23
      let visits = try memory.floats(32)
      compute.run(blocks: count) { block, worker in
        visits[block] += worker < threads ? 1 : 100
      }
      #expect((0..<32).allSatisfy { visits[$0] == ($0 < count ? 1 : 0) })
    }
  }

  @Test func namesAreKnown() {
    #expect(InstructionSet.portable.isAvailable)
    #expect(!blasCoreName().isEmpty)
    for set in InstructionSet.allCases where set.isAvailable {
      #expect(Compute(threads: 1, instructions: set)?.instructionSet == set.rawValue)
    }
  }

  @Test func pointwiseConvolution() throws {
    let compute = try #require(Compute(threads: 2))
    let memory = TestMemory()
    let grid = Grid(3, 20, 30)
    let x = memory.random(5 * grid.voxels)
    let weights = memory.random(3 * 5)
    let bias = memory.random(3)
    let input = Activation(try memory.floats(x), grid, channels: 5)
    let layer = PointwiseConvolution(
      weights: weights, bias: bias, inputChannels: 5, outputChannels: 3)
    let logits = try memory.floats(3 * grid.voxels)
    layer.planar(input, into: logits, compute: compute)
    let sums = Activation(
      try memory.floats([Float](repeating: 1, count: 3 * grid.voxels)), grid, channels: 3)
    layer.add(input, to: sums, compute: compute)
    for n in 0..<grid.voxels {
      for k in 0..<3 {
        let expected = (0..<5).reduce(Double(bias[k])) {
          $0 + Double(x[n * 5 + $1]) * Double(weights[k * 5 + $1])
        }
        guard abs(Double(logits[k * grid.voxels + n]) - expected) < 1e-5,
          abs(Double(sums.data[n * 3 + k]) - 1 - expected) < 1e-5
        else {
          Issue.record("voxel \(n), class \(k)")
          return
        }
      }
    }
  }
}
