import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

@testable import UNETRPP

/// Golden numbers of the reference implementation, computed in double.
enum Golden {
  static func path(_ name: String) -> String {
    TestFiles.fixtures.appendingPathComponent("golden/\(name)").path
  }

  static func file(_ name: String) throws -> SafetensorsFile {
    try SafetensorsFile(path: path(name + ".safetensors"))
  }

  static func json(_ name: String) throws -> [String: Any] {
    let data = try Data(contentsOf: URL(fileURLWithPath: path(name + ".json")))
    return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }
}

/// How far computed values are from golden ones.
struct Parity {
  let item: String
  var largest = 0.0
  var mean = 0.0

  init(_ item: String, _ values: [Float], _ golden: [Float]) {
    self.item = item
    guard values.count == golden.count, !golden.isEmpty else {
      (largest, mean) = (.infinity, .infinity)
      return
    }
    for (value, expected) in zip(values, golden) {
      let error = abs(Double(value) - Double(expected))
      largest = error.isNaN ? .infinity : max(largest, error)
      mean += error
    }
    mean /= Double(golden.count)
  }

  /// Prints the row of the parity table and checks it.
  func check(
    within tolerance: Double, mean meanTolerance: Double = .infinity,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let name = item.padding(toLength: 36, withPad: " ", startingAt: 0)
    print(
      "parity | \(name) | max \(short(largest)) | mean \(short(mean)) | tolerance \(short(tolerance))"
    )
    #expect(largest <= tolerance, "\(item)", sourceLocation: sourceLocation)
    #expect(mean <= meanTolerance, "\(item)", sourceLocation: sourceLocation)
  }

  private func short(_ value: Double) -> String { String(format: "%.1e", value) }
}

/// Activations of a block alone.
final class Bench {
  let compute: Compute
  private var arenas: [Arena] = []

  init(threads: Int = 2, instructions: InstructionSet? = nil) throws {
    compute = try #require(Compute(threads: threads, instructions: instructions))
  }

  func floats(_ count: Int) throws -> UnsafeMutablePointer<Float> {
    var layout = ArenaLayout()
    let slot = layout.add(count)
    let arena = try Arena(layout)
    arenas.append(arena)
    return arena[slot]
  }

  func activation(_ grid: Grid, _ channels: Int) throws -> Activation {
    Activation(try floats(grid.voxels * channels), grid, channels: channels)
  }

  func halo(_ grid: Grid, _ channels: Int) throws -> HaloActivation {
    HaloActivation(
      try floats(HaloActivation.count(grid, channels: channels)), grid, channels: channels)
  }

  /// The values of a (1, C, D, H, W) tensor as an activation.
  func activation(_ file: SafetensorsFile, _ name: String) throws -> Activation {
    let shape = try #require(file.entry(name)?.shape)
    let values = try file.floats(name)
    let result = try activation(Grid(shape[2], shape[3], shape[4]), shape[1])
    for voxel in 0..<result.tokens {
      for channel in 0..<result.channels {
        result.data[voxel * result.channels + channel] = values[channel * result.tokens + voxel]
      }
    }
    return result
  }

  func halo(_ file: SafetensorsFile, _ name: String) throws -> HaloActivation {
    let shape = try #require(file.entry(name)?.shape)
    let result = try halo(Grid(shape[2], shape[3], shape[4]), shape[1])
    try file.floats(name).withUnsafeBufferPointer {
      compute.interleave(try #require($0.baseAddress), into: result)
    }
    return result
  }

  func scratch(_ grid: Grid, channels: Int, projection: Int) throws -> TransformerBlock.Scratch {
    let tokens = grid.voxels
    return TransformerBlock.Scratch(
      normalised: try floats(tokens * channels),
      attention: EPABlock.Scratch(
        queries: try floats(tokens * channels), spatial: try floats(tokens * channels),
        sums: try floats(
          EPABlock.Scratch.sumsCount(
            tokens: tokens, channels: channels, heads: 4, projection: projection)),
        small: try floats(
          EPABlock.Scratch.smallCount(channels: channels, heads: 4, projection: projection)),
        workers: try floats(
          compute.threads
            * EPABlock.Scratch.workerCount(tokens: tokens, channels: channels))),
      convolution: try convolutionScratch(grid, channels))
  }

  func convolutionScratch(_ grid: Grid, _ channels: Int) throws -> UnsafeMutablePointer<Float> {
    let plan = ConvolutionPlan.best(
      grid: grid, inputChannels: channels, outputChannels: channels, mayBeDirect: false)
    return try floats(plan.scratch(threads: compute.threads))
  }

  func level(_ x: Activation) throws -> Level {
    Level(
      x: x, halo: try halo(x.grid, x.channels), hidden: try halo(x.grid, x.channels),
      between: try halo(x.grid, x.channels))
  }

  func full(_ grid: Grid, _ channels: Int) throws -> FullResolution {
    FullResolution(
      a: try activation(grid, channels), b: try activation(grid, channels),
      c: try activation(grid, channels), scratch: try convolutionScratch(grid, channels))
  }

  /// The last step of an instance residual block, in place of full.c.
  func finish(_ block: InstanceResidualBlock, _ full: FullResolution) -> Activation {
    for voxel in 0..<full.c.tokens {
      let first = voxel * full.c.channels
      block.norm2.activateRow(
        full.c.data + first, plus: full.a.data + first, into: full.c.data + first, count: 1,
        compute: compute)
    }
    return full.c
  }
}

extension Activation {
  /// The values as (C, D, H, W).
  var planar: [Float] {
    var values = [Float](repeating: 0, count: tokens * channels)
    for voxel in 0..<tokens {
      for channel in 0..<channels {
        values[channel * tokens + voxel] = data[voxel * channels + channel]
      }
    }
    return values
  }
}
