import Volumes

/// How intensities are brought to the network's range, one for each channel.
public enum Normalization: Sendable, Equatable, Codable {
  /// Clip to the range, subtract the mean, divide by the standard deviation of the training set;
  /// voxels outside the nonzero mask are set to 0 where the plans ask for it.
  case ct(lower: Float, upper: Float, mean: Float, sd: Float, insideMask: Bool = false)
  /// Mean 0 and standard deviation 1 of each image, over all voxels, or over those inside the
  /// nonzero mask with the others set to 0.
  case zscore(insideMask: Bool)

  init(_ node: BundleNode) throws(ModelBundleError) {
    switch try node.required("scheme").text() {
    case "ct":
      let node = try node.allowing(["scheme", "lower", "upper", "mean", "sd", "insideMask"])
      let lower = Float(try node.required("lower").number())
      let upper = Float(try node.required("upper").number())
      let sd = Float(try node.required("sd").number())
      guard lower < upper, sd > 0 else { throw node.invalid("needs lower < upper and sd > 0") }
      self = .ct(
        lower: lower, upper: upper, mean: Float(try node.required("mean").number()), sd: sd,
        insideMask: try node.optional("insideMask")?.flag() ?? false)
    case "zscore":
      let node = try node.allowing(["scheme", "insideMask"])
      self = .zscore(insideMask: try node.required("insideMask").flag())
    default:
      throw try node.required("scheme").invalid("is neither ct nor zscore")
    }
  }

  var usesMask: Bool {
    switch self {
    case .ct(_, _, _, _, let insideMask), .zscore(let insideMask): insideMask
    }
  }

  /// - Parameters:
  ///   - values: the channel's voxels, changed in place.
  ///   - mask: whether each voxel is inside; only read where the scheme uses it.
  func apply(_ values: UnsafeMutableBufferPointer<Float>, mask: [Bool]) {
    switch self {
    case .ct(let lower, let upper, let mean, let sd, let insideMask):
      // Each value is written by one thread.
      nonisolated(unsafe) let shared = values
      inParallel(values.count, worthwhile: values.count > 100_000) { share in
        for index in share {
          shared[index] = (min(max(shared[index], lower), upper) - mean) / sd
        }
      }
      guard insideMask else { return }
      for index in values.indices where !mask[index] { values[index] = 0 }
    case .zscore(let insideMask):
      mask.withUnsafeBufferPointer { standardise(values, inside: insideMask ? $0 : nil) }
    }
  }
}

private func standardise(
  _ values: UnsafeMutableBufferPointer<Float>, inside mask: UnsafeBufferPointer<Bool>?
) {
  func isInside(_ index: Int) -> Bool { mask.map { $0[index] } ?? true }
  var count = 0.0
  var sum = 0.0
  for index in values.indices where isInside(index) {
    count += 1
    sum += Double(values[index])
  }
  let mean = count > 0 ? sum / count : 0
  var squares = 0.0
  for index in values.indices where isInside(index) {
    let difference = Double(values[index]) - mean
    squares += difference * difference
  }
  let deviation = count > 0 ? (squares / count).squareRoot() : 0
  for index in values.indices {
    values[index] =
      isInside(index) ? Float((Double(values[index]) - mean) / (deviation + 1e-8)) : 0
  }
}
