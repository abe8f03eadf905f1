import Foundation

/// Draws patches from volumes and changes them.
///
/// A patch is a function of the volume, the seed, the step and the sample's number within it: any can
/// be drawn alone, and on any thread.
///
/// ```swift
/// let drawing = PatchDrawing(.nnUNet(isAnisotropic: false), patch: [64, 128, 128])
/// drawing.draw(
///   from: volume, showsForeground: true, seed: 1, step: 500, sample: 0, image: image, labels: labels)
/// ```
public struct PatchDrawing: Sendable {
  public let options: AugmentationOptions
  /// Voxels along z, y, x.
  public let patch: [Int]

  public init(_ options: AugmentationOptions, patch: [Int]) {
    self.options = options
    self.patch = patch
  }

  /// The changes of intensity, in their order.
  func change(_ channel: PatchChannel, using generator: inout CounterGenerator) {
    for change in options.intensityChanges where generator.chance(change.probability) {
      change.apply(to: channel, using: &generator)
    }
  }

  // MARK: volumes

  func mapping(
    _ volume: TrainingVolume, _ showsForeground: Bool, using generator: inout CounterGenerator
  ) -> PatchMapping {
    let centre = centre(volume, showsForeground, using: &generator)
    let isUnchanged = options.unchanged > 0 && generator.chance(options.unchanged)
    var steps = AxisVectors.identity
    if !isUnchanged { steps = axes(using: &generator) }
    var mapping = PatchMapping(patch: patch, centre: centre, steps: steps)
    if !isUnchanged { mapping.field = field(using: &generator) }
    mirror(&mapping, using: &generator)
    return mapping
  }

  /// Turned and scaled about all axes.
  private func axes(using generator: inout CounterGenerator) -> AxisVectors {
    var steps = AxisVectors.identity
    if let rotation = options.rotation, generator.chance(rotation.probability) {
      steps = rotation.drawn(using: &generator)
    }
    if let scaling = options.scaling, generator.chance(scaling.probability) {
      let factor = generator.factor(in: scaling.factor)
      for axis in 0..<3 { steps[axis] *= factor * generator.uniform(in: scaling.stretch) }
    }
    return steps
  }

  func field(using generator: inout CounterGenerator) -> DisplacementField? {
    guard let deformation = options.deformation, generator.chance(deformation.probability) else {
      return nil
    }
    return deformation.drawn(patch: patch, using: &generator)
  }

  func mirror(_ mapping: inout PatchMapping, using generator: inout CounterGenerator) {
    for (axis, probability) in options.mirror.enumerated() where probability > 0 {
      if generator.chance(probability) { mapping.mirror(axis, patch: patch) }
    }
  }

  /// The patch's centre: on voxels where the patch has an odd number of them, else between two, so
  /// that a patch that is not turned needs no interpolation.
  private func centre(
    _ volume: TrainingVolume, _ showsForeground: Bool, using generator: inout CounterGenerator
  ) -> SIMD3<Double> {
    let wanted = showsForeground ? foregroundPlace(volume, using: &generator) : nil
    var centre = SIMD3<Double>()
    for axis in 0..<3 {
      let spare = volume.shape[axis] - patch[axis]
      var start = 0
      if spare < 0 {
        // A smaller volume is in the middle, give or take two voxels.
        start = Int((Double(spare) / 2).rounded(.down)) + generator.integer(below: 5) - 2
      } else if let wanted {
        start = min(max(wanted[axis] - patch[axis] / 2, 0), spare)
      } else {
        start = generator.integer(below: spare + 1)
      }
      centre[axis] = Double(start) + Double(patch[axis] - 1) / 2
    }
    return centre
  }

  /// z, y, x of a labelled voxel, or of a place in the box of all; nil where none is labelled.
  func foregroundPlace(
    _ volume: TrainingVolume, using generator: inout CounterGenerator
  ) -> [Int]? {
    guard let box = volume.foreground else { return nil }
    switch options.foregroundCentre {
    case .voxel:
      let voxels = volume.voxels[generator.integer(below: volume.voxels.count)]
      return volume.place(voxels[generator.integer(below: voxels.count)])
    case .box:
      return box.map { $0.lowerBound + generator.integer(below: $0.count) }
    }
  }

  func read(
    _ volume: TrainingVolume, _ mapping: PatchMapping, image: UnsafeMutablePointer<Float>,
    labels: UnsafeMutablePointer<UInt8>
  ) {
    let sampler = PatchSampler(
      image: options.imageInterpolation, labels: options.labelInterpolation)
    let (voxels, count, width) = (volume.labels.count, patch.reduce(1, *), patch[2])
    withUnsafeTemporaryAllocation(of: SIMD3<Float>.self, capacity: width) { positions in
      guard let positions = positions.baseAddress else { return }
      volume.image.withUnsafeBufferPointer { values in
        volume.labels.withUnsafeBufferPointer { classes in
          guard let values = values.baseAddress, let classes = classes.baseAddress else { return }
          for row in 0..<patch[0] * patch[1] {
            mapping.writeRow(z: row / patch[1], y: row % patch[1], to: positions, count: width)
            for channel in 0..<volume.channels {
              sampler.values(
                values + channel * voxels, shape: volume.shape, at: positions,
                to: image + channel * count + row * width, count: width)
            }
            sampler.classes(
              classes, shape: volume.shape, at: positions, to: labels + row * width, count: width)
          }
        }
      }
    }
  }
}
