import GeometryGate
import SeriesProcessing
import SeriesReading
import SeriesSelection
import Wording

/// What the rules make of one study.
public struct RuleTrial: Encodable, Sendable {
  public struct Series: Encodable, Sendable {
    public var seriesInstanceUID: String
    /// The series of which a stack of series is made, in slice order; empty for a series by itself.
    public var stackMembers: [String]
    public var images: Int
    /// What the rules compare, by the keys of criteria.
    public var attributes: [String: SeriesValue]
    /// Of the geometry gate, by the headers; what it holds, no rule's model segments.
    public var verdict: Verdict
    /// Of the verdict.
    public var reasons: [String]

    init(_ source: SourceSeries, _ facts: SeriesFacts?) {
      seriesInstanceUID = source.seriesInstanceUID
      stackMembers = source.stackMembers
      images = facts?.imageCount ?? 0
      let found = SeriesAttribute.allCases.compactMap { attribute in
        facts?[attribute].map { (attribute.rawValue, $0) }
      }
      attributes = Dictionary(found, uniquingKeysWith: { $1 })
      verdict = source.assessment.verdict
      reasons = source.assessment.reasons
    }

    var text: String {
      let verdict = ([verdict.rawValue] + reasons).joined(separator: "; ")
      return "  series \(seriesInstanceUID): \(counted(images, "image")), \(verdict)"
    }
  }

  /// Empty where no image of the series could be read.
  public var studyInstanceUID: String
  public var series: [Series]
  public var rules: [RuleOutcome]
  /// Of the models that are shown several series together.
  public var channels: [ChannelTrial]

  /// - Throws: `DICOMError` only where our own disk or installation is at fault.
  public static func studies(_ series: [SeriesFiles], rules: ModelRules, geometry: GeometryRules)
    throws
    -> [RuleTrial]
  {
    let sources = try series.map { try SourceSeries($0, geometry: geometry) }
    let units = try SourceSeries.stacked(sources, geometry: geometry)
    return Dictionary(grouping: units, by: \.studyInstanceUID).sorted { $0.key < $1.key }
      .map { RuleTrial(study: $0, $1, rules: rules) }
  }

  private init(study: String, _ members: [SourceSeries], rules: ModelRules) {
    studyInstanceUID = study
    let facts = members.map(\.facts)
    series = zip(members, facts).map(Series.init)
    let standings = members.map { member in
      let isHeld = member.assessment.verdict == .held
      return (
        member.seriesInstanceUID,
        SeriesStanding(heldReason: isHeld ? member.assessment.reasons.first ?? "held" : nil)
      )
    }
    let outcomes = rules.outcomes(
      for: facts.compactMap(\.self),
      standings: Dictionary(standings, uniquingKeysWith: { first, _ in first }))
    self.rules = outcomes
    channels = rules.channels.sorted { $0.key < $1.key }.compactMap { model, channels in
      let selected = members.filter {
        SeriesPlan($0.seriesInstanceUID, outcomes).models.contains(model)
      }
      return ChannelTrial(model: model, channels, of: selected)
    }
  }

  /// For people.
  public var text: String {
    let study = studyInstanceUID.isEmpty ? "(no image can be read)" : studyInstanceUID
    var lines = ["study \(study): \(series.count) series"]
    lines += series.map(\.text)
    if rules.isEmpty { lines.append("  the configuration has no rules") }
    for outcome in rules {
      lines.append("")
      lines.append(
        "  rule \(outcome.rule): model \(outcome.model), selects "
          + (outcome.selection == .best ? "the best series" : "every series that matches")
          + (outcome.priority == 0 ? "" : ", priority \(outcome.priority)"))
      for decision in outcome.decisions { lines += Self.lines(decision) }
    }
    for trial in channels { lines += [""] + trial.lines }
    return lines.joined(separator: "\n")
  }

  private static func lines(_ decision: SeriesDecision) -> [String] {
    let score = decision.score
    let state =
      switch decision.kind {
      case .selected: "selected: \(decision.reason)"
      case .held: "the best, and held: \(decision.reason)"
      case .passedOver: "passed over: \(decision.reason)"
      case .tied: "held: \(decision.reason)"
      case .noMatch: score.isNearMiss ? "no match, a near miss" : "no match"
      }
    var lines = [
      "    series \(decision.seriesInstanceUID): score \(score.pointsText), \(state)"
    ]
    if let volume = decision.volume {
      lines.append("      \(volume.number == nil ? "NO  held: " : "yes ")\(volume.reason)")
    }
    for finding in score.required {
      lines.append(
        "      \(finding.isMet ? "yes" : "NO ") required  \(finding.description(showingText: true))"
      )
    }
    for preference in score.preferred {
      let findings = preference.findings.map { $0.description(showingText: true) }
      lines.append(
        "      \(preference.isMet ? "yes" : "no ") \(preference.pointsText) points  "
          + findings.joined(separator: "; "))
    }
    if case .noMatch = decision.kind, score.missed.isEmpty {
      lines += score.incompatibilities(showingText: true).map { "      NO  \($0)" }
    }
    return lines
  }
}
