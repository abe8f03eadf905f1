import Foundation
import TestSupport
import Testing
import Volumes

@testable import Training

struct StackPatchTests {
  private func stack(_ count: Int, slicesPerPlane: Double = 0.5) -> TrainingVolume {
    // The slice's number from 1 in every voxel; a label in the middle of each slice.
    let shape = [count, 6, 8]
    let labels = volume(shape) { _, y, x in y == 2 && x == 5 ? 1 : 0 }.map { UInt8($0) }
    return TrainingVolume(
      shape: shape, image: volume(shape) { z, _, _ in Float(z + 1) }, labels: labels,
      slicesPerPlane: slicesPerPlane)
  }

  /// The slice that each plane shows, 0 for none.
  private func shown(_ patch: Patch, planes: Int) -> [Float] {
    let size = patch.image.count / planes
    return (0..<planes).map { patch.image[$0 * size + size / 2] }
  }

  @Test func slicesAreRepeatedAsResamplingRepeatsThem() {
    let drawing = PatchDrawing(AugmentationOptions(), patch: [10, 6, 8])
    let patch = drawing.patch(from: stack(5))
    #expect(shown(patch, planes: 10) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
    let resampled = Resampling(shape: [5, 1, 1], newShape: [10, 1, 1], separateAxis: 0)
      .apply([1, 2, 3, 4, 5], .cubic)
    #expect(shown(patch, planes: 10) == resampled)
    // A stack that does not fill the patch is in its middle, the rest is empty.
    let small = drawing.patch(from: stack(3))
    #expect(shown(small, planes: 10) == [0, 0, 1, 1, 2, 2, 3, 3, 0, 0])
    #expect(small.labels.count { $0 == 1 } == 6)
  }

  @Test func partOfThePatchMayBeEmpty() {
    var options = AugmentationOptions()
    options.beyondEnds = 0.2
    let drawing = PatchDrawing(options, patch: [10, 6, 8])
    let found = (0..<60).map { shown(drawing.patch(from: stack(5), step: $0), planes: 10) }
    #expect(
      found.contains { $0.prefix(2) == [0, 0] } && found.contains { $0.suffix(2) == [0, 0] })
    #expect(found.allSatisfy { $0.count { $0 == 0 } <= 3 })
  }

  @Test func stacksRunBothWays() {
    var options = AugmentationOptions()
    options.mirror = [0.5, 0, 0]
    let drawing = PatchDrawing(options, patch: [10, 6, 8])
    let found = (0..<40).map { shown(drawing.patch(from: stack(5), step: $0), planes: 10) }
    let forward = found.count { $0 == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5] }
    #expect(forward + found.count { $0 == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1] } == 40)
    #expect((8...32).contains(forward))
  }

  @Test func thinningLeavesEverySecondSliceOut() {
    var options = AugmentationOptions()
    options.thinning = Thinning(probability: 1)
    var generator = CounterGenerator(seed: 1, purpose: .space)
    let orders = (0..<20).map { _ in
      StackOrder(count: 7, slicesPerPlane: 1, options, using: &generator)
    }
    let numbers = Set(orders.map { $0.slices.map(\.number) })
    #expect(numbers == [[0, 2, 4, 6], [1, 3, 5]])
    #expect(orders.allSatisfy { $0.step == 0.5 })
    let thick = StackOrder(count: 7, slicesPerPlane: 0.5, options, using: &generator)
    #expect(thick.slices.count == 7 && thick.step == 0.5)
  }

  @Test func stacksReachBeyondTheOrgan() {
    var options = AugmentationOptions()
    options.beyond = BeyondStack(probability: 1, slices: 2)
    var generator = CounterGenerator(seed: 1, purpose: .space)
    var ends: Set<[Int]> = []
    for _ in 0..<100 {
      let order = StackOrder(count: 3, slicesPerPlane: 0.5, options, using: &generator)
      let before = order.slices.prefix { $0.isAway }.count
      let after = order.slices.reversed().prefix { $0.isAway }.count
      ends.insert([before, after])
      #expect(order.slices.count == 3 + before + after)
      #expect(order.slices.dropFirst(before).prefix(3).map(\.number) == [0, 1, 2])
      #expect(order.slices.prefix(before).allSatisfy { $0.number == 0 })
      #expect(order.slices.suffix(after).allSatisfy { $0.number == 2 })
    }
    #expect(ends.count == 9)
    #expect(StackPatch.rolled([0, 1, 2, 3, 4, 5], 2, 3) == [5, 3, 4, 2, 0, 1])
  }

  @Test func aSliceThatMustBeShownIs() {
    var options = AugmentationOptions()
    options.thinning = Thinning(probability: 0.5)
    var generator = CounterGenerator(seed: 1, purpose: .space)
    for _ in 0..<50 {
      let order = StackOrder(count: 40, slicesPerPlane: 1, options, using: &generator)
      let planes = order.planes(8, stretch: 1, margin: 0, centre: 30, using: &generator)
      let numbers = planes.compactMap { $0.map { order.slices[$0].number } }
      #expect(numbers.contains(30) || numbers.contains(31))
    }
  }

  @Test func slicesHaveBrightnessAndShiftOfTheirOwn() {
    var options = AugmentationOptions()
    options.sliceBrightness = SliceBrightness(probability: 1, deviation: 0.2)
    let drawing = PatchDrawing(options, patch: [10, 6, 8])
    let bright = shown(drawing.patch(from: stack(5)), planes: 10)
    #expect(bright[0] == 1)  // the darkest voxel stays
    #expect(bright[2] == bright[3] && bright[2] != 2 && bright[8] != 5)
    #expect(abs(log((bright[8] - 1) / 4)) < 1.2)

    options = AugmentationOptions()
    options.sliceShift = SliceShift(probability: 1, deviation: 1.5)
    let shape = [5, 24, 24]
    let ramp = TrainingVolume(
      shape: shape, image: volume(shape) { _, y, x in Float(x + 100 * y) },
      labels: [UInt8](repeating: 0, count: shape.reduce(1, *)), slicesPerPlane: 0.5)
    let moved = PatchDrawing(options, patch: [10, 8, 8]).patch(from: ramp).image
    let firsts = (0..<10).map { moved[$0 * 64 + 27] }
    #expect(firsts[0] == firsts[1] && firsts[2] == firsts[3])
    #expect(Set(firsts).count == 5)
  }

  @Test func turnsAndScalesAreInThePlane() {
    var options = AugmentationOptions()
    options.rotation = Rotation(probability: 1, degrees: 90, tilt: 45)
    options.scaling = Scaling(probability: 1, factor: 0.8...1.2, alongZ: 0.5...0.5)
    let drawing = PatchDrawing(options, patch: [20, 4, 4])
    let found = (0..<20).map { shown(drawing.patch(from: stack(5), step: $0), planes: 20) }
    // Half as many slices for each plane: each is shown four times, whatever the turn.
    #expect(found.allSatisfy { $0 == (1...5).flatMap { [Float](repeating: Float($0), count: 4) } })
  }

  @Test func deformationsBendRepeatedSlicesAlike() {
    var options = AugmentationOptions()
    options.deformation = Deformation(probability: 1, spacing: 3, deviation: 0.5...0.5)
    let shape = [5, 12, 12]
    let source = TrainingVolume(
      shape: shape, image: noisy(720), labels: [UInt8](repeating: 0, count: 720),
      slicesPerPlane: 0.5)
    let patch = PatchDrawing(options, patch: [10, 12, 12]).patch(from: source)
    #expect(patch.image[0..<144] == patch.image[144..<288])
    #expect(patch.image[0..<144] != patch.image[288..<432])
    #expect(patch.image[0..<144] != source.image[0..<144])
  }
}
