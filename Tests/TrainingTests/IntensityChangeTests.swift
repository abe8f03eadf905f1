import Foundation
import TestSupport
import Testing

@testable import Training

struct IntensityChangeTests {
  private let shape = [4, 6, 10]
  private var voxels: [Float] { noisy(240) }

  private func moments(_ values: [Float]) -> (mean: Double, deviation: Double) {
    var found = (mean: 0.0, deviation: 0.0)
    _ = changed(values, shape: shape) { found = $0.moments }
    return found
  }

  @Test func noiseHasItsDeviationAndItsStream() {
    let many = [Float](repeating: 3, count: 40_000)
    func noise(_ seed: UInt64) -> [Float] {
      changed(many, shape: [40, 100, 10]) {
        var generator = CounterGenerator(seed: seed, purpose: .intensity)
        GaussianNoise(probability: 1, deviation: 0.2...0.2).apply(to: $0, using: &generator)
      }
    }
    let found = moments(noise(1))
    #expect(abs(found.mean - 3) < 0.005 && abs(found.deviation - 0.2) < 0.004)
    #expect(noise(1) == noise(1))
    #expect(noise(1) != noise(2))
  }

  @Test func blurSpreadsAnImpulseByItsVariance() {
    let size = [21, 21, 21]
    let impulse = volume(size) { $0 == 10 && $1 == 10 && $2 == 10 ? 1 : 0 }
    let found = changed(impulse, shape: size) {
      GaussianBlur(probability: 1, sigma: 1...1, axes: [1, 2]).blur($0, sigma: 1.5)
    }
    #expect(abs(found.reduce(0, +) - 1) < 1e-5)
    var variance = [0.0, 0.0, 0.0]
    for (index, value) in found.enumerated() {
      for (axis, place) in [index / 441, index / 21 % 21, index % 21].enumerated() {
        variance[axis] += Double(value) * Double((place - 10) * (place - 10))
      }
    }
    #expect(variance[0] == 0)  // slices are not blurred into each other
    #expect(abs(variance[1] - 2.25) < 0.02 && abs(variance[2] - 2.25) < 0.02)
    let flat = changed([Float](repeating: 2, count: 240), shape: shape) {
      GaussianBlur(probability: 1, sigma: 1...1).blur($0, sigma: 3)
    }
    #expect(flat.allSatisfy { abs($0 - 2) < 1e-5 })  // edges are mirrored, also far beyond
    #expect([-2, -1, 0, 2, 3, 7].map { GaussianBlur.mirrored($0, 3) } == [1, 0, 0, 2, 2, 1])
  }

  @Test func brightnessMultipliesAndShifts() {
    let doubled = changed(voxels, shape: shape) {
      var generator = CounterGenerator(seed: 1, purpose: .intensity)
      Brightness(probability: 1, factor: 2...2).apply(to: $0, using: &generator)
    }
    #expect(doubled == voxels.map { 2 * $0 })
    let shifts = (0..<2000).map { seed in
      changed([0], shape: [1, 1, 1]) {
        var generator = CounterGenerator(seed: UInt64(seed), purpose: .intensity)
        Brightness(probability: 1, factor: 1...1, offset: 0.3).apply(to: $0, using: &generator)
      }[0]
    }
    #expect(abs(moments(shifts).deviation - 0.3) < 0.02)
  }

  @Test func contrastKeepsTheMeanAndTheRange() {
    let weaker = changed(voxels, shape: shape) {
      Contrast(probability: 1, factor: 1...1).change($0, by: 0.5)
    }
    let (before, after) = (moments(voxels), moments(weaker))
    #expect(abs(after.mean - before.mean) < 1e-6)
    #expect(abs(after.deviation - before.deviation / 2) < 1e-6)
    let stronger = changed(voxels, shape: shape) {
      Contrast(probability: 1, factor: 1...1).change($0, by: 3)
    }
    #expect(stronger.max() == voxels.max() && stronger.min() == voxels.min())
    #expect(moments(stronger).deviation > before.deviation)
  }

  @Test(arguments: [false, true])
  func gammaKeepsMeanAndDeviationAndOrder(isInverted: Bool) {
    let gamma = Gamma(probability: 1, exponent: 1...1, isInverted: isInverted)
    let same = changed(voxels, shape: shape) { gamma.change($0, exponent: 1) }
    #expect(largestDifference(same, voxels) < 1e-5)
    let found = changed(voxels, shape: shape) { gamma.change($0, exponent: 1.8) }
    let (before, after) = (moments(voxels), moments(found))
    #expect(abs(after.mean - before.mean) < 1e-6)
    #expect(abs(after.deviation - before.deviation) < 1e-6)
    let order = voxels.indices.sorted { voxels[$0] < voxels[$1] }
    #expect(zip(order, order.dropFirst()).allSatisfy { found[$0] <= found[$1] })
    // A power above 1 spreads the bright end; inverted, the dark end.
    let (low, middle, high) = (found[order[0]], found[order[120]], found[order[239]])
    #expect((high - middle > middle - low) == !isInverted)
  }

  @Test func gammaOfAFlatImageIsTheImage() {
    let flat = changed([1, 1, 1, 1], shape: [1, 2, 2]) {
      Gamma(probability: 1, exponent: 2...2).change($0, exponent: 2)
    }
    #expect(flat == [1, 1, 1, 1])
  }

  @Test func lowResolutionLosesDetailAlongItsAxesAlone() {
    let size = [8, 12, 12]
    let alongZ = volume(size) { z, _, _ in z % 2 == 0 ? 1 : -1 }
    let change = LowResolution(probability: 1, factor: 0.5...0.5, axes: [1, 2])
    #expect(
      largestDifference(changed(alongZ, shape: size) { change.reduce($0, by: 0.5) }, alongZ) < 1e-6)
    let alongX = volume(size) { _, _, x in x % 2 == 0 ? 1 : -1 }
    let found = changed(alongX, shape: size) { change.reduce($0, by: 0.5) }
    #expect(Set(found).count == 1)  // only every second voxel is left
    let ramp = volume(size) { _, y, x in Float(y + 2 * x) }
    let smooth = changed(ramp, shape: size) { change.reduce($0, by: 0.75) }
    #expect(largestDifference(smooth, ramp) < 2.1)
    #expect(smooth != ramp)
  }

  @Test func theBiasFieldFollowsItsNodes() {
    let flat = [Float](repeating: 0, count: 18)
    let change = BiasField(probability: 1, strength: 0...0)
    #expect(
      largestDifference(changed(voxels, shape: shape) { change.multiply($0, nodes: flat) }, voxels)
        < 1e-6)
    let least = voxels.min() ?? 0
    var nodes = flat
    nodes[17] = log(2)  // the last corner
    let found = changed(voxels, shape: shape) { change.multiply($0, nodes: nodes) }
    #expect(abs(found[239] - (2 * (voxels[239] - least) + least)) < 1e-5)
    #expect(abs(found[0] - voxels[0]) < 1e-6)
    let half = (3 * 6 + 5) * 10 + 7  // between nodes 1 and 2 along x: 7 of 9 is 0.556
    let factor = expf(log(2) * (7 * 2 / 9.0 - 1))
    #expect(abs(found[half] - ((voxels[half] - least) * factor + least)) < 1e-5)
  }

  @Test func factorsBelowAndAboveOneAreAsLikely() {
    var generator = CounterGenerator(seed: 1, purpose: .intensity)
    let drawn = (0..<4000).map { _ in generator.factor(in: 0.7...1.4) }
    #expect(drawn.allSatisfy { (0.7...1.4).contains($0) })
    #expect(abs(drawn.count { $0 < 1 } - 2000) < 190)
    #expect((0..<100).allSatisfy { _ in (2.0...3).contains(generator.factor(in: 2...3)) })
  }

  @Test func changesHappenWithTheirProbabilityAndInTheirOrder() {
    var options = AugmentationOptions()
    options.brightness = Brightness(probability: 0.25, factor: 2...2)
    let drawing = PatchDrawing(options, patch: [1, 1, 1])
    let volume = TrainingVolume(shape: [1, 1, 1], image: [1], labels: [0])
    let found = (0..<2000).count { drawing.patch(from: volume, step: $0).image[0] == 2 }
    #expect(abs(found - 500) < 120)
    let names = AugmentationOptions.nnUNet(isAnisotropic: true).intensityChanges.map {
      "\(type(of: $0))"
    }
    #expect(
      names == [
        "GaussianNoise", "GaussianBlur", "LowResolution", "Brightness", "Contrast", "Gamma",
        "Gamma",
      ])
  }
}
