import Volumes

/// An image and its labels as the network would see them.
public struct PreparedCase: Sendable, Equatable {
  /// z, y, x.
  public let shape: [Int]
  /// Normalised intensities: channel, z, y, x.
  public let image: [Float]
  /// z, y, x.
  public let labels: [UInt8]
  /// How many slices there are for each plane of the network's input, where inference takes the
  /// nearest slices along z: they are then here once each. nil where z is resampled.
  public let slicesPerPlane: Double?
}

extension Preprocessing {
  /// An image made ready as inference makes it, and its labels with it: each label by linear
  /// resampling of its mask, a voxel takes the label that fills half of it or more.
  ///
  /// Slices that inference repeats or leaves out along z are kept once each, so that a training can
  /// repeat them in other ways.
  ///
  /// - Parameters:
  ///   - channels: volumes on one grid, finite, at least one voxel other than zero.
  ///   - labels: on the same grid.
  /// - Throws: ``InputRefusal/orientation(_:)``.
  public func prepare(_ channels: [Volume], labels: LabelVolume) throws(InputRefusal)
    -> PreparedCase
  {
    var plan = try PreprocessingPlan(self, grid: channels[0].grid)
    let views = channels.map { plan.reorientation.view(of: $0) }
    let box = (cropToNonzero ? NonzeroMask.boundingBox(views) : nil) ?? plan.box
    plan = plan.cropped(to: box)
    var slicesPerPlane: Double?
    if plan.resampling.separateAxis == 0 {
      slicesPerPlane = Double(box[0].count) / Double(plan.resampling.newShape[0])
      plan = plan.keepingSlices()
    }
    let image = plan.apply(self, views.map { $0.cropped(to: box) })
    return PreparedCase(
      shape: image.shape, image: image.values, labels: plan.labels(labels, box: box),
      slicesPerPlane: slicesPerPlane)
  }
}

extension PreprocessingPlan {
  /// Labels of the source on the voxels of the result.
  fileprivate func labels(_ labels: LabelVolume, box: [Range<Int>]) -> [UInt8] {
    var isPresent = [Bool](repeating: false, count: 256)
    for label in labels.labels { isPresent[Int(label)] = true }
    var result = [UInt8](repeating: 0, count: resampling.newShape.reduce(1, *))
    for value in UInt8(1)...255 where isPresent[Int(value)] {
      let mask = Volume(
        grid: labels.grid, storage: .int16(labels.labels.map { $0 == value ? 1 : 0 }))
      let inside = resampling.apply(mask: reorientation.view(of: mask).cropped(to: box))
      for index in inside.indices where inside[index] { result[index] = value }
    }
    return result
  }
}
