/// Says why the voxels of a CT cannot be Hounsfield units; nil where they can.
///
/// Half of all voxels of a CT lie between air and dense bone; a wrong sign, a lost intercept or a
/// scale of another kind moves their median far out of that.
public func hounsfieldFinding(_ volume: Volume) -> GeometryFinding? {
  // Every 17th voxel is enough for a median, and prime to the usual sizes of a row.
  var sample = stride(from: 0, to: volume.storage.count, by: 17).map { volume.storage[$0] }
  guard !sample.isEmpty else { return nil }
  sample.sort()
  let median = sample[sample.count / 2]
  guard !(-1100...1500).contains(median) else { return nil }
  return GeometryFinding(
    .notHounsfieldUnits,
    "half of all voxels are \(median) and more: these are no Hounsfield units; Rescale Intercept "
      + "(0028,1052), Rescale Slope (0028,1053) or Pixel Representation (0028,0103) is wrong")
}
