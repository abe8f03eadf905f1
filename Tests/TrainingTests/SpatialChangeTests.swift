import Foundation
import TestSupport
import Testing

@testable import Training

struct SpatialChangeTests {
  private let shape = [5, 9, 11]
  private var labels: [UInt8] { (0..<495).map { UInt8($0 * 7 % 5 == 0 ? $0 % 3 : 0) } }

  private func centred(_ steps: AxisVectors, patch: [Int]) -> PatchMapping {
    PatchMapping(patch: patch, centre: [2, 4, 5], steps: steps)
  }

  @Test func aPatchThatIsNotChangedIsACrop() {
    let image = noisy(990)  // two channels
    let volume = TrainingVolume(shape: shape, image: image, labels: labels)
    let drawing = PatchDrawing(AugmentationOptions(), patch: [4, 4, 4])
    let patch = drawing.patch(from: volume)
    var starts: [Int] = []
    for z in 0..<2 { for y in 0..<6 { for x in 0..<8 { starts.append((z * 9 + y) * 11 + x) } } }
    func crop<Value>(_ values: [Value], _ start: Int) -> [Value] {
      (0..<64).map { values[start + ($0 / 16 * 9 + $0 / 4 % 4) * 11 + $0 % 4] }
    }
    #expect(
      starts.contains {
        patch.image == crop(image, $0) + crop(Array(image[495...]), $0)
          && patch.labels == crop(labels, $0)
      })
    #expect(Set((0..<40).map { drawing.patch(from: volume, step: $0).image[0] }).count > 20)
  }

  @Test func volumesSmallerThanThePatchAreInTheMiddle() {
    let volume = TrainingVolume(
      shape: [2, 2, 2], image: [Float](repeating: 1, count: 8),
      labels: [UInt8](repeating: 1, count: 8))
    let drawing = PatchDrawing(AugmentationOptions(), patch: [10, 10, 10])
    for step in 0..<30 {
      let patch = drawing.patch(from: volume, step: step)
      #expect(patch.image.reduce(0, +) == 8)
      let first = patch.labels.firstIndex(of: 1) ?? 0
      #expect([first / 100, first / 10 % 10, first % 10].allSatisfy { (2...6).contains($0) })
    }
  }

  @Test func mirroringRunsThroughAnAxisTheOtherWay() {
    let image = noisy(495)
    let volume = TrainingVolume(shape: shape, image: image, labels: labels)
    let drawing = PatchDrawing(AugmentationOptions(), patch: shape)
    let whole = centred(.identity, patch: shape)
    let isSame = drawing.read(volume, whole) == Patch(image: image, labels: labels)
    #expect(isSame)
    for axis in 0..<3 {
      var mapping = whole
      mapping.mirror(axis, patch: shape)
      let found = drawing.read(volume, mapping)
      let flipped = (0..<495).map { index in
        var place = [index / 99, index / 11 % 9, index % 11]
        place[axis] = shape[axis] - 1 - place[axis]
        return (place[0] * 9 + place[1]) * 11 + place[2]
      }
      #expect(largestDifference(found.image, flipped.map { image[$0] }) == 0)
      #expect(found.labels == flipped.map { labels[$0] })
      mapping.mirror(axis, patch: shape)
      #expect(largestDifference(drawing.read(volume, mapping).image, image) == 0)
    }
  }

  @Test func aQuarterTurnExchangesAxes() {
    let size = [3, 7, 7]
    let image = noisy(147)
    let volume = TrainingVolume(
      shape: size, image: image, labels: [UInt8](repeating: 0, count: 147))
    let drawing = PatchDrawing(AugmentationOptions(), patch: size)
    let turned = AxisVectors.identity.turned(.pi / 2, 1, 2)
    let found = drawing.read(
      volume, PatchMapping(patch: size, centre: [1, 3, 3], steps: turned))
    // A step along y of the patch is one along x of the image, one along x is one back along y.
    let expected = (0..<147).map { (index: Int) -> Float in
      let (z, y, x) = (index / 49, index / 7 % 7, index % 7)
      return image[z * 49 + (6 - x) * 7 + y]
    }
    #expect(largestDifference(found.image, expected) < 1e-5)
  }

  @Test func rotationsKeepLengthsAndStayWithinTheirAngle() {
    var generator = CounterGenerator(seed: 1, purpose: .space)
    for _ in 0..<200 {
      let flat = Rotation(probability: 1, degrees: 90).drawn(using: &generator)
      #expect(flat.z == [1, 0, 0] && flat.y.x == 0 && flat.x.x == 0)
      #expect(flat.y.y > -1e-9)
      let tilted = Rotation(probability: 1, degrees: 20, tilt: 20).drawn(using: &generator)
      for axis in 0..<3 {
        #expect(abs((tilted[axis] * tilted[axis]).sum() - 1) < 1e-12)
        #expect(tilted[axis][axis] > 0.8)
        #expect(abs((tilted[axis] * tilted[(axis + 1) % 3]).sum()) < 1e-12)
      }
    }
  }

  @Test(arguments: [AugmentationOptions.ImageInterpolation.linear, .cubic])
  func scalingReadsPolynomialsExactly(interpolation: AugmentationOptions.ImageInterpolation) {
    var options = AugmentationOptions()
    options.imageInterpolation = interpolation
    let degree: Float = interpolation == .linear ? 0 : 0.1
    func value(_ z: Float, _ y: Float, _ x: Float) -> Float {
      z + 2 * y - x + degree * (x * x + y * x)
    }
    let image = volume([9, 9, 9]) { value(Float($0), Float($1), Float($2)) }
    let source = TrainingVolume(
      shape: [9, 9, 9], image: image, labels: [UInt8](repeating: 0, count: 729))
    var steps = AxisVectors.identity
    for axis in 0..<3 { steps[axis] *= 0.6 }
    let found = PatchDrawing(options, patch: [5, 5, 5])
      .read(source, PatchMapping(patch: [5, 5, 5], centre: [4, 4, 4], steps: steps))
    let expected = volume([5, 5, 5]) { z, y, x in
      value(4 + 0.6 * Float(z - 2), 4 + 0.6 * Float(y - 2), 4 + 0.6 * Float(x - 2))
    }
    #expect(largestDifference(found.image, expected) < 1e-4)
  }

  @Test func labelsGoToTheFullestClassOrTheNearestVoxel() {
    // Along x: background, 1, 2, 2; read at 0.4, 0.6, 1.4, 1.6.
    let volume = TrainingVolume(
      shape: [1, 1, 4], image: [0, 0, 0, 0], labels: [0, 1, 2, 2])
    func read(_ interpolation: AugmentationOptions.LabelInterpolation, at x: Float) -> UInt8 {
      var found: [UInt8] = [9]
      PatchSampler(image: .linear, labels: interpolation).classes(
        volume.labels, shape: [1, 1, 4], at: [SIMD3(0, 0, x)], to: &found, count: 1)
      return found[0]
    }
    for interpolation in AugmentationOptions.LabelInterpolation.allCases {
      #expect(read(interpolation, at: 0.4) == 0)
      #expect(read(interpolation, at: 0.6) == 1)
      #expect(read(interpolation, at: 1.4) == 1)
      #expect(read(interpolation, at: 1.6) == 2)
      #expect(read(interpolation, at: 3.4) == 2)
      #expect(read(interpolation, at: 3.6) == 0)  // beyond half a voxel outside
    }
    // Between four voxels of background, 1, 2, 2: the classes together fill more than half.
    var found: [UInt8] = [9]
    PatchSampler(image: .linear, labels: .linear).classes(
      [0, 1, 2, 2], shape: [1, 2, 2], at: [SIMD3(0, 0.5, 0.45)], to: &found, count: 1)
    #expect(found == [2])
  }

  @Test func aDeformationOfEqualNodesIsAShift() {
    let image = volume(shape) { z, y, x in Float(z + 10 * y + 100 * x) }
    let volume = TrainingVolume(shape: shape, image: image, labels: labels)
    let drawing = PatchDrawing(AugmentationOptions(), patch: [2, 3, 3])
    var mapping = PatchMapping(patch: [2, 3, 3], centre: [2, 4, 5], steps: .identity)
    let before = drawing.read(volume, mapping).image
    mapping.field = DisplacementField(patch: [2, 3, 3], spacing: 2) { [0.5, -1, 0.25] }
    let after = drawing.read(volume, mapping).image
    #expect(largestDifference(after, before.map { $0 + 0.5 - 10 + 25 }) < 1e-3)
    var generator = CounterGenerator(seed: 1, purpose: .space)
    let field = Deformation(probability: 1, spacing: 8, deviation: 1.5...1.5)
      .drawn(patch: [16, 16, 16], using: &generator)
    var row = [SIMD3<Float>](repeating: .zero, count: 16)
    field.addRow(z: 15, y: 15, to: &row, count: 16)
    // Smooth: neighbours differ far less than nodes do.
    #expect(zip(row, row.dropFirst()).allSatisfy { (($0 - $1) * ($0 - $1)).sum() < 1 })
    #expect(row.contains { ($0 * $0).sum() > 0.01 })
  }

  @Test(arguments: [AugmentationOptions.ForegroundCentre.voxel, .box])
  func patchesThatMustShowLabelsDo(centre: AugmentationOptions.ForegroundCentre) {
    var labels = [UInt8](repeating: 0, count: 40 * 40 * 40)
    labels[(3 * 40 + 37) * 40 + 20] = 2
    let volume = TrainingVolume(
      shape: [40, 40, 40], image: labels.map { Float($0) }, labels: labels)
    var options = AugmentationOptions()
    options.foregroundCentre = centre
    let drawing = PatchDrawing(options, patch: [8, 8, 8])
    let (must, may) = (
      (0..<40).count {
        drawing.patch(from: volume, showsForeground: true, step: $0).labels.contains(2)
      },
      (0..<40).count { drawing.patch(from: volume, step: $0).labels.contains(2) }
    )
    #expect(must == 40)
    #expect(may < 10)
  }

  @Test func anyPatchCanBeDrawnAloneOnAnyThread() {
    var options = AugmentationOptions.nnUNet(isAnisotropic: false)
    options.rotation?.probability = 1
    options.deformation = Deformation(probability: 0.5, spacing: 4, deviation: 0...1)
    options.noise?.probability = 0.5
    let volume = TrainingVolume(shape: shape, image: noisy(495), labels: labels)
    let drawing = PatchDrawing(options, patch: [4, 6, 8])
    let inOrder = (0..<24).map { drawing.patch(from: volume, step: $0 / 3, sample: $0 % 3) }
    let alone = LockedPatches(count: 24)
    DispatchQueue.concurrentPerform(iterations: 24) { index in
      let number = 23 - index
      alone.set(number, drawing.patch(from: volume, step: number / 3, sample: number % 3))
    }
    #expect(alone.patches == inOrder)
    #expect(Set(inOrder.map { $0.image[100] }).count > 20)
  }

  @Test func optionsThatCannotBeDrawnAreRefused() {
    var options = AugmentationOptions.nnUNet(isAnisotropic: false)
    #expect(throws: Never.self) { try options.validate() }
    options.gamma?.exponent = -0.6...0.6
    #expect(
      throws: AugmentationError(
        key: "gamma.exponent", value: "-0.6...0.6", reason: "must be from 0.01 to 100.0")
    ) { try options.validate() }
    options = AugmentationOptions()
    options.mirror = [0, 0, 1.5]
    #expect(throws: AugmentationError.self) { try options.validate() }
    options.mirror = [0, 0]
    #expect(throws: AugmentationError.self) { try options.validate() }
    options = AugmentationOptions()
    options.blur = GaussianBlur(probability: 1, sigma: 0...1, axes: [1, 3])
    #expect(throws: AugmentationError.self) { try options.validate() }
    options.blur = nil
    options.noise = GaussianNoise(probability: .nan, deviation: 0...1)
    #expect(throws: AugmentationError.self) { try options.validate() }
  }
}

/// Patches that threads fill in.
private final class LockedPatches: @unchecked Sendable {  // every access holds the lock
  private let lock = NSLock()
  private var found: [Patch?]

  init(count: Int) { found = [Patch?](repeating: nil, count: count) }

  var patches: [Patch] { lock.withLock { found.compactMap { $0 } } }

  func set(_ index: Int, _ patch: Patch) { lock.withLock { found[index] = patch } }
}
