import Volumes

/// Says why the voxels of a CT cannot be Hounsfield units; nil where they can.
///
/// Half of all voxels of a CT are between air and dense bone; a wrong sign, a lost intercept or a
/// scale of another kind moves their median far out of that.
///
/// - Parameters:
///   - volume: of a CT series, rescaled.
///   - step: how far apart the voxels are that are looked at. Every 17th is enough for a median,
///     and prime to the usual sizes of a row.
public func hounsfieldFinding(_ volume: Volume, step: Int = 17) -> GeometryFinding? {
  guard let median = median(volume.storage, step: step) else { return nil }
  guard !(-1100...1500).contains(median) else { return nil }
  return GeometryFinding(
    .notHounsfieldUnits,
    "half of all voxels are \(median) and more: these are no Hounsfield units; Rescale Intercept "
      + "(0028,1052), Rescale Slope (0028,1053) or Pixel Representation (0028,0103) is wrong")
}

/// The upper median of every voxel `step` apart from the first on; nil where there is none.
private func median(_ storage: VoxelStorage, step: Int) -> Float? {
  let indices = stride(from: 0, to: storage.count, by: step)
  guard case .int16(let values) = storage else {
    var sample = indices.map { storage[$0] }
    sample.sort()
    return sample.isEmpty ? nil : sample[sample.count / 2]
  }
  // Counted instead of sorted: a third of a second of a large CT.
  var counts = [Int](repeating: 0, count: 1 << 16)
  var rest = 0
  for index in indices {
    counts[Int(values[index]) + 32_768] += 1
    rest += 1
  }
  guard rest > 0 else { return nil }
  rest /= 2
  for (bin, count) in counts.enumerated() {
    if rest < count { return Float(bin - 32_768) }
    rest -= count
  }
  return nil
}
