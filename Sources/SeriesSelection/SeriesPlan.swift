/// What is to be done with one series.
public struct SeriesPlan: Sendable, Equatable {
  /// Models that segment it, each once, in the order of the rules.
  public var models: [String] = []
  /// Of their jobs: where several rules select the series for a model, the highest of them.
  public var priorities: [String: Int] = [:]
  /// Models of rules that could not decide, with the reason.
  public var tied: [String: String] = [:]
  /// Whether it matches a rule that selected another series instead.
  public var isPassedOver = false
  /// Why rules did not select it.
  public var reasons: [String] = []
  /// Which rules selected it and by what, without free text of the files.
  public var selections: [String] = []

  public init(_ series: String, _ outcomes: [RuleOutcome]) {
    for outcome in outcomes {
      for decision in outcome.decisions where decision.seriesInstanceUID == series {
        let reason = "rule \(outcome.rule): \(decision.reason)"
        switch decision.kind {
        case .selected:
          if !models.contains(outcome.model) { models.append(outcome.model) }
          priorities[outcome.model] = max(
            priorities[outcome.model] ?? outcome.priority, outcome.priority)
          let met = decision.score.required.map { $0.description(showingText: false) }
          let priority = outcome.priority == 0 ? [] : ["priority \(outcome.priority)"]
          selections.append(
            (["rule \(outcome.rule) chose model \(outcome.model)"] + priority + met
              + [decision.reason])
              .joined(separator: "; "))
          continue
        case .tied: tied[outcome.model] = tied[outcome.model] ?? reason
        case .passedOver: isPassedOver = true
        case .noMatch: break
        }
        reasons.append(reason)
      }
    }
    // What one rule selects, another's tie does not hold.
    tied = tied.filter { !models.contains($0.key) }
  }
}
