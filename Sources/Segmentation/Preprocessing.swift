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

  /// Channels made ready for the network.
  ///
  /// - Parameter channels: volumes on one grid, at least one voxel other than zero.
  func apply(_ channels: [Volume]) throws(InputRefusal) -> PreprocessedImage {
    let plan = try PreprocessingPlan(self, grid: channels[0].grid)
    let views = channels.map { plan.reorientation.view(of: $0) }
    let box = (cropToNonzero ? NonzeroMask.boundingBox(views) : nil) ?? plan.box
    return plan.cropped(to: box).apply(self, views.map { $0.cropped(to: box) })
  }
}

/// Which voxels of a grid become which of the network's input.
struct PreprocessingPlan {
  /// The source.
  let grid: VolumeGrid
  let reorientation: Reorientation
  /// The source in the model's orientation.
  let turnedGrid: VolumeGrid
  /// The part of the reoriented image that is kept, along z, y, x.
  let box: [Range<Int>]
  /// From the kept part to the network's input.
  let resampling: Resampling

  init(_ preprocessing: Preprocessing, grid: VolumeGrid) throws(InputRefusal) {
    guard let reorientation = Reorientation(of: grid, to: preprocessing.orientation) else {
      throw .orientation(preprocessing.orientation)
    }
    let turned = reorientation.apply(grid)
    self.init(
      grid: grid, reorientation: reorientation, turnedGrid: turned,
      box: turned.shape.map { 0..<$0 }, targetSpacing: preprocessing.spacing)
  }

  private init(
    grid: VolumeGrid, reorientation: Reorientation, turnedGrid: VolumeGrid, box: [Range<Int>],
    targetSpacing: [Double]
  ) {
    self.grid = grid
    self.reorientation = reorientation
    self.turnedGrid = turnedGrid
    self.box = box
    self.targetSpacing = targetSpacing
    resampling = Resampling(
      shape: box.map(\.count), spacing: turnedGrid.spacing, targetSpacing: targetSpacing)
  }

  private let targetSpacing: [Double]

  /// The same for less of the image.
  func cropped(to box: [Range<Int>]) -> PreprocessingPlan {
    PreprocessingPlan(
      grid: grid, reorientation: reorientation, turnedGrid: turnedGrid, box: box,
      targetSpacing: targetSpacing)
  }

  fileprivate func apply(_ preprocessing: Preprocessing, _ views: [VoxelView])
    -> PreprocessedImage
  {
    let schemes = preprocessing.normalization
    var isInside: [Bool] = []
    if schemes.contains(where: \.usesMask) {
      isInside = resampling.apply(mask: NonzeroMask(filling: views).view)
    }
    let count = resampling.newShape.reduce(1, *)
    let values = [Float](unsafeUninitializedCapacity: views.count * count) { result, initialized in
      for (index, (view, scheme)) in zip(views, schemes).enumerated() {
        let channel = UnsafeMutableBufferPointer(
          rebasing: result[index * count..<(index + 1) * count])
        resampling.apply(view, .cubic, into: channel)
        scheme.apply(channel, mask: isInside)
      }
      initialized = views.count * count
    }
    return PreprocessedImage(values: values, plan: self)
  }
}

/// The network's input, and the way back to the voxels it was made from.
struct PreprocessedImage {
  /// Channel, z, y, x.
  let values: [Float]
  let plan: PreprocessingPlan

  /// z, y, x of `values`.
  var shape: [Int] { plan.resampling.newShape }
}
