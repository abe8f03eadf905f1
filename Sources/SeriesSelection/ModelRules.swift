/// The rules of a configuration.
public struct ModelRules: Sendable {
  private let rules: [ModelRule]
  /// The channels of the models that take several series together, by the models' names.
  public let channels: [String: [ModelChannel]]

  public init(_ rules: [ModelRule], channels: [String: [ModelChannel]] = [:]) {
    self.rules = rules
    self.channels = channels
  }

  /// Whether series of a study are compared or segmented together, so that all of them must be there.
  public var comparesSeries: Bool {
    !channels.isEmpty || rules.contains { $0.selection == .best }
  }

  /// What every rule decides about the series of one study.
  public func outcomes(for study: [SeriesFacts]) -> [RuleOutcome] {
    rules.map { rule in
      let scores = study.map(rule.criteria.score)
      return RuleOutcome(
        rule: rule.name, model: rule.model, selection: rule.selection,
        priority: rule.priority, decisions: decisions(rule, study, scores))
    }
  }

  private func decisions(_ rule: ModelRule, _ study: [SeriesFacts], _ scores: [SeriesScore])
    -> [SeriesDecision]
  {
    let choice = SeriesChoice(scores, facts: study, tieOrder: rule.tieOrder)
    return study.indices.map { index in
      let (kind, reason): (SeriesDecision.Kind, String)
      if !scores[index].isMatch {
        kind = .noMatch
        reason = scores[index].incompatibilities(showingText: false).joined(separator: "; ")
      } else if rule.selection == .all {
        (kind, reason) = (.selected, "every series that matches is selected")
      } else {
        (kind, reason) = decision(index, choice, study, scores)
      }
      return SeriesDecision(
        seriesInstanceUID: study[index].seriesInstanceUID, kind: kind, score: scores[index],
        reason: reason)
    }
  }

  /// About a series that matches, where only the best is selected.
  private func decision(
    _ index: Int, _ choice: SeriesChoice, _ study: [SeriesFacts], _ scores: [SeriesScore]
  ) -> (SeriesDecision.Kind, String) {
    let own = formatted(scores[index].points)
    switch choice {
    case .best(index, let order):
      let tie = order.map { ", before others of that score by \($0.rawValue)" } ?? ""
      return (.selected, "the highest score, \(own)\(tie)")
    case .best(let best, let order):
      let other = "series \(study[best].seriesInstanceUID)"
      let most = formatted(scores[best].points)
      return scores[best].points > scores[index].points
        ? (.passedOver, "\(other) scores \(most), this one \(own)")
        : (.passedOver, "\(other) scores \(most) too and comes first by \(order?.rawValue ?? "")")
    case .tie(let tied) where tied.contains(index):
      let others = tied.filter { $0 != index }.map { study[$0].seriesInstanceUID }
      return (
        .tied,
        "series \(others.joined(separator: ", ")) scores \(own) too and nothing decides between "
          + "them: add a preference or a tieOrder to the rule, or reprocess the right one by hand"
      )
    case .tie(let tied):
      let most = formatted(scores[tied[0]].points)
      return (.passedOver, "other series score \(most), this one \(own)")
    case .none: return (.noMatch, "")
    }
  }
}
