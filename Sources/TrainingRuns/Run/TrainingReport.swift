import Evaluation

/// What a training came to.
public struct TrainingReport: Encodable, Sendable {
  public enum State: String, Encodable, Sendable {
    /// All steps are done.
    case finished
    /// Validations did not get better for as long as `validation.patience` says.
    case finishedEarly = "finished early"
    /// It was asked to end, and resumes with `--resume`.
    case stopped
  }

  /// One label on the held-out cases.
  public struct Label: Encodable, Sendable {
    public var value: UInt8?
    public var name: String
    public var dice: Double?
    public var worstDice: Double?
    /// nil where it is infinite in some case.
    public var hd95: Double?
    /// Of the parent, where the model was fine-tuned.
    public var diceBefore: Double?
  }

  public var state: State
  public var folder: String
  public var step: Int
  public var steps: Int
  /// Time that the steps took.
  public var seconds: Double
  public var bundle: String?
  public var version: String?
  public var weightsSHA256: String?
  public var labels: [Label] = []
  public var meanDice: Double?
  public var meanDiceBefore: Double?
  /// Held-out cases that could not be scored, with the reason.
  public var notScored: [String] = []
  /// Held-out cases that the new bundle's limits refuse, with the reason; they are scored.
  public var refused: [String] = []

  mutating func take(_ score: ValidationScore, before: ValidationScore?) {
    let summary = score.summary
    let earlier = before?.summary
    labels = summary.regions.enumerated().map { index, region in
      Label(
        value: region.region.label, name: region.region.name, dice: region.dice,
        worstDice: region.worstDice, hd95: region.hd95.isFinite ? region.hd95 : nil,
        diceBefore: earlier?.regions[index].dice)
    }
    meanDice = summary.dice
    meanDiceBefore = earlier?.dice
    notScored = score.failures.map { "\($0.name): \($0.reason)" }
    refused = score.refused.map { "\($0.name): \($0.reason)" }
  }
}
