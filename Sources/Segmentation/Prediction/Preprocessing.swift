import Volumes
import Wording

/// How a series becomes the network's input: reordering of axes, crop, resampling, intensities.
public struct Preprocessing: Sendable, Equatable, Codable {
  /// The patient direction in which each axis z, y, x of the training arrays grows; empty where
  /// they were taken as acquired (slices, rows, columns), whatever their orientation in the patient.
  public var orientation: [PatientDirection]
  /// Exchange of axes after that, as numpy's `transpose` (the plans' `transpose_forward`).
  public var transpose: [Int]
  /// Spacing in mm along the network's z, y, x.
  public var spacing: [Double]
  /// Whether the image is cut to the bounding box of its nonzero voxels.
  public var cropToNonzero: Bool
  /// One entry for each channel.
  public var normalization: [Normalization]

  public init(
    orientation: [PatientDirection], transpose: [Int] = [0, 1, 2], spacing: [Double],
    cropToNonzero: Bool, normalization: [Normalization]
  ) {
    self.orientation = orientation
    self.transpose = transpose
    self.spacing = spacing
    self.cropToNonzero = cropToNonzero
    self.normalization = normalization
  }

  init(_ node: BundleNode, channels: Int) throws(ModelBundleError) {
    let node = try node.allowing([
      "orientation", "transpose", "spacing", "cropToNonzero", "normalization",
    ])
    orientation = try Self.orientation(node.required("orientation"))
    transpose = [0, 1, 2]
    if let order = node.optional("transpose") {
      transpose = []
      for item in try order.items() { transpose.append(try item.integer(in: 0...2)) }
      guard transpose.sorted() == [0, 1, 2] else {
        throw order.invalid("is not 0, 1, 2 in any order")
      }
    }
    spacing = try node.required("spacing").triple(above: 0)
    cropToNonzero = try node.required("cropToNonzero").flag()
    let normalizationNode = try node.required("normalization")
    normalization = []
    for item in try normalizationNode.items() { normalization.append(try Normalization(item)) }
    guard normalization.count == channels else {
      throw normalizationNode.invalid(
        "has not one entry for each of \(counted(channels, "channel"))")
    }
  }

  /// One of each pair of directions, or the word `acquired`.
  static func orientation(_ node: BundleNode) throws(ModelBundleError)
    -> [PatientDirection]
  {
    if (try? node.text()) == "acquired" { return [] }
    var directions: [PatientDirection] = []
    for item in try node.items() {
      guard let direction = PatientDirection(rawValue: try item.text()) else {
        throw item.invalid("is none of L, R, A, P, S, I")
      }
      directions.append(direction)
    }
    guard directions.count == 3, Set(directions.map { $0.vector * $0.vector }).count == 3 else {
      throw node.invalid("is neither acquired nor one each of L or R, A or P, S or I")
    }
    return directions
  }

  /// From a grid's array order to the network's; nil where the orientation is not three axes.
  func reorientation(of grid: VolumeGrid) -> Reorientation? {
    let oriented =
      orientation.isEmpty ? Reorientation.none : Reorientation(of: grid, to: orientation)
    return oriented?.transposed(transpose)
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
    guard let reorientation = preprocessing.reorientation(of: grid) else {
      throw .orientation(preprocessing.orientation)
    }
    let turned = reorientation.apply(grid)
    self.init(
      grid: grid, reorientation: reorientation, turnedGrid: turned,
      box: turned.shape.map { 0..<$0 }, targetSpacing: preprocessing.spacing)
  }

  private init(
    grid: VolumeGrid, reorientation: Reorientation, turnedGrid: VolumeGrid, box: [Range<Int>],
    targetSpacing: [Double], keepsSlices: Bool = false
  ) {
    self.grid = grid
    self.reorientation = reorientation
    self.turnedGrid = turnedGrid
    self.box = box
    self.targetSpacing = targetSpacing
    let resampling = Resampling(
      shape: box.map(\.count), spacing: turnedGrid.spacing, targetSpacing: targetSpacing)
    self.resampling =
      keepsSlices
      ? Resampling(
        shape: resampling.shape, newShape: [box[0].count] + resampling.newShape[1...],
        separateAxis: resampling.separateAxis)
      : resampling
  }

  /// mm along the network's z, y, x.
  let targetSpacing: [Double]

  /// The same for less of the image.
  func cropped(to box: [Range<Int>]) -> PreprocessingPlan {
    PreprocessingPlan(
      grid: grid, reorientation: reorientation, turnedGrid: turnedGrid, box: box,
      targetSpacing: targetSpacing)
  }

  /// The same with every slice along z in the result once.
  func keepingSlices() -> PreprocessingPlan {
    PreprocessingPlan(
      grid: grid, reorientation: reorientation, turnedGrid: turnedGrid, box: box,
      targetSpacing: targetSpacing, keepsSlices: true)
  }

  func apply(_ preprocessing: Preprocessing, _ views: [VoxelView])
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
