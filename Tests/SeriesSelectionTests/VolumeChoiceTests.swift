import Testing
import Yams

@testable import SeriesSelection

/// Which volume of a series a rule takes, and which series where the best is held.
@Suite struct VolumeChoiceTests {
  private static func facts(_ uid: String, echo: Double? = nil, points: Bool = false) -> SeriesFacts
  {
    var facts = SeriesFacts(seriesInstanceUID: uid)
    facts[.modality] = .codes(["MR"])
    if let echo { facts[.echoTime] = .numbers([echo]) }
    if points { facts[.contrast] = .flag(true) }
    return facts
  }

  /// A series of one volume for each echo time.
  private func series(_ uid: String = "1.2.3", echoes: [Double], points: Bool = false)
    -> SeriesFacts
  {
    var facts = Self.facts(uid, points: points)
    facts.volumes = zip(1..., echoes).map { number, echo in
      VolumeFacts(
        number: number, name: echoes.count > 1 ? "EchoTime=\(Int(echo))" : "",
        facts: Self.facts(uid, echo: echo))
    }
    return facts
  }

  private func criteria(_ yaml: String) throws -> VolumeCriteria {
    try YAMLDecoder().decode(VolumeCriteria.self, from: yaml)
  }

  @Test(
    arguments: [
      ("require: {echoTime: {min: 40}}", 2, "volume 2 of 2 (EchoTime=80)"),
      ("prefer: [{echoTime: {max: 30}, weight: 2}]", 1, "the highest score, 2"),
      ("require: {echoTime: {min: 10}}", nil, "volume 1 (EchoTime=20), volume 2 (EchoTime=80)"),
      (
        "require: {echoTime: {min: 100}}", nil,
        "volume 1 (EchoTime=20): echoTime is 20 ms, wanted at least 100 ms"
      ),
    ] as [(String, Int?, String)])
  func aRuleChoosesOne(yaml: String, number: Int?, words: String) throws {
    let decision = try criteria(yaml).choose(among: series(echoes: [20, 80]).volumes)
    #expect(decision.number == number && decision.reason.contains(words), "\(decision)")
    #expect(decision.name == number.map { ["EchoTime=20", "EchoTime=80"][$0 - 1] })
  }

  /// The only volume of a series may be the wrong one.
  @Test func aSingleVolumeHasToMatchToo() throws {
    let late = try criteria("require: {echoTime: {min: 40}}")
    #expect(late.choose(among: series(echoes: [20]).volumes).number == nil)
    #expect(late.choose(among: series(echoes: [80]).volumes).name == "")
  }

  @Test(arguments: ["{}", "select: best", "require: {echoTime: {}}"])
  func faultsAreRefused(yaml: String) {
    #expect(throws: (any Error).self) { try criteria(yaml) }
  }

  private func rules(_ volumes: String?..., selection: ModelRule.Selection = .all) throws
    -> ModelRules
  {
    ModelRules(
      try zip(1..., volumes).map { number, yaml in
        ModelRule(
          name: "rule\(number)", model: "m",
          criteria: SeriesCriteria(preferred: [.init([.init(.contrast, .flag(true))])]),
          selection: selection, volume: try yaml.map(criteria))
      })
  }

  private func plan(
    _ rules: ModelRules, _ study: [SeriesFacts], _ standings: [String: SeriesStanding] = [:],
    for uid: String = "1.2.3"
  ) -> SeriesPlan {
    SeriesPlan(uid, rules.outcomes(for: study, standings: standings))
  }

  @Test func thePlanNamesTheVolume() throws {
    let late = "require: {echoTime: {min: 40}}"
    let plan = plan(try rules(late), [series(echoes: [20, 80])])
    #expect(plan.volumes["m"]?.name == "EchoTime=80")
    #expect(plan.selections.first?.contains("volume 2 of 2 (EchoTime=80)") == true)
    #expect(self.plan(try rules(nil), [series(echoes: [20, 80])]).volumes == [:])
    // Both rules mean the same one.
    #expect(
      self.plan(try rules(late, "prefer: [{echoTime: {min: 70}}]"), [series(echoes: [20, 80])])
        .volumes["m"]?.name == "EchoTime=80")
    let conflict = self.plan(
      try rules(late, "require: {echoTime: {max: 40}}"), [series(echoes: [20, 80])])
    #expect(conflict.volumes["m"]?.number == nil)
    #expect(conflict.volumes["m"]?.reason.contains("choose different volumes") == true)
  }

  @Test func aPersonsChoiceComesBeforeTheRules() throws {
    let late = try rules("require: {echoTime: {min: 40}}")
    let chosen = ["1.2.3": SeriesStanding(volumes: ["m": "EchoTime=20"])]
    let decision = plan(late, [series(echoes: [20, 80])], chosen).volumes["m"]
    #expect(decision?.name == "EchoTime=20" && decision?.isByPerson == true)
    // Of another series of volumes nobody knows which is meant.
    let gone = plan(late, [series(echoes: [30, 90])], chosen).volumes["m"]
    #expect(
      gone?.number == nil && gone?.reason.contains("EchoTime=20, which a person chose") == true)
    #expect(plan(late, [series(echoes: [80])], chosen).volumes["m"]?.number == nil)
  }

  /// A: 1 point, B and C: 0 points.
  private let study = [
    facts("1.2.1", points: true), facts("1.2.2"), facts("1.2.4"),
  ]

  private func kinds(_ held: String...) throws -> [SeriesDecision.Kind] {
    let rules = ModelRules([
      ModelRule(
        model: "m",
        criteria: SeriesCriteria(preferred: [.init([.init(.contrast, .flag(true))])]),
        selection: .best, tieOrder: [])
    ])
    let standings = Dictionary(
      uniqueKeysWithValues: held.map { ($0, SeriesStanding(heldReasons: ["m": "no pixels"])) })
    return rules.outcomes(for: study, standings: standings)[0].decisions.map(\.kind)
  }

  @Test func theSecondBestIsTakenWhereTheBestIsHeld() throws {
    #expect(try kinds() == [.selected, .passedOver, .passedOver])
    #expect(try kinds("1.2.1") == [.held, .tied, .tied])
    #expect(try kinds("1.2.1", "1.2.2") == [.held, .held, .selected])
    // One that would not be taken anyway is passed over.
    #expect(try kinds("1.2.2") == [.selected, .passedOver, .passedOver])
    // Where all are held, the best says so.
    #expect(try kinds("1.2.1", "1.2.2", "1.2.4") == [.selected, .passedOver, .passedOver])
  }

  @Test func alternativesAreNamedTheBestFirst() throws {
    let rules = try rules(nil, selection: .best)
    let held = ["1.2.1": SeriesStanding(heldReason: "slices are missing")]
    let two = [study[0], study[1]]
    let best = plan(rules, two, for: "1.2.1")
    #expect(best.alternatives == ["m": [.init(seriesInstanceUID: "1.2.2", isBetter: false)]])
    let waiting = plan(rules, two, held, for: "1.2.1")
    #expect(waiting.models == ["m"])
    #expect(waiting.alternatives == best.alternatives)
    #expect(waiting.reasons.first?.contains("is held (slices are missing): series 1.2.2") == true)
    let second = plan(rules, two, held, for: "1.2.2")
    #expect(second.models == ["m"])
    #expect(second.alternatives == ["m": [.init(seriesInstanceUID: "1.2.1", isBetter: true)]])
    #expect(
      second.selections.first?.contains("the highest score of the series that are not held, 0")
        == true, "\(second.selections)")
    // What another rule takes for the model is none.
    let both = ModelRules([
      ModelRule(model: "m"),
      ModelRule(
        model: "m",
        criteria: SeriesCriteria(preferred: [.init([.init(.contrast, .flag(true))])]),
        selection: .best),
    ])
    #expect(plan(both, two, for: "1.2.1").alternatives == ["m": []])
  }

  /// A series whose volume cannot be chosen gives way as well.
  @Test func aSeriesWithoutAChoiceGivesWay() throws {
    let rules = try rules("require: {echoTime: {min: 40}}", selection: .best)
    let study = [
      series("1.2.1", echoes: [20, 30], points: true), series("1.2.2", echoes: [20, 80]),
    ]
    let outcome = rules.outcomes(for: study)[0]
    #expect(outcome.decisions.map(\.kind) == [.held, .selected])
    #expect(plan(rules, study, for: "1.2.1").volumes["m"]?.number == nil)
    #expect(plan(rules, study, for: "1.2.2").volumes["m"]?.name == "EchoTime=80")
  }
}
