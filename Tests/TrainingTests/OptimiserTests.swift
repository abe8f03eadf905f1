import Tensors
import TestSupport
import Testing

@testable import Training

struct OptimiserTests {
  private struct Run {
    var values: [Int: [Float]] = [:]
    var averages: [Int: [Float]] = [:]
  }

  /// Fifty steps on the golden gradients: the first half of the parameters is decayed.
  private func run(_ rule: OptimiserRule, clip: Double, threads: Int = 2) throws -> Run {
    let golden = try GoldenArrays("training/optimisers.safetensors")
    let start = try golden["start"].values
    let gradients = try golden["gradients"].values
    let count = start.count
    let compute = try #require(Compute(threads: threads))
    let (values, gradient, average) = (
      FlatBuffer(count: count), FlatBuffer(count: count), FlatBuffer(count: count)
    )
    defer { withExtendedLifetime((values, gradient, average)) {} }
    for index in 0..<count {
      values.values[index] = start[index]
      average.values[index] = start[index]
    }
    let optimiser = Optimiser(
      rule, count: count,
      ranges: [
        ParameterRange(0..<count / 2, isDecayed: true),
        ParameterRange(count / 2..<count, isDecayed: false),
      ])
    let schedule = LearningRateSchedule(rate: 0.01, power: 1)
    var run = Run()
    for step in 0..<50 {
      for index in 0..<count { gradient.values[index] = gradients[step * count + index] }
      let norm = try GradientNorm(gradient.values, compute)
      optimiser.step(
        values.values, gradient.values,
        rate: schedule.rate(step: step, progress: Double(step) / 100),
        gradientScale: clip > 0 ? norm.scale(limit: clip) : 1, compute)
      WeightAverage(decay: 0.9).update(average.values, with: values.values, step: step, compute)
      run.values[step + 1] = Array(values.values)
      run.averages[step + 1] = Array(average.values)
    }
    return run
  }

  @Test(arguments: ["sgd", "adamw"], [0, 12])
  func parametersAndAveragesAreThoseOfPyTorch(name: String, clip: Int) throws {
    let golden = try GoldenArrays("training/optimisers.safetensors")
    let rule: OptimiserRule = name == "sgd" ? .sgd(decay: 3e-3) : .adamW(decay: 0.1)
    let found = try run(rule, clip: Double(clip))
    for step in [1, 10, 50] {
      for (kind, values) in [("values", found.values), ("average", found.averages)] {
        let expected = try golden["\(name)\(clip).\(kind)\(step)"].values
        let largest = expected.map(abs).max() ?? 0
        #expect(largestDifference(values[step] ?? [], expected) < 3e-6 * largest)
      }
    }
  }

  @Test func theNumberOfThreadsChangesNothing() throws {
    let count = 70_000  // several blocks
    func run(_ threads: Int) throws -> [Float] {
      let compute = try #require(Compute(threads: threads))
      let (values, gradients) = (FlatBuffer(count: count), FlatBuffer(count: count))
      defer { withExtendedLifetime((values, gradients)) {} }
      var generator = CounterGenerator(seed: 2, purpose: .noise)
      for index in 0..<count {
        values.values[index] = Float(generator.uniform())
        gradients.values[index] = Float(generator.normal())
      }
      let optimiser = Optimiser(
        .adamW(), count: count, ranges: [ParameterRange(0..<count, isDecayed: true)])
      for _ in 0..<3 {
        let norm = try GradientNorm(gradients.values, compute)
        optimiser.step(
          values.values, gradients.values, rate: 1e-3, gradientScale: norm.scale(limit: 1), compute)
      }
      return Array(values.values)
    }
    #expect(try run(1) == run(3))
  }

  @Test(arguments: [Float.nan, .infinity])
  func gradientsThatAreNotFiniteAreAnError(value: Float) throws {
    let compute = try #require(Compute(threads: 2))
    let gradients = FlatBuffer(count: 40_000)
    defer { withExtendedLifetime(gradients) {} }
    #expect(try GradientNorm(gradients.values, compute).value == 0)
    gradients.values[39_999] = value
    #expect(throws: GradientNotFinite()) { try GradientNorm(gradients.values, compute) }
  }

  @Test func paddingBetweenRangesStays() throws {
    let compute = try #require(Compute(threads: 2))
    let (values, gradients) = (FlatBuffer(count: 32), FlatBuffer(count: 32))
    defer { withExtendedLifetime((values, gradients)) {} }
    for index in 0..<32 { gradients.values[index] = 1 }
    let optimiser = Optimiser(
      .sgd(), count: 32,
      ranges: [ParameterRange(0..<3, isDecayed: true), ParameterRange(16..<20, isDecayed: false)])
    optimiser.step(values.values, gradients.values, rate: 1, compute)
    let changed = values.values.indices.filter { values.values[$0] != 0 }
    #expect(changed == [0, 1, 2, 16, 17, 18, 19])
  }

  @Test func schedules() {
    let polynomial = LearningRateSchedule(rate: 0.01)
    #expect(polynomial.rate(step: 0, progress: 0) == 0.01)
    #expect(abs(polynomial.rate(step: 500, progress: 0.5) - 0.005358867) < 1e-9)
    #expect(polynomial.rate(step: 1000, progress: 1) == 0)
    // As train.py: held for 70 %, the first 50 steps rise.
    let held = LearningRateSchedule(rate: 1e-3, hold: 0.7, warmupSteps: 50)
    #expect(held.rate(step: 0, progress: 0) == 1e-3 / 50)
    #expect(held.rate(step: 49, progress: 0.01) == 1e-3)
    #expect(held.rate(step: 1000, progress: 0.69) == 1e-3)
    #expect(abs(held.rate(step: 1000, progress: 0.85) - 5.358867e-4) < 1e-9)
  }
}
