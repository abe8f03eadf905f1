/// How scores are computed where published practice differs.
public struct ScoringConvention: Sendable, Equatable, Codable {
  /// How the two directions of surface distances become one HD95.
  public enum Directions: String, Sendable, Equatable, Codable {
    /// The larger of the two directed percentiles (DeepMind's surface-distance, MONAI).
    case larger
    /// The percentile of the distances of both directions together (MedPy's `hd95`).
    case pooled
  }

  /// The unit of distances.
  public enum Unit: String, Sendable, Equatable, Codable {
    case millimetres = "mm"
    /// Voxels count as cubes of side 1 whatever their spacing (MedPy without `voxelspacing`).
    case voxels
  }

  /// The distance where exactly one of the masks is empty.
  public enum OneEmpty: String, Sendable, Equatable, Codable {
    /// Infinite: a structure that is missed, or found where none is, has no finite distance.
    case infinite
    /// 0, as the scoring scripts of the reference implementation have it. It flatters a model
    /// that finds nothing.
    case zero
  }

  /// Dice where both masks are empty.
  public enum BothEmpty: String, Sendable, Equatable, Codable {
    case one
    /// The case does not count in the mean (nnU-Net's evaluator).
    case leftOut
  }

  public var directions: Directions
  public var unit: Unit
  public var oneEmpty: OneEmpty
  public var bothEmpty: BothEmpty

  public init(directions: Directions, unit: Unit, oneEmpty: OneEmpty, bothEmpty: BothEmpty) {
    self.directions = directions
    self.unit = unit
    self.oneEmpty = oneEmpty
    self.bothEmpty = bothEmpty
  }

  /// Ours, and that of `Scripts/train/metrics.py`: the larger direction in millimetres, infinite
  /// where one mask is empty, 0 and Dice 1 where both are.
  public static let standard = ScoringConvention(
    directions: .larger, unit: .millimetres, oneEmpty: .infinite, bothEmpty: .one)

  /// That of the scripts `inference_synapse.py`, `inference_acdc.py` and `inference_tumor.py` of
  /// the UNETR++ reference implementation (github.com/Amshaker/unetr_plus_plus): MedPy's `hd95`
  /// without voxel spacing, 0 where a mask is empty.
  public static let reference = ScoringConvention(
    directions: .pooled, unit: .voxels, oneEmpty: .zero, bothEmpty: .one)
}
