/// What a rule asks of a series: what it must be, and what makes one series better than another.
///
/// ```swift
/// let criteria = SeriesCriteria(
///   required: [SeriesCriterion(.modality, .texts(include: ["CT"], exclude: []))],
///   preferred: [.init([SeriesCriterion(.sliceThickness, .range(min: nil, max: 1.5))])])
/// let score = criteria.score(facts)
/// if !score.isMatch { print(score.incompatibilities(showingText: false)) }
/// ```
public struct SeriesCriteria: Sendable, Equatable {
  /// Criteria that earn points where all of them are met.
  public struct Preference: Sendable, Equatable {
    public var criteria: [SeriesCriterion]
    /// Points; negative for what is to be avoided.
    public var weight: Double

    public init(_ criteria: [SeriesCriterion], weight: Double = 1) {
      self.criteria = criteria
      self.weight = weight
    }
  }

  /// Every one must be met.
  public var required: [SeriesCriterion]
  public var preferred: [Preference]
  /// The fewest points that a series needs; nil where none are needed.
  public var minimumScore: Double?

  public init(
    required: [SeriesCriterion] = [], preferred: [Preference] = [], minimumScore: Double? = nil
  ) {
    self.required = required
    self.preferred = preferred
    self.minimumScore = minimumScore
  }

  /// Assesses a series by every criterion, also after one is not met.
  public func score(_ facts: SeriesFacts) -> SeriesScore {
    SeriesScore(
      required: required.map { $0.assess(facts) },
      preferred: preferred.map { preference in
        SeriesScore.PreferenceFinding(
          weight: preference.weight, findings: preference.criteria.map { $0.assess(facts) })
      }, minimumScore: minimumScore)
  }
}

/// How well a series fits criteria, with the reasons.
public struct SeriesScore: Sendable, Equatable, Codable {
  public struct PreferenceFinding: Sendable, Equatable, Codable {
    public var weight: Double
    public var findings: [CriterionFinding]

    public var isMet: Bool { findings.allSatisfy(\.isMet) }
    public var points: Double { isMet ? weight : 0 }
    /// For a message: what was earned of what can be.
    public var pointsText: String { "\(formatted(points)) of \(formatted(weight))" }
  }

  public let required: [CriterionFinding]
  public let preferred: [PreferenceFinding]
  public let minimumScore: Double?
  /// What the preferences that are met add up to.
  public let points: Double
  public let isMatch: Bool
  /// Whether a single fault keeps the series from matching.
  public let isNearMiss: Bool

  init(
    required: [CriterionFinding], preferred: [PreferenceFinding], minimumScore: Double?
  ) {
    self.required = required
    self.preferred = preferred
    self.minimumScore = minimumScore
    let points = preferred.reduce(0) { $0 + $1.points }
    let lacksPoints = minimumScore.map { points < $0 } ?? false
    let faults = required.count { !$0.isMet } + (lacksPoints ? 1 : 0)
    self.points = points
    isMatch = faults == 0
    isNearMiss = faults == 1
  }

  /// The points for a message.
  public var pointsText: String { formatted(points) }

  /// Required criteria that the series does not meet.
  public var missed: [CriterionFinding] { required.filter { !$0.isMet } }

  /// Why the series does not match; empty where it does.
  ///
  /// - Parameter showingText: whether free text of the file may be quoted, which a log must not.
  public func incompatibilities(showingText: Bool) -> [String] {
    var incompatibilities = missed.map { $0.description(showingText: showingText) }
    if let minimumScore, points < minimumScore {
      incompatibilities.append(
        "score is \(formatted(points)), wanted at least \(formatted(minimumScore))")
    }
    return incompatibilities
  }
}
