import Foundation
import TestSupport
import Testing

@testable import Segmentation

extension SlidingWindow {
  /// All probabilities at once (K, z, y, x).
  func probabilities(
    _ image: [Float], shape: [Int], forward: Forward,
    patchDone: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> [Float] {
    var planes: [[Float]] = []
    try forEachPlane(image, shape: shape, forward: forward, patchDone: patchDone) {
      planes.append(Array($0))
    }
    let plane = shape[1] * shape[2]
    return (0..<classes).flatMap { index in
      planes.flatMap { $0[index * plane..<(index + 1) * plane] }
    }
  }
}

@Suite struct SlidingWindowTests {
  private struct Golden: Decodable {
    struct Gaussian: Decodable {
      var patch: [Int]
      var min: Double
      var sum: Double
    }
    struct Steps: Decodable {
      var patch: [Int]
      var image: [Int]
      var step: Double
      var steps: [[Int]]
    }
    var gaussian: [String: Gaussian]
    var steps: [Steps]
  }

  @Test func startsEqualReference() throws {
    let golden = try goldenJSON("sliding_window.json", as: Golden.self)
    #expect(golden.steps.count == 36)
    for item in golden.steps {
      let starts = (0..<3).map {
        PatchGrid.starts(count: item.image[$0], patch: item.patch[$0], step: item.step)
      }
      #expect(starts == item.steps)
    }
  }

  @Test(arguments: ["odd", "acdc"])
  func importanceEqualsReference(_ name: String) throws {
    let item = try #require(
      try goldenJSON("sliding_window.json", as: Golden.self).gaussian[name])
    let golden = try GoldenArrays("gaussian.safetensors")
    let patch = item.patch
    let weights = PatchGrid.importance(patch: patch)
    func at(_ z: Int, _ y: Int, _ x: Int) -> Float { weights[(z * patch[1] + y) * patch[2] + x] }
    func isNear(_ a: Float, _ b: Float) -> Bool { abs(a - b) <= 1e-6 * abs(b) }
    let centre = patch.map { $0 / 2 }
    for (index, value) in try golden["\(name).axis0"].values.enumerated() {
      #expect(isNear(at(index, centre[1], centre[2]), value))
    }
    for (index, value) in try golden["\(name).axis2"].values.enumerated() {
      #expect(isNear(at(centre[0], centre[1], index), value))
    }
    for (index, value) in try golden["\(name).corner8"].values.enumerated() {
      #expect(isNear(at(index / 64, index / 8 % 8, index % 8), value))
    }
    for (index, value) in try golden["\(name).diag"].values.enumerated() {
      #expect(isNear(at(index, index, index), value))
    }
    let sum = weights.reduce(0.0) { $0 + Double($1) }
    #expect(abs(sum - item.sum) <= 1e-6 * item.sum)
  }

  /// A network that looks at each voxel alone gives the same answer whatever the tiling.
  @Test(arguments: [[], [0], [0, 1, 2]], [[5, 6, 7], [9, 13, 21], [4, 8, 30]])
  func tilesAgreeWithTheVoxelwiseAnswer(_ mirrorAxes: [Int], _ shape: [Int]) throws {
    let window = SlidingWindow(
      patch: [4, 8, 6], channels: 2, classes: 3, step: 0.5, mirrorAxes: mirrorAxes)
    let count = shape.reduce(1, *)
    let image = (0..<2 * count).map { Float(($0 * 7919) % 13) / 13 }
    var patches = 0
    let found = try window.probabilities(image, shape: shape) { input, logits in
      patches += 1
      for voxel in 0..<192 {
        logits[voxel] = 0.5
        logits[192 + voxel] = input[voxel]
        logits[384 + voxel] = input[192 + voxel]
      }
    } patchDone: { done, total in
      #expect(done <= total)
    }
    let tiles = PatchGrid(shape: shape, patch: window.patch, step: 0.5).starts.count
    #expect(patches == tiles * (1 << mirrorAxes.count))
    var expected = [Float](repeating: 0, count: 3 * count)
    for voxel in 0..<count {
      let exponentials = [0.5, image[voxel], image[count + voxel]].map { exp($0) }
      for index in 0..<3 {
        expected[index * count + voxel] = exponentials[index] / exponentials.reduce(0, +)
      }
    }
    #expect(largestDifference(found, expected) < 1e-6)
  }

  @Test func mirroringTurnsThePatchAndItsAnswer() throws {
    // The network marks the first voxel of its patch: mirrored, every corner along x and z.
    let window = SlidingWindow(
      patch: [2, 3, 4], channels: 1, classes: 2, step: 0.5, mirrorAxes: [0, 2])
    let found = try window.probabilities([Float](repeating: 0, count: 24), shape: [2, 3, 4]) {
      _, logits in
      for index in logits.indices { logits[index] = 0 }
      logits[24] = 100
    }
    let marked = (0..<24).filter { found[24 + $0] > 0.6 }
    #expect(marked == [0, 3, 12, 15])
    #expect(abs(found[24] - 0.625) < 1e-6)
  }

  /// A constant patch is computed once for each value, and gives what every time gives.
  @Test func constantPatchesAreComputedOnce() throws {
    let window = SlidingWindow(
      patch: [4, 4, 4], channels: 2, classes: 3, step: 0.5, mirrorAxes: [0, 1, 2])
    let shape = [4, 4, 20]
    // Five patches of the first value, then two mixed, then two of another value.
    let image = (0..<640).map { index -> Float in
      let isLow = index % 20 < 13
      return Float(index / 320) + (isLow ? 1 : 2)
    }
    var calls = 0
    func forward(
      _ input: UnsafeBufferPointer<Float>, _ logits: UnsafeMutableBufferPointer<Float>
    ) {
      calls += 1
      for index in logits.indices {
        let part = Float(index * 31 % 17) / 10
        logits[index] = input[index % 128] + part
      }
    }
    let found = try window.probabilities(image, shape: shape, forward: forward)
    #expect(calls == 1 + 2 * 8 + 1)
    // The same values with a trace of noise, so that no patch is constant.
    let noisy = image.indices.map { image[$0] + ($0 % 2 == 0 ? 0 : Float(2e-7)) }
    calls = 0
    let plain = try window.probabilities(noisy, shape: shape, forward: forward)
    #expect(calls == 9 * 8)
    #expect(largestDifference(found, plain) < 1e-6)
  }
}
