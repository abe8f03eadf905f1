/// What the shapes of a checkpoint's tensors say of the network that they belong to.
///
/// All sizes follow from the shapes but two: the position embeddings have one row for each token, so
/// that they give the number of tokens and not the patch's three sides; and the blocks of `acdc` and
/// `lung` are the same.
///
/// ```swift
/// let shapes = NetworkShapes { checkpoint.entry($0)?.shape }
/// shapes.classes   // 16, from out1.conv.conv.weight of [16, 16, 1, 1, 1]
/// shapes.patches   // [[64, 128, 128], [128, 64, 128], …]
/// ```
public struct NetworkShapes: Sendable, Equatable {
  /// `acdc` for `lung` too, whose blocks are the same.
  public let blocks: BlockKind
  public let inputChannels, classes, featureSize, heads: Int
  public let stem, dims, depths, decoderDepths, projections, decoderProjections: [Int]
  /// The tokens of the first stage.
  public let tokens: Int

  /// The tensor that gives the number of tokens.
  public static let positionName = "unetr_pp_encoder.stages.0.0.pos_embed"
  /// The tensor that gives the number of classes.
  public static let headName = "out1.conv.conv.weight"

  /// - Parameter shape: of a tensor by the reference implementation's name, nil where there is none.
  /// - Returns: nil where a tensor that gives a size is missing, or has another number of axes.
  public init?(_ shape: (String) -> [Int]?) {
    func axis(_ name: String, _ axis: Int, of count: Int) -> Int? {
      guard let found = shape(name), found.count == count, found.allSatisfy({ $0 > 0 }) else {
        return nil
      }
      return found[axis]
    }
    func blocks(_ prefix: String) -> Int {
      (0..<64).first { shape("\(prefix).\($0).gamma") == nil } ?? 64
    }
    func projection(_ prefix: String) -> Int? {
      axis("\(prefix).0.epa_block.EF", 1, of: 2) ?? axis("\(prefix).0.epa_block.E.weight", 0, of: 2)
    }
    let encoder = "unetr_pp_encoder"
    let downsampling = (0..<4).map { "\(encoder).downsample_layers.\($0).0.conv.weight" }
    let stages = (0..<4).map { "\(encoder).stages.\($0)" }
    let decoders = [5, 4, 3].map { "decoder\($0).decoder_block.0" }
    let dims = downsampling.compactMap { axis($0, 0, of: 5) }
    let projections = stages.compactMap(projection)
    let decoderProjections = decoders.compactMap(projection)
    guard let stem = shape(downsampling[0]), dims.count == 4, projections.count == 4,
      decoderProjections.count == 3, let classes = axis(Self.headName, 0, of: 5),
      let featureSize = axis("encoder1.conv1.conv.weight", 0, of: 5),
      let heads = axis("\(stages[0]).0.epa_block.temperature", 0, of: 3),
      let tokens = axis(Self.positionName, 1, of: 3)
    else { return nil }
    let hasSums = shape("\(stages[0]).0.epa_block.EF") != nil
    let hasSecond = shape("\(stages[0]).0.conv52.conv1.conv.weight") != nil
    self.blocks = hasSums ? .tumor : hasSecond ? .acdc : .synapse
    inputChannels = stem[1]
    self.stem = Array(stem[2...])
    (self.classes, self.featureSize, self.heads) = (classes, featureSize, heads)
    (self.dims, self.projections) = (dims, projections)
    self.decoderProjections = decoderProjections
    depths = stages.map(blocks)
    decoderDepths = decoders.map(blocks)
    self.tokens = tokens
  }

  /// Every patch that has the number of tokens: multiples of eight times the stem.
  public var patches: [[Int]] {
    guard tokens % 512 == 0, stem.allSatisfy({ (1...16).contains($0) }) else { return [] }
    // The grid of the deepest stage.
    let deepest = tokens / 512
    func sides(_ axis: Int) -> ClosedRange<Int> { 1...max(1, 1024 / (8 * stem[axis])) }
    return sides(0).flatMap { z -> [[Int]] in
      guard deepest % z == 0 else { return [] }
      return sides(1).compactMap { y -> [Int]? in
        guard deepest / z % y == 0, sides(2).contains(deepest / z / y) else { return nil }
        return zip([z, y, deepest / z / y], stem).map { 8 * $0 * $1 }
      }
    }
  }

  /// The network of these sizes with a patch.
  ///
  /// - Parameters:
  ///   - patch: the patch's size along z, y, x.
  ///   - kind: taken where its blocks are those of the shapes.
  public func description(patch: [Int], kind: BlockKind?) -> NetworkDescription {
    let isSame = kind.map { $0 == blocks || blocks == .acdc && $0 == .lung } ?? false
    return NetworkDescription(
      blocks: isSame ? kind ?? blocks : blocks, patch: patch, inputChannels: inputChannels,
      classes: classes, stem: stem, featureSize: featureSize, dims: dims, heads: heads,
      depths: depths, decoderDepths: decoderDepths, projections: projections,
      decoderProjections: decoderProjections)
  }
}
