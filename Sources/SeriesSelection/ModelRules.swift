/// What rules ask of a series besides what its images say.
public struct SeriesStanding: Sendable, Equatable {
  /// Why it cannot be segmented now, by any model; nil where it can.
  public var heldReason: String?
  /// Why it cannot be segmented now, by the models for which that was found.
  public var heldReasons: [String: String]
  /// The volume that a person chose, by model.
  public var volumes: [String: String]

  public init(
    heldReason: String? = nil, heldReasons: [String: String] = [:], volumes: [String: String] = [:]
  ) {
    self.heldReason = heldReason
    self.heldReasons = heldReasons
    self.volumes = volumes
  }
}

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
  ///
  /// Where only the best series is selected and that is held, the best of the others is selected.
  ///
  /// - Parameters:
  ///   - study: the series, each of another UID.
  ///   - standings: what else is known of some of them, by Series Instance UID.
  public func outcomes(for study: [SeriesFacts], standings: [String: SeriesStanding] = [:])
    -> [RuleOutcome]
  {
    rules.map { rule in
      let candidates = study.map { facts in
        Candidate(facts, rule: rule, standings[facts.seriesInstanceUID] ?? SeriesStanding())
      }
      return RuleOutcome(
        rule: rule.name, model: rule.model, selection: rule.selection,
        priority: rule.priority, decisions: decisions(rule, candidates))
    }
  }

  private func decisions(_ rule: ModelRule, _ study: [Candidate]) -> [SeriesDecision] {
    let comparison = SeriesComparison(study, tieOrder: rule.tieOrder)
    return study.indices.map { index in
      let candidate = study[index]
      let (kind, reason): (SeriesDecision.Kind, String)
      if !candidate.score.isMatch {
        kind = .noMatch
        reason = candidate.score.incompatibilities(showingText: false).joined(separator: "; ")
      } else if rule.selection == .all {
        (kind, reason) = (.selected, "every series that matches is selected")
      } else {
        (kind, reason) = comparison.decision(index)
      }
      return SeriesDecision(
        seriesInstanceUID: candidate.uid, kind: kind, score: candidate.score, reason: reason,
        volume: [.selected, .held].contains(kind) ? candidate.volume : nil)
    }
  }
}

/// A series as one rule sees it.
private struct Candidate {
  var facts: SeriesFacts
  var score: SeriesScore
  var volume: VolumeDecision?
  /// Why it is held; nil where it is not.
  var heldReason: String?

  var uid: String { facts.seriesInstanceUID }

  init(_ facts: SeriesFacts, rule: ModelRule, _ standing: SeriesStanding) {
    self.facts = facts
    score = rule.criteria.score(facts)
    if !facts.volumes.isEmpty {
      volume =
        standing.volumes[rule.model].map {
          VolumeDecision(chosenByPerson: $0, among: facts.volumes)
        } ?? rule.volume?.choose(among: facts.volumes)
    }
    let undecided = volume.flatMap { $0.number == nil ? $0.reason : nil }
    heldReason = standing.heldReason ?? standing.heldReasons[rule.model] ?? undecided
  }
}

/// The series that match a rule which selects the best of a study.
private struct SeriesComparison {
  let study: [Candidate]
  let choice: SeriesChoice
  /// Those that would have been chosen and are held, so that another one was.
  let setAside: Set<Int>

  init(_ study: [Candidate], tieOrder: [TieOrder]) {
    self.study = study
    func choose(_ among: [Int]) -> SeriesChoice {
      SeriesChoice(
        among.map { study[$0].score }, facts: among.map { study[$0].facts }, tieOrder: tieOrder
      ).mapped { among[$0] }
    }
    var (candidates, setAside): ([Int], Set<Int>) = (Array(study.indices), [])
    var choice = choose(candidates)
    let usable = study.indices.filter { study[$0].score.isMatch && study[$0].heldReason == nil }
    while !usable.isEmpty {
      let held = choice.first.filter { study[$0].heldReason != nil }
      guard !held.isEmpty else { break }
      setAside.formUnion(held)
      candidates.removeAll { held.contains($0) }
      choice = choose(candidates)
    }
    self.choice = choice
    self.setAside = setAside
  }

  /// About a series that matches.
  func decision(_ index: Int) -> (SeriesDecision.Kind, String) {
    let own = formatted(study[index].score.points)
    if setAside.contains(index) {
      let others = choice.first.map { study[$0].uid }.joined(separator: ", ")
      return (
        .held,
        "it scores \(own) and is held (\(study[index].heldReason ?? "")): series \(others) is taken "
          + "as long as that lasts"
      )
    }
    let of = setAside.isEmpty ? "" : " of the series that are not held"
    switch choice {
    case .best(index, let order):
      let tie = order.map { ", before others of that score by \($0.rawValue)" } ?? ""
      let held = setAside.sorted().map {
        "; series \(study[$0].uid) scores \(formatted(study[$0].score.points)) and is held"
      }
      return (.selected, "the highest score\(of), \(own)\(tie)" + held.joined())
    case .best(let best, let order):
      let other = "series \(study[best].uid)"
      let most = formatted(study[best].score.points)
      return study[best].score.points > study[index].score.points
        ? (.passedOver, "\(other) scores \(most), this one \(own)")
        : (.passedOver, "\(other) scores \(most) too and comes first by \(order?.rawValue ?? "")")
    case .tie(let tied) where tied.contains(index):
      let others = tied.filter { $0 != index }.map { study[$0].uid }
      return (
        .tied,
        "series \(others.joined(separator: ", ")) scores \(own) too and nothing decides between "
          + "them: add a preference or a tieOrder to the rule, or reprocess the right one by hand"
      )
    case .tie(let tied):
      let most = formatted(study[tied[0]].score.points)
      return (.passedOver, "other series score \(most), this one \(own)")
    case .none: return (.noMatch, "")
    }
  }
}

extension SeriesChoice {
  /// Those that are best; none where none matches.
  fileprivate var first: [Int] {
    switch self {
    case .best(let index, _): [index]
    case .tie(let indices): indices
    case .none: []
    }
  }

  fileprivate func mapped(_ index: (Int) -> Int) -> SeriesChoice {
    switch self {
    case .best(let best, let order): .best(index(best), decidedBy: order)
    case .tie(let tied): .tie(tied.map(index))
    case .none(let nearMisses): .none(nearMisses: nearMisses.map(index))
    }
  }
}

extension VolumeDecision {
  /// A person's choice, which no criterion changes.
  fileprivate init(chosenByPerson name: String, among volumes: [VolumeFacts]) {
    let found = volumes.filter { $0.name == name }
    guard found.count == 1 else {
      self.init(
        reason: "volume \(name), which a person chose, is not among those of the series",
        isByPerson: true)
      return
    }
    self.init(
      number: found[0].number, name: name,
      reason: "volume \(found[0].number) of \(volumes.count) (\(name)), which a person chose",
      isByPerson: true)
  }
}
