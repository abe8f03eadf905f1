import Checkpoints
import Foundation
import TestSupport
import Testing

@testable import Tensors

/// Norms and softmax against golden values whose variance is near epsilon.
struct NormalisationTests {
  static let sets = InstructionSet.allCases.filter(\.isAvailable)
  let memory = TestMemory()

  private func golden() throws -> SafetensorsFile {
    try SafetensorsFile(
      path: TestFiles.fixtures.appendingPathComponent("golden/block_norms.safetensors").path)
  }

  /// (1, C, D, H, W) as channels-last.
  private func activation(_ values: [Float], _ shape: [Int]) throws -> Activation {
    let grid = Grid(shape[2], shape[3], shape[4])
    let channels = shape[1]
    let result = Activation(try memory.floats(values.count), grid, channels: channels)
    for c in 0..<channels {
      for n in 0..<grid.voxels { result.data[n * channels + c] = values[c * grid.voxels + n] }
    }
    return result
  }

  @Test(arguments: ["groupnorm_g1", "groupnorm_g8", "instancenorm"], sets)
  func patchStatistics(name: String, set: InstructionSet) throws {
    let file = try golden()
    let compute = try #require(Compute(threads: 2, instructions: set))
    let shape = try #require(file.entry("\(name).in")?.shape)
    let norm =
      name == "instancenorm"
      ? Normalisation(instance: 16)
      : Normalisation(
        channels: 16, groups: name == "groupnorm_g1" ? 1 : 8,
        weight: try file.floats("\(name).w.weight"), bias: try file.floats("\(name).w.bias"))
    let x = try activation(try file.floats("\(name).in"), shape)
    norm.measure(x, compute: compute)
    norm.apply(x, compute: compute)
    #expect(relativeError(planar(x), try file.floats("\(name).out").map(Double.init)) < 2e-4)
  }

  @Test(arguments: sets)
  func layerNorm(set: InstructionSet) throws {
    let file = try golden()
    let compute = try #require(Compute(threads: 1, instructions: set))
    let x = try file.floats("layernorm.in")
    let output = try memory.floats(x.count)
    let tokens = try memory.floats(x)
    let placed = try memory.floats(x.count)
    compute.layerNorm(
      tokens, position: try memory.floats(x.count),
      weight: Parameters(try file.floats("layernorm.w.weight")),
      bias: Parameters(try file.floats("layernorm.w.bias")), placed: placed, into: output,
      count: 64, channels: 16)
    let values = Array(UnsafeBufferPointer(start: output, count: x.count))
    #expect(relativeError(values, try file.floats("layernorm.out").map(Double.init)) < 2e-4)
  }

  @Test func batchNormIsFolded() throws {
    let file = try golden()
    let (weights, bias) = BatchNorm.fold(
      weights: Array(repeating: 1, count: 16), weight: try file.floats("batchnorm.w.weight"),
      bias: try file.floats("batchnorm.w.bias"), mean: try file.floats("batchnorm.w.running_mean"),
      variance: try file.floats("batchnorm.w.running_var"))
    let x = try file.floats("batchnorm.in")
    let voxels = x.count / 16
    let values = x.indices.map { x[$0] * weights[$0 / voxels] + bias[$0 / voxels] }
    #expect(relativeError(values, try file.floats("batchnorm.out").map(Double.init)) < 2e-4)
  }

  @Test(arguments: sets)
  func softmax(set: InstructionSet) throws {
    let file = try golden()
    let compute = try #require(Compute(threads: 1, instructions: set))
    let golden = try memory.floats(try file.floats("softmax.in"))
    compute.softmax(golden, rows: 6, columns: 16)
    let values = Array(UnsafeBufferPointer(start: golden, count: 96))
    #expect(relativeError(values, try file.floats("softmax.out").map(Double.init)) < 1e-6)

    for columns in [1, 2, 15, 16, 17, 64, 83] {
      for scale: Float in [1, 30, 300] {
        let x = memory.random(3 * columns).map { $0 * scale }
        let expected = (0..<3).flatMap { row in
          let line = x[row * columns..<(row + 1) * columns].map { Double($0) }
          let top = line.max() ?? 0
          let exps = line.map { exp($0 - top) }
          return exps.map { $0 / exps.reduce(0, +) }
        }
        let result = try memory.floats(x)
        compute.softmax(result, rows: 3, columns: columns)
        let values = Array(UnsafeBufferPointer(start: result, count: x.count))
        #expect(relativeError(values, expected) < 1e-6)
      }
    }
    // A value that is not a number is not hidden.
    let broken = try memory.floats([Float](repeating: 0, count: 31) + [.nan])
    compute.softmax(broken, rows: 1, columns: 32)
    #expect(broken[0].isNaN && broken[31].isNaN)
  }

  /// Channel counts that are no multiple of a vector, against sums in double.
  @Test(arguments: [3, 16, 20, 48], sets)
  func anyChannelCount(channels: Int, set: InstructionSet) throws {
    let compute = try #require(Compute(threads: 2, instructions: set))
    let grid = Grid(3, 4, 5)
    let x = memory.random(channels * grid.voxels)
    let residual = memory.random(channels * grid.voxels)
    let expected = (0..<channels).flatMap { c in
      let line = x[c * 60..<(c + 1) * 60].map { Double($0) }
      let mean = line.reduce(0, +) / 60
      let variance = line.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 60
      return line.indices.map { i in
        let value = (line[i] - mean) / (variance + 1e-5).squareRoot() + Double(residual[c * 60 + i])
        return value > 0 ? value : 0.01 * value
      }
    }
    let a = try activation(x, [1, channels, 3, 4, 5])
    let norm = Normalisation(instance: channels)
    norm.measure(a, compute: compute)
    let added = try activation(residual, [1, channels, 3, 4, 5])
    norm.activateRow(a.data, plus: added.data, into: a.data, count: 60, compute: compute)
    #expect(relativeError(planar(a), expected) < 1e-6)
  }
}
