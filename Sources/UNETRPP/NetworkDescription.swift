import Tensors

/// The kinds of transformer block in the published networks. They differ beyond their sizes.
public enum BlockKind: String, Codable, Sendable, CaseIterable {
  /// One shared projection for keys and values; one residual block; outputs concatenated.
  case synapse
  /// Separate projections for keys and values; two residual blocks; outputs concatenated.
  case acdc
  /// As `acdc`.
  case lung
  /// One shared projection without bias; one residual block; outputs added, not projected.
  case tumor

  package var hasSeparateProjections: Bool { self == .acdc || self == .lung }
  package var hasOutputProjections: Bool { self != .tumor }
  package var residualBlocks: Int { hasSeparateProjections ? 2 : 1 }
}

/// Every size of a UNETR++ network (Shaker et al., IEEE TMI 2024; the sizes of the reference
/// implementation). All triples are [z, y, x].
public struct NetworkDescription: Codable, Sendable, Equatable {
  public var blocks: BlockKind
  /// The input's extent in voxels.
  public var patch: [Int]
  public var inputChannels: Int
  /// Output classes, background included.
  public var classes: Int
  /// Kernel and stride of the first convolution.
  public var stem: [Int]
  /// Channels at full resolution.
  public var featureSize: Int
  /// Channels of the four encoder stages.
  public var dims: [Int]
  public var heads: Int
  /// Transformer blocks of the four encoder stages.
  public var depths: [Int]
  /// Transformer blocks of decoder5, decoder4, decoder3.
  public var decoderDepths: [Int]
  /// Projection sizes P of the four encoder stages.
  public var projections: [Int]
  /// Projection sizes P of decoder5, decoder4, decoder3.
  public var decoderProjections: [Int]

  public init(
    blocks: BlockKind, patch: [Int], inputChannels: Int, classes: Int, stem: [Int],
    featureSize: Int = 16, dims: [Int] = [32, 64, 128, 256], heads: Int = 4,
    depths: [Int] = [3, 3, 3, 3], decoderDepths: [Int] = [3, 3, 3],
    projections: [Int] = [64, 64, 64, 32], decoderProjections: [Int] = [64, 64, 64]
  ) {
    self.blocks = blocks
    self.patch = patch
    self.inputChannels = inputChannels
    self.classes = classes
    self.stem = stem
    self.featureSize = featureSize
    self.dims = dims
    self.heads = heads
    self.depths = depths
    self.decoderDepths = decoderDepths
    self.projections = projections
    self.decoderProjections = decoderProjections
  }

  /// The published network for Synapse and BTCV (abdominal CT, 13 organs).
  public static let synapse = NetworkDescription(
    blocks: .synapse, patch: [64, 128, 128], inputChannels: 1, classes: 14, stem: [2, 4, 4])
  /// The published network for ACDC (cardiac MR).
  public static let acdc = NetworkDescription(
    blocks: .acdc, patch: [16, 160, 160], inputChannels: 1, classes: 4, stem: [1, 4, 4])
  /// The published network for the lung task of the Medical Segmentation Decathlon.
  public static let lung = NetworkDescription(
    blocks: .lung, patch: [32, 192, 192], inputChannels: 1, classes: 2, stem: [1, 4, 4])
  /// The published network for BraTS (four MR sequences).
  public static let tumor = NetworkDescription(
    blocks: .tumor, patch: [128, 128, 128], inputChannels: 4, classes: 4, stem: [4, 4, 4])

  /// The extent at full resolution. Valid only after `validate`.
  public var patchGrid: Grid { Grid(patch[0], patch[1], patch[2]) }
  package var stemGrid: Grid { Grid(stem[0], stem[1], stem[2]) }

  /// The grid of encoder stage 0...3.
  package func grid(ofStage stage: Int) -> Grid {
    let step = 1 << stage
    return patchGrid / stemGrid / Grid(step, step, step)
  }

  /// Checks that a network of these sizes can exist.
  /// - Throws: `NetworkError.invalidDescription`, naming the field.
  public func validate() throws(NetworkError) {
    for (field, values, count, limit) in [
      ("patch", patch, 3, 1024), ("stem", stem, 3, 16), ("dims", dims, 4, 2048),
      ("depths", depths, 4, 32), ("decoderDepths", decoderDepths, 3, 32),
      ("projections", projections, 4, 1024), ("decoderProjections", decoderProjections, 3, 1024),
      ("inputChannels", [inputChannels], 1, 64), ("classes", [classes], 1, 1024),
      ("featureSize", [featureSize], 1, 1024), ("heads", [heads], 1, 64),
    ] {
      guard values.count == count, values.allSatisfy({ (1...limit).contains($0) }) else {
        throw .invalidDescription(
          field: field, reason: "\(values) is not \(count) number(s) from 1 to \(limit)")
      }
    }
    for axis in 0..<3 where patch[axis] % (stem[axis] * 8) != 0 {
      throw .invalidDescription(
        field: "patch", reason: "\(patch) is not a multiple of eight times the stem \(stem)")
    }
    guard patch[0] * patch[1] * patch[2] <= 1 << 26 else {
      throw .invalidDescription(field: "patch", reason: "\(patch) has too many voxels")
    }
    guard classes >= 2 else {
      throw .invalidDescription(field: "classes", reason: "background and one more are the least")
    }
    try validateChannels()
  }

  private func validateChannels() throws(NetworkError) {
    for (stage, channels) in dims.enumerated() {
      guard channels % heads == 0 else {
        throw .invalidDescription(
          field: "dims", reason: "\(channels) channels do not divide among \(heads) heads")
      }
      guard channels % 2 == 0 || !blocks.hasOutputProjections else {
        throw .invalidDescription(field: "dims", reason: "\(channels) is odd")
      }
      let groups = stage == 0 ? inputChannels : dims[stage - 1]
      guard channels % groups == 0 else {
        throw .invalidDescription(
          field: "dims", reason: "\(channels) channels do not divide into \(groups) groups")
      }
    }
  }
}
