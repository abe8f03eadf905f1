/// What is to be done with one series.
public struct SeriesPlan: Sendable, Equatable {
  /// Another series of the study that a rule compared with this one.
  public struct Alternative: Sendable, Equatable {
    public var seriesInstanceUID: String
    /// Whether it would be taken if it were not held.
    public var isBetter: Bool
  }

  /// Models that segment it, each once, in the order of the rules.
  public var models: [String] = []
  /// Of their jobs: where several rules select the series for a model, the highest of them.
  public var priorities: [String: Int] = [:]
  /// Which of its volumes they segment, where a rule or a person chose it, or why none could be chosen.
  public var volumes: [String: VolumeDecision] = [:]
  /// The series in whose place this one is segmented, by model: the best first.
  public var alternatives: [String: [Alternative]] = [:]
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
          take(outcome, decision)
          continue
        // Its own job says why it is held.
        case .held: take(outcome, decision)
        case .tied: tied[outcome.model] = tied[outcome.model] ?? reason
        case .passedOver: isPassedOver = true
        case .noMatch: break
        }
        reasons.append(reason)
      }
    }
    // What one rule selects, another's tie does not hold.
    tied = tied.filter { !models.contains($0.key) }
    for model in models { alternatives[model] = Self.alternatives(to: series, model, outcomes) }
  }

  private mutating func take(_ outcome: RuleOutcome, _ decision: SeriesDecision) {
    if !models.contains(outcome.model) { models.append(outcome.model) }
    priorities[outcome.model] = max(
      priorities[outcome.model] ?? outcome.priority, outcome.priority)
    if let volume = decision.volume { take(volume, for: outcome.model) }
    guard decision.kind == .selected else { return }
    let met = decision.score.required.map { $0.description(showingText: false) }
    let priority = outcome.priority == 0 ? [] : ["priority \(outcome.priority)"]
    let volume = [decision.volume?.reason].compactMap(\.self)
    selections.append(
      (["rule \(outcome.rule) chose model \(outcome.model)"] + priority + met
        + [decision.reason] + volume)
        .joined(separator: "; "))
  }

  private mutating func take(_ volume: VolumeDecision, for model: String) {
    guard let known = volumes[model], known.number != nil, volume.number != nil,
      known.name != volume.name
    else {
      volumes[model] = volume.number == nil ? volume : volumes[model] ?? volume
      return
    }
    volumes[model] = VolumeDecision(
      reason: "rules for model \(model) choose different volumes: \(known.reason); \(volume.reason)"
    )
  }

  /// The series that match a rule which selects the best one, without those that get a job for the
  /// model themselves.
  private static func alternatives(to series: String, _ model: String, _ outcomes: [RuleOutcome])
    -> [Alternative]
  {
    let outcomes = outcomes.filter { $0.model == model }
    let decisions = outcomes.flatMap(\.decisions)
    let selected = Set(decisions.filter { $0.kind == .selected }.map(\.seriesInstanceUID))
    var found: [Alternative] = []
    for outcome in outcomes where outcome.selection == .best {
      guard let own = outcome.decisions.first(where: { $0.seriesInstanceUID == series }),
        [.selected, .held].contains(own.kind)
      else { continue }
      let others = outcome.decisions.filter { other in
        other.kind != .noMatch && other.seriesInstanceUID != series
          && (own.kind == .held || !selected.contains(other.seriesInstanceUID))
          && !found.contains { $0.seriesInstanceUID == other.seriesInstanceUID }
      }
      found += others.sorted {
        ($1.score.points, $0.seriesInstanceUID) < ($0.score.points, $1.seriesInstanceUID)
      }.map { other in
        Alternative(
          seriesInstanceUID: other.seriesInstanceUID,
          isBetter: other.kind == .held
            && (own.kind == .selected || other.score.points > own.score.points))
      }
    }
    return found
  }
}
