/// What a rule decided about one series.
public struct SeriesDecision: Sendable, Equatable, Codable {
  public enum Kind: String, Sendable, Codable {
    /// The model segments it.
    case selected
    /// It matches, and another series of the study is better.
    case passedOver
    /// It is the best, and held: another one is taken in its place as long as it is.
    case held
    /// It is as good as another series, and nothing decides between them.
    case tied
    case noMatch
  }

  public var seriesInstanceUID: String
  public var kind: Kind
  public var score: SeriesScore
  /// Why, without free text of the files.
  public var reason: String
  /// Of a series that is selected or held, where the rule or a person chooses among its volumes.
  public var volume: VolumeDecision?
}

/// A rule and its decision about each series of a study.
public struct RuleOutcome: Sendable, Equatable, Codable {
  public var rule: String
  public var model: String
  public var selection: ModelRule.Selection
  /// Of the jobs that it makes.
  public var priority: Int
  /// In the order of the candidates.
  public var decisions: [SeriesDecision]
}
