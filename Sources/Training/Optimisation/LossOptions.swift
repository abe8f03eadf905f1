/// How the loss of a segmentation is put together.
public struct LossOptions: Sendable, Equatable {
  /// Which voxel of the labels belongs to a voxel of a coarser resolution.
  public enum TargetSampling: String, Sendable, Codable, CaseIterable {
    /// The one at the centre, as nearest resampling takes it.
    case centre
    /// The first along each axis.
    case first
  }

  /// Added to numerator and denominator of the Dice coefficient.
  public var smoothing: Double
  /// Whether the Dice coefficient is that of the whole batch, or the mean of its samples'.
  public var isBatchDice: Bool
  public var diceWeight = 1.0
  public var crossEntropyWeight = 1.0
  /// Of the resolutions from the finest on; divided by the sum of those that are used.
  public var levelWeights = [1.0, 0.5, 0.25]
  public var targetSampling: TargetSampling

  public init(smoothing: Double, isBatchDice: Bool, targetSampling: TargetSampling) {
    self.smoothing = smoothing
    self.isBatchDice = isBatchDice
    self.targetSampling = targetSampling
  }

  /// As nnU-Net and the reference implementation (DC_and_CE_loss, `smooth` 1e-5, `do_bg` false).
  public static let reference = LossOptions(
    smoothing: 1e-5, isBatchDice: false, targetSampling: .centre)
  /// As `loss_of` of Scripts/train/train.py: small structures weigh less where they are absent.
  public static let recipe = LossOptions(
    smoothing: 1, isBatchDice: true, targetSampling: .first)
}
