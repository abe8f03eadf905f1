import Volumes

extension LabelVolume {
  /// The volume of each label from 0 to 255 in ml.
  ///
  /// - Parameter depths: how far each slice reaches along the normal, in mm; without it all slices
  ///   are as deep as the grid's step.
  func millilitres(depths: [Double]? = nil) -> [Double] {
    let plane = grid.rows * grid.columns
    let area = grid.voxelVolume / max(grid.affine.stepAlongNormal, .leastNormalMagnitude)
    var volumes = [Double](repeating: 0, count: 256)
    labels.withUnsafeBufferPointer { labels in
      for slice in 0..<grid.slices {
        var counts = [Int](repeating: 0, count: 256)
        for label in labels[slice * plane..<(slice + 1) * plane] { counts[Int(label)] += 1 }
        let depth = depths.map { $0[slice] } ?? grid.affine.stepAlongNormal
        for label in 0..<256 { volumes[label] += Double(counts[label]) * area * depth / 1000 }
      }
    }
    return volumes
  }
}
