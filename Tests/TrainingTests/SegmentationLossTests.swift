import Tensors
import TestSupport
import Testing

@testable import Training

struct SegmentationLossTests {
  private static let shape = [4, 16, 24]
  private static let levels = [[4, 16, 24], [4, 4, 6], [2, 2, 3]]

  private struct Found: Equatable {
    var value: LossValue
    var gradients: [[Float]]
  }

  private func evaluate(
    _ options: LossOptions, _ logits: [[Float]], labels: [UInt8], batch: Int = 2, classes: Int = 4,
    shape: [Int] = shape, levels: [[Int]] = levels, threads: Int = 2
  ) throws -> Found {
    let compute = try #require(Compute(threads: threads))
    let loss = SegmentationLoss(options, batch: batch, classes: classes, shape: shape)
    let gradients = logits.map { FlatBuffer(count: $0.count) }
    let copies = logits.map { values in
      let copy = FlatBuffer(count: values.count)
      for (index, value) in values.enumerated() { copy.values[index] = value }
      return copy
    }
    let found = try withExtendedLifetime((gradients, copies)) {
      try loss.evaluate(
        zip(copies, gradients).enumerated().map { index, pair in
          LossLevel(
            shape: levels[index], logits: UnsafePointer(pair.0.values.baseAddress!),
            gradient: pair.1.values.baseAddress!)
        }, labels: labels, compute: compute)
    }
    return Found(value: found, gradients: gradients.map { Array($0.values) })
  }

  @Test(arguments: ["recipe", "reference"], [1, 3])
  func lossAndGradientsAreThoseOfPyTorch(name: String, count: Int) throws {
    let golden = try GoldenArrays("training/loss.safetensors")
    let labels = try golden["labels"].values.map { UInt8($0) }
    let logits = try (0..<count).map { try golden["logits\($0)"].values }
    let found = try evaluate(
      name == "recipe" ? .recipe : .reference, logits, labels: labels)
    let loss = try golden["\(name)\(count).loss"].values[0]
    #expect(abs(Float(found.value.total) - loss) < 2e-6 * loss)
    for level in 0..<count {
      let gradient = try golden["\(name)\(count).gradient\(level)"].values
      let largest = gradient.map(abs).max() ?? 0
      #expect(largestDifference(found.gradients[level], gradient) < 2e-6 * largest)
    }
  }

  @Test func gradientsAreThoseOfFiniteDifferences() throws {
    var generator = CounterGenerator(seed: 5, purpose: .noise)
    let logits = (0..<2 * 3 * 2 * 3 * 4).map { _ in Float(generator.normal()) }
    let labels = (0..<2 * 2 * 3 * 4).map { _ in UInt8(generator.integer(below: 3)) }
    var options = LossOptions.reference
    options.diceWeight = 0.7
    options.crossEntropyWeight = 1.3
    func value(_ logits: [Float]) throws -> Found {
      try evaluate(
        options, [logits], labels: labels, classes: 3, shape: [2, 3, 4], levels: [[2, 3, 4]])
    }
    let found = try value(logits)
    for index in stride(from: 0, to: logits.count, by: 7) {
      func moved(_ by: Float) throws -> Double {
        var other = logits
        other[index] += by
        return try value(other).value.total
      }
      let slope = (try moved(0.01) - moved(-0.01)) / 0.02
      #expect(abs(slope - Double(found.gradients[0][index])) < 2e-6)
    }
  }

  @Test func theNumberOfThreadsChangesNothing() throws {
    let golden = try GoldenArrays("training/loss.safetensors")
    let labels = try golden["labels"].values.map { UInt8($0) }
    let logits = try (0..<3).map { try golden["logits\($0)"].values }
    let one = try evaluate(.reference, logits, labels: labels, threads: 1)
    for threads in [2, 3, 7] {
      #expect(try evaluate(.reference, logits, labels: labels, threads: threads) == one)
    }
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func logitsThatAreNotFiniteAreAnError(value: Float) throws {
    var logits = [Float](repeating: 0, count: 2 * 24)
    logits[31] = value
    let error = try #require(throws: LossError.self) {
      try evaluate(
        .reference, [logits], labels: [UInt8](repeating: 0, count: 24), batch: 1, classes: 2,
        shape: [2, 3, 4], levels: [[2, 3, 4]])
    }
    guard case .notFinite(level: 0, _, _) = error else {
      Issue.record("\(error)")
      return
    }
  }

  @Test func labelsOutsideTheClassesAndShapesThatDoNotFitAreErrors() throws {
    let logits = [Float](repeating: 0, count: 2 * 24)
    var labels = [UInt8](repeating: 0, count: 24)
    labels[7] = 2
    #expect(throws: LossError.label(value: 2, sample: 0, voxel: 7, classes: 2)) {
      try evaluate(
        .reference, [logits], labels: labels, batch: 1, classes: 2, shape: [2, 3, 4],
        levels: [[2, 3, 4]])
    }
    #expect(throws: LossError.shape(level: [2, 2, 4], labels: [2, 3, 4])) {
      try evaluate(
        .reference, [logits], labels: labels, batch: 1, classes: 2, shape: [2, 3, 4],
        levels: [[2, 2, 4]])
    }
  }
}
