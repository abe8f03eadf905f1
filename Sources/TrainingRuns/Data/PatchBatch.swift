/// Patches of a step.
struct PatchBatch: Sendable, Equatable {
  /// Sample, channel, z, y, x.
  var images: [Float]
  /// Classes: sample, z, y, x.
  var labels: [UInt8]
  /// The case of each sample, by name.
  var cases: [String]
}

/// What a training takes its patches from.
protocol BatchSource {
  /// The patches of a step: a function of the step alone.
  func batch(step: Int) throws -> PatchBatch
}
