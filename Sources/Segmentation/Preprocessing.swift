import Volumes

/// How a series becomes the network's input: reordering of axes, crop, resampling, intensities.
public struct Preprocessing: Sendable, Equatable, Codable {
  /// The patient direction in which each array axis z, y, x grows.
  public var orientation: [PatientDirection]
  /// Spacing in mm along z, y, x.
  public var spacing: [Double]
  /// Whether the image is cut to the bounding box of its nonzero voxels.
  public var cropToNonzero: Bool
  /// One entry for each channel.
  public var normalization: [Normalization]

  public init(
    orientation: [PatientDirection], spacing: [Double], cropToNonzero: Bool,
    normalization: [Normalization]
  ) {
    self.orientation = orientation
    self.spacing = spacing
    self.cropToNonzero = cropToNonzero
    self.normalization = normalization
  }

  init(_ node: BundleNode, channels: Int) throws(ModelBundleError) {
    let node = try node.allowing(["orientation", "spacing", "cropToNonzero", "normalization"])
    let orientationNode = try node.required("orientation")
    orientation = []
    for item in try orientationNode.items() {
      guard let direction = PatientDirection(rawValue: try item.text()) else {
        throw item.invalid("is none of L, R, A, P, S, I")
      }
      orientation.append(direction)
    }
    let axes = Set(orientation.map { $0.vector * $0.vector })
    guard orientation.count == 3, axes.count == 3 else {
      throw orientationNode.invalid("is not one each of L or R, A or P, S or I")
    }
    spacing = try node.required("spacing").triple(above: 0)
    cropToNonzero = try node.required("cropToNonzero").flag()
    let normalizationNode = try node.required("normalization")
    normalization = []
    for item in try normalizationNode.items() { normalization.append(try Normalization(item)) }
    guard normalization.count == channels else {
      throw normalizationNode.invalid("has not one entry for each of \(channels) channels")
    }
  }

  /// Channels in the model's orientation, made ready for the network.
  ///
  /// - Parameter channels: volumes on one grid, at least one voxel other than zero.
  func apply(_ channels: [Volume]) -> PreprocessedImage {
    let shape = channels[0].grid.shape
    let spacing = channels[0].grid.spacing
    let needsMask = cropToNonzero || normalization.contains { $0.usesMask }
    let mask = needsMask ? NonzeroMask(channels.map(\.voxels), shape: shape) : nil
    let box = (cropToNonzero ? mask?.boundingBox : nil) ?? shape.map { 0..<$0 }
    let resampling = Resampling(
      shape: box.map(\.count), spacing: spacing, targetSpacing: self.spacing)

    var isInside: [Bool] = []
    if let mask, normalization.contains(where: { $0.usesMask }) {
      let labels = cropped(mask.isInside, shape: shape, to: box).map { Int16($0 ? 0 : -1) }
      isInside = resampling.apply(labels: labels).map { $0 >= 0 }
    }
    var values: [Float] = []
    for (channel, scheme) in zip(channels, normalization) {
      var resampled = resampling.apply(cropped(channel.voxels, shape: shape, to: box), .cubic)
      scheme.apply(&resampled, mask: isInside)
      values += resampled
    }
    return PreprocessedImage(values: values, box: box, resampling: resampling)
  }
}

/// The network's input, and the way back to the voxels it was made from.
struct PreprocessedImage {
  /// Channel, z, y, x.
  var values: [Float]
  /// The part of the reoriented image that was kept, along z, y, x.
  var box: [Range<Int>]
  /// From the kept part to `values`.
  var resampling: Resampling

  /// z, y, x of `values`.
  var shape: [Int] { resampling.newShape }

  /// The most probable class of each voxel of the reoriented image; background beyond the kept
  /// part. The first class wins ties.
  ///
  /// - Parameters:
  ///   - probabilities: class, z, y, x over `shape`.
  ///   - fullShape: z, y, x of the reoriented image.
  func labels(_ probabilities: [Float], classes: Int, fullShape: [Int]) -> [UInt8] {
    let count = shape.reduce(1, *)
    let back = resampling.inverse
    var best = [Float](repeating: -.infinity, count: back.newShape.reduce(1, *))
    var labels = [UInt8](repeating: 0, count: best.count)
    // One class at a time: all of them on the source grid may not fit in memory.
    for index in 0..<classes {
      let values = back.apply(Array(probabilities[index * count..<(index + 1) * count]), .linear)
      values.withUnsafeBufferPointer { values in
        best.withUnsafeMutableBufferPointer { best in
          labels.withUnsafeMutableBufferPointer { labels in
            for voxel in values.indices where values[voxel] > best[voxel] {
              best[voxel] = values[voxel]
              labels[voxel] = UInt8(index)
            }
          }
        }
      }
    }
    return pasted(labels, into: fullShape)
  }

  private func pasted(_ labels: [UInt8], into fullShape: [Int]) -> [UInt8] {
    var full = [UInt8](repeating: 0, count: fullShape.reduce(1, *))
    let width = box[2].count
    for (row, start) in rowStarts(fullShape, box).enumerated() {
      full.replaceSubrange(start..<start + width, with: labels[row * width..<(row + 1) * width])
    }
    return full
  }
}

/// Where each row of the box begins in the full array, in order z, y.
private func rowStarts(_ shape: [Int], _ box: [Range<Int>]) -> [Int] {
  box[0].flatMap { z in box[1].map { y in (z * shape[1] + y) * shape[2] + box[2].lowerBound } }
}

private func cropped<Value>(_ values: [Value], shape: [Int], to box: [Range<Int>]) -> [Value] {
  guard box.map(\.count) != shape else { return values }
  var result: [Value] = []
  result.reserveCapacity(box.map(\.count).reduce(1, *))
  for start in rowStarts(shape, box) {
    result.append(contentsOf: values[start..<start + box[2].count])
  }
  return result
}
