import Foundation

/// What a training tells while it runs.
public enum TrainingEvent: Sendable {
  /// Cases are read; the network will take so many bytes of memory, and the cases that are kept there take
  /// `caseBytes`.
  case prepared(trainingCases: Int, heldOutCases: Int, bytes: Int, caseBytes: Int)
  case resumed(step: Int)
  /// What is done now.
  case note(String)
  case step(TrainingProgress)
  /// Mean Dice of each label on held-out cases.
  case validated(step: Int, labels: [String], dice: [Double], mean: Double)
  /// A log or a checkpoint could not be written; the training continues.
  case problem(String)
}

/// How far a training is.
public struct TrainingProgress: Sendable, Equatable {
  /// Steps done.
  public var step: Int
  public var steps: Int
  public var loss: Double
  public var rate: Double
  public var secondsPerStep: Double
  /// Until the last step at the pace of this sitting, validations included.
  public var remaining: Duration

  /// One line for a person.
  public var line: String {
    "step \(step)/\(steps), loss \(TrainingText.decimals(loss, 4)), "
      + "\(TrainingText.decimals(secondsPerStep, 2)) s a step, \(TrainingText.duration(remaining)) left"
  }
}

/// Numbers as text.
public enum TrainingText {
  public static func decimals(_ value: Double, _ count: Int) -> String {
    String(format: "%.\(count)f", value)
  }

  public static func duration(_ duration: Duration) -> String {
    let seconds = max(0, Int(duration.components.seconds))
    switch seconds {
    case ..<60: return "\(seconds) s"
    case ..<3600: return "\(seconds / 60) min \(seconds % 60) s"
    default: return "\(seconds / 3600) h \(seconds % 3600 / 60) min"
    }
  }
}
