@testable import Training

/// An array that a test changes in place.
func changed(_ values: [Float], shape: [Int], _ change: (PatchChannel) -> Void) -> [Float] {
  var values = values
  values.withUnsafeMutableBufferPointer { change(PatchChannel($0, shape: shape)) }
  return values
}

func noisy(_ count: Int, seed: UInt64 = 1) -> [Float] {
  var generator = CounterGenerator(seed: seed, purpose: .noise)
  return (0..<count).map { _ in Float(generator.normal()) }
}

/// A value of every voxel.
func volume(_ shape: [Int], _ value: (_ z: Int, _ y: Int, _ x: Int) -> Float) -> [Float] {
  (0..<shape.reduce(1, *)).map {
    value($0 / shape[2] / shape[1], $0 / shape[2] % shape[1], $0 % shape[2])
  }
}

struct Patch: Equatable {
  var image: [Float]
  var labels: [UInt8]
}

extension PatchDrawing {
  func patch(
    from volume: TrainingVolume, showsForeground: Bool = false, step: Int = 0, sample: Int = 0
  ) -> Patch {
    var labels = [UInt8](repeating: 255, count: patch.reduce(1, *))
    var image = [Float](repeating: .nan, count: labels.count * volume.channels)
    draw(
      from: volume, showsForeground: showsForeground, seed: 9, step: step, sample: sample,
      image: &image, labels: &labels)
    return Patch(image: image, labels: labels)
  }

  func read(_ volume: TrainingVolume, _ mapping: PatchMapping) -> Patch {
    var labels = [UInt8](repeating: 255, count: patch.reduce(1, *))
    var image = [Float](repeating: .nan, count: labels.count * volume.channels)
    read(volume, mapping, image: &image, labels: &labels)
    return Patch(image: image, labels: labels)
  }
}
