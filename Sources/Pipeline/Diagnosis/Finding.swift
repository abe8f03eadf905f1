/// One thing that `segmentd doctor` looked at.
public struct Finding: Sendable, Codable, Equatable {
  public enum Level: String, Sendable, Codable {
    case good
    /// Works, and may not for long, or not well.
    case warning
    /// Does not work.
    case fault
  }

  /// What was looked at, such as `destination pacs`.
  public var subject: String
  public var level: Level
  public var text: String
  /// What to do about it.
  public var advice: String?

  static func good(_ subject: String, _ text: String) -> Finding {
    Finding(subject: subject, level: .good, text: text)
  }

  static func warning(_ subject: String, _ text: String, _ advice: String) -> Finding {
    Finding(subject: subject, level: .warning, text: text, advice: advice)
  }

  static func fault(_ subject: String, _ text: String, _ advice: String) -> Finding {
    Finding(subject: subject, level: .fault, text: text, advice: advice)
  }
}
