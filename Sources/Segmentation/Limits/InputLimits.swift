import Volumes

/// What a model was made for; anything beyond is refused rather than segmented badly.
public struct InputLimits: Sendable, Equatable, Codable {
  public struct Range: Sendable, Equatable, Codable {
    public var min: [Double]
    public var max: [Double]

    public init(min: [Double], max: [Double]) {
      self.min = min
      self.max = max
    }

    /// The first axis whose value is outside.
    fileprivate func violated(by values: [Double]) -> Int? {
      values.indices.first { values[$0] < min[$0] - 1e-6 || values[$0] > max[$0] + 1e-6 }
    }
  }

  /// Modality (0008,0060).
  public var modalities: [String]
  /// Body Part Examined (0018,0015); an image that states none is not refused for it.
  public var bodyParts: [String]
  /// Spacing in mm along z, y, x in the model's orientation.
  public var spacing: Range
  /// Size in mm along z, y, x in the model's orientation.
  public var extent: Range
  /// What the intensities look like; empty where that is not stated.
  public var intensity: [IntensityLimit]
  /// Needed by a limit of ``IntensityStatistic/patternCorrelation``.
  public var pattern: IntensityPattern?

  public init(
    modalities: [String], bodyParts: [String], spacing: Range, extent: Range,
    intensity: [IntensityLimit] = [], pattern: IntensityPattern? = nil
  ) {
    self.modalities = modalities
    self.bodyParts = bodyParts
    self.spacing = spacing
    self.extent = extent
    self.intensity = intensity
    self.pattern = pattern
  }

  /// - Parameters:
  ///   - node: the section `input` of `model.yaml`.
  ///   - channels: how many the network takes.
  init(_ node: BundleNode, channels: Int) throws(ModelBundleError) {
    let node = try node.allowing([
      "modalities", "bodyParts", "spacing", "extent", "intensity", "pattern",
    ])
    modalities = []
    for item in try node.required("modalities").items() { modalities.append(try item.text()) }
    bodyParts = []
    if let parts = node.optional("bodyParts") {
      for item in try parts.items() { bodyParts.append(try item.text()) }
    }
    spacing = try Range(node.required("spacing"))
    extent = try Range(node.required("extent"))
    pattern = nil
    if let patternNode = node.optional("pattern") { pattern = try IntensityPattern(patternNode) }
    intensity = []
    for item in try node.optional("intensity")?.items() ?? [] {
      let limit = try IntensityLimit(item, channels: channels)
      if limit.statistic == .patternCorrelation, pattern == nil {
        throw item.invalid("needs the key pattern too")
      }
      intensity.append(limit)
    }
  }
}

extension InputLimits.Range {
  init(_ node: BundleNode) throws(ModelBundleError) {
    let checked = try node.allowing(["min", "max"])
    min = try checked.required("min").triple(above: 0)
    max = try checked.required("max").triple(above: 0)
    guard zip(min, max).allSatisfy({ $0 <= $1 }) else { throw node.invalid("has min above max") }
  }
}

extension InputLimits {
  /// Checks what the series says of itself.
  ///
  /// - Parameters:
  ///   - modality: Modality (0008,0060).
  ///   - bodyPart: Body Part Examined, empty or nil where absent.
  public func check(modality: String, bodyPart: String?) throws(InputRefusal) {
    guard modalities.contains(modality) else {
      throw .modality(found: modality, accepted: modalities)
    }
    if let bodyPart, !bodyPart.isEmpty, !bodyParts.isEmpty, !bodyParts.contains(bodyPart) {
      throw .bodyPart(found: bodyPart, accepted: bodyParts)
    }
  }

  /// Checks spacing and size of a grid in the model's orientation.
  public func check(_ grid: VolumeGrid) throws(InputRefusal) {
    let found = grid.spacing
    if let axis = spacing.violated(by: found) {
      throw .spacing(
        axis: axis, found: found[axis], min: spacing.min[axis], max: spacing.max[axis])
    }
    let size = zip(found, grid.shape).map { $0 * Double($1) }
    if let axis = extent.violated(by: size) {
      throw .extent(axis: axis, found: size[axis], min: extent.min[axis], max: extent.max[axis])
    }
  }

  /// Checks the intensities of channels.
  ///
  /// - Parameters:
  ///   - channels: the image channels in the order of the model, in one orientation.
  ///   - reorientation: from that orientation to the model's.
  /// - Returns: what is unusual and yet accepted.
  /// - Throws: `InputRefusal` where a statistic is outside the accepted range.
  func check(
    intensitiesOf channels: [Volume], _ reorientation: Reorientation
  ) throws(InputRefusal) -> [ModelWarning] {
    var warnings: [ModelWarning] = []
    for (index, channel) in channels.enumerated() {
      let limits = intensity.filter { $0.channel == index }
      guard !limits.isEmpty else { continue }
      let figures = IntensityFigures(reorientation.apply(channel))
      for limit in limits {
        let found = figures.value(limit.statistic, pattern: pattern)
        guard found >= limit.accepted[0], found <= limit.accepted[1] else {
          throw .intensity(
            channel: index, statistic: limit.statistic, found: found, min: limit.accepted[0],
            max: limit.accepted[1])
        }
        if found < limit.usual[0] || found > limit.usual[1] {
          warnings.append(
            .intensity(statistic: limit.statistic, found: found, usual: limit.usual))
        }
      }
    }
    return warnings
  }
}

/// Checks that the channels are on one grid and hold finite values that differ.
func checkVoxels(_ channels: [Volume], expected: Int) throws(InputRefusal) {
  guard channels.count == expected, let first = channels.first else {
    throw .channelCount(found: channels.count, expected: expected)
  }
  for (index, channel) in channels.enumerated() {
    guard channel.grid == first.grid else { throw .channelsOnDifferentGrids(channel: index) }
    guard channel.storage.count == channel.grid.voxelCount, channel.storage.count > 0 else {
      throw .voxelCount(
        channel: index, found: channel.storage.count, expected: channel.grid.voxelCount)
    }
    let value = channel.storage[0]
    let (isFinite, isConstant) = channel.storage.nature
    guard isFinite else { throw .notFinite(channel: index) }
    guard !isConstant else { throw .constant(channel: index, value: value) }
  }
}

extension VoxelStorage {
  /// Whether all values are numbers, and whether they are all the same.
  fileprivate var nature: (isFinite: Bool, isConstant: Bool) {
    switch self {
    case .int16(let values): (true, values.allSatisfy { $0 == values[0] })
    case .float(let values):
      values.withUnsafeBufferPointer { values in
        var isFinite = true
        var isConstant = true
        for voxel in values {
          isFinite = isFinite && voxel.isFinite
          isConstant = isConstant && voxel == values[0]
        }
        return (isFinite, isConstant)
      }
    }
  }
}

extension ModelBundle {
  /// Checks spacing and size of a volume, in the model's orientation, against ``input``.
  ///
  /// - Parameter grid: of the source, after what the geometry gate repairs.
  public func check(_ grid: VolumeGrid) throws(InputRefusal) {
    try input.check(PreprocessingPlan(preprocessing, grid: grid).turnedGrid)
  }
}
