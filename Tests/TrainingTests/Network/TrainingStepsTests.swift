import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing
import UNETRPP

@testable import Training

/// Whole training steps against PyTorch: the same weights, batches, loss, clipping and optimiser.
@Suite(.serialized)
struct TrainingStepsTests {
  /// Losses, and some values of every tensor after some of the steps.
  struct Run {
    var losses: [Double] = []
    var values: [Int: [Float]] = [:]
  }

  static func train(
    _ kind: BlockKind, _ rule: OptimiserRule, rate: Double, steps: [Int], threads: Int
  ) throws -> Run {
    let compute = try #require(Compute(threads: threads))
    let network = try GoldenNetwork.network(kind, compute)
    let (d, store) = (network.description, network.parameters)
    let loss = SegmentationLoss(.recipe, batch: 2, classes: d.classes, shape: d.patch)
    // PyTorch's SGD decays every parameter, the recipe's AdamW only some.
    let decaysAll = if case .sgd = rule { true } else { false }
    let optimiser = Optimiser(
      rule, count: store.values.count,
      ranges: store.entries.map { ParameterRange($0.range, isDecayed: $0.isDecayed || decaysAll) })
    var run = Run()
    for step in 0..<(steps.max() ?? 0) {
      let (images, labels) = RuledNumbers.batch(d, samples: 2, step: step)
      let levels = try #require(
        images.withUnsafeBufferPointer { $0.baseAddress.map { network.forward($0, step: step) } })
      let gradients = levels.map { FlatBuffer(count: 2 * $0.stride) }
      defer { withExtendedLifetime(gradients) {} }
      let pointers = try gradients.map { try #require($0.values.baseAddress) }
      let value = try labels.withUnsafeBufferPointer { labels in
        try loss.evaluate(
          zip(levels, pointers).map { level, gradient in
            LossLevel(
              shape: [level.grid.depth, level.grid.height, level.grid.width],
              logits: level.values, gradient: gradient)
          }, labels: try #require(labels.baseAddress), compute: compute)
      }
      run.losses.append(value.total)
      network.backward(pointers.map { UnsafePointer($0) })
      let norm = try GradientNorm(store.gradients, compute)
      optimiser.step(
        store.values, store.gradients, rate: rate, gradientScale: norm.scale(limit: 12), compute)
      network.prepareWeights()
      if steps.contains(step + 1) { run.values[step + 1] = samples(network) }
    }
    return run
  }

  /// Some values of every tensor, in ascending order of name.
  private static func samples(_ network: TrainableNetwork) -> [Float] {
    network.stateDictionary(secondNames: false).sorted { $0.name < $1.name }
      .flatMap { RuledNumbers.sample($0.values) }
  }

  static let rules: [(name: String, rule: OptimiserRule, rate: Double)] = [
    ("sgd", .sgd(momentum: 0.99, decay: 3e-5), 1e-4), ("adamw", .adamW(decay: 1e-2), 1e-4),
  ]

  /// A debug build stops after 10 steps: 50 of all networks take minutes.
  static var steps: [Int] {
    #if DEBUG
      [1, 10]
    #else
      [1, 10, 50]
    #endif
  }

  /// Small differences grow from step to step, so the bound is PyTorch's distance from itself with
  /// another order of memory (in the file's metadata), with room: 5 times that.
  @Test(arguments: BlockKind.allCases, ["sgd", "adamw"])
  func weightsAfterStepsAreThoseOfPyTorch(kind: BlockKind, name: String) throws {
    let golden = try GoldenNetwork.file("steps_\(kind)")
    let (_, rule, rate) = try #require(Self.rules.first { $0.name == name })
    let start = try Self.samples(
      GoldenNetwork.network(kind, #require(Compute(threads: 1)))
    ).map { Double($0) }
    let run = try Self.train(kind, rule, rate: rate, steps: Self.steps, threads: 2)
    for step in Self.steps {
      let expected = try golden.floats("\(name).\(step)").map { Double($0) }
      let found = try #require(run.values[step]).map { Double($0) }
      try #require(found.count == expected.count)
      let moved = length(zip(expected, start).map { $0 - $1 })
      let distance = length(zip(found, expected).map { $0 - $1 }) / moved
      let own = try #require(golden.metadata["\(name).\(step)"].flatMap { Double($0) })
      print("\(kind) \(name) after \(step): \(distance), PyTorch from itself \(own)")
      #expect(distance < max(5 * own, 2e-4))
      #expect(moved > 0)
    }
    let losses = try golden.floats("\(name).losses").map { Double($0) }
    let difference = zip(run.losses, losses).reduce(0) { max($0, abs($1.0 - $1.1)) }
    let own = try #require(golden.metadata["\(name).losses"].flatMap { Double($0) })
    print("\(kind) \(name) losses: \(difference), PyTorch from itself \(own)")
    #expect(run.losses.count == Self.steps.max())
    #expect(difference < 5 * own)
    #expect(abs(run.losses[0] - losses[0]) < 2e-5)
  }
}
