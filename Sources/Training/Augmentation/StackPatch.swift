import Foundation

/// A patch of a stack of thick slices: turned and scaled in their plane; along z slices are repeated
/// or left out, as resampling to the network's spacing does.
struct StackPatch {
  private let drawing: PatchDrawing
  private let volume: TrainingVolume
  private let order: StackOrder
  private let mapping: PatchMapping
  /// The factor of each slice of the order; nil for none.
  private let brightness: [Float]?

  init(
    _ drawing: PatchDrawing, _ volume: TrainingVolume, _ slicesPerPlane: Double,
    _ showsForeground: Bool, using generator: inout CounterGenerator
  ) {
    self.drawing = drawing
    self.volume = volume
    let (options, patch) = (drawing.options, drawing.patch)
    order = StackOrder(
      count: volume.shape[0], slicesPerPlane: slicesPerPlane, options, using: &generator)
    let isUnchanged = options.unchanged > 0 && generator.chance(options.unchanged)
    var (steps, stretch) = (AxisVectors.identity, 1.0)
    if !isUnchanged { (steps, stretch) = Self.axes(options, using: &generator) }
    let place = showsForeground ? drawing.foregroundPlace(volume, using: &generator) : nil
    let planes = order.planes(
      patch[0], stretch: stretch, margin: options.beyondEnds,
      centre: options.foregroundCentre == .voxel ? place?[0] : nil, using: &generator)
    let centre = Self.centre(volume, place, patch: patch, using: &generator)
    var mapping = PatchMapping(patch: patch, centre: centre, steps: steps)
    mapping.slices = Self.shifted(planes, order.slices.count, options, using: &generator)
    if !isUnchanged { mapping.field = drawing.field(using: &generator) }
    drawing.mirror(&mapping, using: &generator)
    self.mapping = mapping
    brightness = Self.brightness(options, order.slices.count, using: &generator)
  }

  private static func brightness(
    _ options: AugmentationOptions, _ count: Int, using generator: inout CounterGenerator
  ) -> [Float]? {
    guard let change = options.sliceBrightness, generator.chance(change.probability) else {
      return nil
    }
    return (0..<count).map { _ in Float(exp(change.deviation * generator.normal())) }
  }

  private static func axes(
    _ options: AugmentationOptions, using generator: inout CounterGenerator
  ) -> (AxisVectors, stretch: Double) {
    var (steps, stretch) = (AxisVectors.identity, 1.0)
    if let rotation = options.rotation, generator.chance(rotation.probability) {
      let angle = generator.uniform(in: -rotation.degrees...rotation.degrees) * .pi / 180
      steps = steps.turned(angle, 1, 2)
    }
    if let scaling = options.scaling, generator.chance(scaling.probability) {
      let factor = generator.factor(in: scaling.factor)
      for axis in 1..<3 { steps[axis] *= factor * generator.uniform(in: scaling.stretch) }
      stretch = generator.uniform(in: scaling.alongZ)
    }
    return (steps, stretch)
  }

  /// In the plane: on the labelled place, else anywhere that a tile of the sliding window may be.
  private static func centre(
    _ volume: TrainingVolume, _ place: [Int]?, patch: [Int],
    using generator: inout CounterGenerator
  ) -> SIMD3<Double> {
    var centre = SIMD3<Double>()
    for axis in 1..<3 {
      if let place {
        centre[axis] = Double(place[axis]) + generator.uniform() - 0.5
      } else {
        let reach = Double(max(0, volume.shape[axis] - patch[axis])) / 2
        centre[axis] = Double(volume.shape[axis] - 1) / 2 + generator.uniform(in: -reach...reach)
      }
    }
    return centre
  }

  /// Every slice of the order with a shift of its own, where shifts are drawn.
  private static func shifted(
    _ planes: [Int?], _ count: Int, _ options: AugmentationOptions,
    using generator: inout CounterGenerator
  ) -> [PatchMapping.Slice?] {
    var shifts = [SIMD2<Double>](repeating: SIMD2(), count: count)
    if let change = options.sliceShift, generator.chance(change.probability) {
      for index in shifts.indices {
        shifts[index] = SIMD2(generator.normal(), generator.normal()) * change.deviation
      }
    }
    return planes.map { number in
      number.map { PatchMapping.Slice(number: $0, shift: shifts[$0]) }
    }
  }

  func sample(image: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<UInt8>) {
    let patch = drawing.patch
    let (plane, count) = (patch[1] * patch[2], patch.reduce(1, *))
    /// Where in the patch each slice was shown last.
    var shown: [Int: Int] = [:]
    for (z, slice) in (mapping.slices ?? []).enumerated() {
      if let slice, let other = shown[slice.number] {
        for channel in 0..<volume.channels {
          let first = image + channel * count
          (first + z * plane).update(from: first + other * plane, count: plane)
        }
        (labels + z * plane).update(from: labels + other * plane, count: plane)
      } else if let slice {
        readPlane(z, slice, image: image + z * plane, labels: labels + z * plane)
        shown[slice.number] = z
      } else {
        for channel in 0..<volume.channels {
          (image + channel * count + z * plane).update(repeating: 0, count: plane)
        }
        (labels + z * plane).update(repeating: 0, count: plane)
      }
    }
  }

  /// - Parameters:
  ///   - image: the plane's first voxel of the first channel.
  ///   - labels: the plane's first voxel.
  private func readPlane(
    _ z: Int, _ slice: PatchMapping.Slice, image: UnsafeMutablePointer<Float>,
    labels: UnsafeMutablePointer<UInt8>
  ) {
    let (patch, shape) = (drawing.patch, volume.shape)
    let (rows, width) = (patch[1], patch[2])
    let sampler = PatchSampler(
      image: drawing.options.imageInterpolation, labels: drawing.options.labelInterpolation)
    let planar = [1, shape[1], shape[2]]
    withUnsafeTemporaryAllocation(of: SIMD3<Float>.self, capacity: rows * width) { positions in
      guard let positions = positions.baseAddress else { return }
      for y in 0..<rows {
        mapping.writeRow(z: z, y: y, to: positions + y * width, count: width)
        for x in 0..<width { positions[y * width + x].x = 0 }
      }
      for channel in 0..<volume.channels {
        sampler.values(
          plane(volume.image, channel, slice, brightness: brightness), shape: planar,
          at: positions, to: image + channel * patch.reduce(1, *), count: rows * width)
      }
      sampler.classes(
        plane(volume.labels, 0, slice), shape: planar, at: positions, to: labels,
        count: rows * width)
    }
  }

  /// A slice of the order, moved where it shows another place.
  private func plane<Value>(_ values: [Value], _ channel: Int, _ slice: PatchMapping.Slice)
    -> [Value]
  {
    let source = order.slices[slice.number]
    let size = volume.shape[1] * volume.shape[2]
    let start = (channel * volume.shape[0] + source.number) * size
    let found = Array(values[start..<start + size])
    return source.isAway ? Self.rolled(found, volume.shape[1], volume.shape[2]) : found
  }

  private func plane(
    _ values: [Float], _ channel: Int, _ slice: PatchMapping.Slice, brightness: [Float]?
  ) -> [Float] {
    var found = plane(values, channel, slice)
    guard let brightness else { return found }
    let (factor, low) = (brightness[slice.number], volume.least[channel])
    for index in found.indices { found[index] = (found[index] - low) * factor + low }
    return found
  }

  /// A plane shifted by half its height and width, what leaves it enters at the other side.
  static func rolled<Value>(_ plane: [Value], _ rows: Int, _ columns: Int) -> [Value] {
    plane.indices.map { index in
      let (y, x) = (index / columns, index % columns)
      return plane[(y + rows - rows / 2) % rows * columns + (x + columns - columns / 2) % columns]
    }
  }
}
