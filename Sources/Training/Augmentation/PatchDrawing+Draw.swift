extension PatchDrawing {
  /// One patch.
  ///
  /// - Parameters:
  ///   - volume: at least one voxel.
  ///   - showsForeground: whether the patch's centre is chosen by the labels.
  ///   - seed: of the training.
  ///   - step: number of the step.
  ///   - sample: number within the step.
  ///   - image: room for the volume's channels of the patch, order channel, z, y, x.
  ///   - labels: room for the patch's classes, order z, y, x.
  public func draw(
    from volume: TrainingVolume, showsForeground: Bool, seed: UInt64, step: Int, sample: Int,
    image: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<UInt8>
  ) {
    var space = CounterGenerator(seed: seed, step: step, sample: sample, purpose: .space)
    if let slicesPerPlane = volume.slicesPerPlane {
      let stack = StackPatch(self, volume, slicesPerPlane, showsForeground, using: &space)
      stack.sample(image: image, labels: labels)
    } else {
      let mapping = mapping(volume, showsForeground, using: &space)
      read(volume, mapping, image: image, labels: labels)
    }
    var intensity = CounterGenerator(seed: seed, step: step, sample: sample, purpose: .intensity)
    let count = patch.reduce(1, *)
    for channel in 0..<volume.channels {
      let values = UnsafeMutableBufferPointer(start: image + channel * count, count: count)
      change(PatchChannel(values, shape: patch), using: &intensity)
    }
  }
}
