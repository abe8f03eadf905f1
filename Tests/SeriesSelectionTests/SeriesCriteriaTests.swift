import Testing
import Yams

@testable import SeriesSelection

@Suite struct SeriesCriteriaTests {
  /// A contrast CT of the abdomen.
  private let facts: SeriesFacts = {
    var facts = SeriesFacts(seriesInstanceUID: "1.2.3", seriesNumber: 4, imageCount: 200)
    facts[.modality] = .codes(["CT"])
    facts[.seriesDescription] = .text("Abdomen VEN 1.5 Br40")
    facts[.imageType] = .codes(["ORIGINAL", "PRIMARY", "AXIAL"])
    facts[.bodyPart] = .codes(["ABDOMEN"])
    facts[.sliceThickness] = .numbers([1.5])
    facts[.pixelSpacing] = .numbers([0.7, 0.9])
    facts[.contrast] = .flag(true)
    facts[.convolutionKernel] = .text("Br40d\\3")
    facts.setGeometry(normal: [0, 0.26, 0.9656], distances: (0..<200).map { Double($0) * 1.5 })
    return facts
  }()

  private func isMet(_ yaml: String) throws -> Bool {
    let criteria = try YAMLDecoder().decode(SeriesCriteria.self, from: "require: {\(yaml)}")
    return criteria.score(facts).isMatch
  }

  @Test(arguments: [
    "modality: CT", "modality: [MR, ct]", "modality: {exclude: MR}",
    "seriesDescription: 'ven|portal'", "seriesDescription: [art, '^abd']",
    "seriesDescription: {include: ven, exclude: [thin, lung]}",
    "protocolName: {exclude: scout}", "imageType: [PRIMARY, axial]",
    "imageType: {exclude: [LOCALIZER, DERIVED]}", "sliceThickness: {min: 1.5, max: 1.5}",
    "sliceThickness: {max: 3}", "pixelSpacing: {min: 0.5, max: 1}", "slices: {min: 200, max: 200}",
    "sliceSpacing: {max: 1.5}", "coverage: {min: 300, max: 300}", "orientation: axial",
    "orientation: [CORONAL, AXIAL]", "contrast: true", "convolutionKernel: '^Br'",
    "laterality: {exclude: R}",
  ]) func isMetBy(yaml: String) throws {
    let met = try isMet(yaml)
    #expect(met)
  }

  @Test(arguments: [
    "modality: MR", "modality: {exclude: [CT]}", "seriesDescription: art",
    "seriesDescription: {include: ven, exclude: br40}", "protocolName: abd",
    "imageType: [PRIMARY, LOCALIZER]", "imageType: {exclude: axial}", "sliceThickness: {max: 1.4}",
    "sliceThickness: {min: 1.6}", "pixelSpacing: {max: 0.8}", "pixelSpacing: {min: 0.8}",
    "slices: {min: 201}", "coverage: {min: 301}", "orientation: OBLIQUE", "contrast: false",
    "contrastPhase: ARTERIAL", "echoTime: {max: 30}", "laterality: R",
  ]) func isNotMetBy(yaml: String) throws {
    let met = try isMet(yaml)
    #expect(!met)
  }

  @Test func everyAttributeCanBeAskedForByItsKey() throws {
    for attribute in SeriesAttribute.allCases {
      let condition =
        switch attribute.kind {
        case .number: "{max: 1}"
        case .flag: "true"
        case .code, .codes, .text: "x"
        }
      let criteria = try YAMLDecoder().decode(
        SeriesCriteria.self, from: "require: {\(attribute.rawValue): \(condition)}")
      #expect(criteria.required.map(\.attribute) == [attribute])
    }
  }

  @Test func scoresAddUpAndFaultsAreExplained() throws {
    let criteria = try YAMLDecoder().decode(
      SeriesCriteria.self,
      from: """
        require: {modality: CT, sliceThickness: {max: 1}}
        prefer:
          - {seriesDescription: ven, contrast: true, weight: 5}
          - {seriesDescription: ven, contrast: false, weight: 7}
          - {imageType: ORIGINAL}
          - {convolutionKernel: '^Br', weight: -2}
        minimumScore: 4
        """)
    let score = criteria.score(facts)
    #expect(score.points == 4)
    #expect(!score.isMatch && score.isNearMiss)
    #expect(
      score.incompatibilities(showingText: true) == [
        "sliceThickness is 1.5 mm, wanted at most 1 mm"
      ])
  }

  @Test func tooFewPointsAreAFault() {
    let criteria = SeriesCriteria(
      required: [SeriesCriterion(.seriesDescription, .texts(include: ["art"], exclude: []))],
      preferred: [.init([SeriesCriterion(.modality, .texts(include: ["MR"], exclude: []))])],
      minimumScore: 1)
    let score = criteria.score(facts)
    #expect(!score.isNearMiss)
    // What a technologist typed may name a patient and stays out of a log.
    #expect(
      score.incompatibilities(showingText: false) == [
        "seriesDescription is another text, wanted art", "score is 0, wanted at least 1",
      ])
    #expect(score.incompatibilities(showingText: true)[0].contains("Abdomen VEN"))
  }

  @Test(arguments: [
    ("require: {modalty: CT}", "modalty"), ("requires: {modality: CT}", "requires"),
    ("require: {}", "no criterion"), ("require: {slices: {min: 3, max: 2}}", "min is above max"),
    ("require: {slices: {least: 3}}", "least"), ("require: {slices: {}}", "neither min nor max"),
    ("require: {slices: many}", "slices"), ("require: {contrast: perhaps}", "contrast"),
    ("require: {seriesDescription: '('}", "not a regular expression"),
    ("require: {modality: []}", "no text"), ("require: {modality: {only: CT}}", "only"),
    ("prefer: [{weight: 2}]", "no criterion"),
    ("prefer: [{modality: CT, weight: 0}]", "weight"),
    ("prefer: [{modality: CT}]\nminimumScore: 2", "out of reach"),
  ]) func faultsAreNamed(yaml: String, expected: String) {
    let error = #expect(throws: DecodingError.self) {
      try YAMLDecoder().decode(SeriesCriteria.self, from: yaml)
    }
    #expect("\(error.map { "\($0)" } ?? "")".contains(expected))
  }

  @Test(
    arguments: [
      ([0, 0, -1], "AXIAL"), ([0, -0.98, 0.2], "CORONAL"), ([0.87, 0.49, 0], "SAGITTAL"),
      ([0.6, 0, 0.8], "OBLIQUE"),
    ] as [(SIMD3<Double>, String)]) func orientationIsThatOfTheNormal(
      normal: SIMD3<Double>, expected: String
    )
  {
    var facts = SeriesFacts(seriesInstanceUID: "1")
    facts.setGeometry(normal: normal, distances: [3, 0, 0, 9, 6.2])
    #expect(facts[.orientation] == .codes([expected]))
    #expect(facts[.slices] == .numbers([4]))
    #expect(facts[.imagesPerSlice] == .numbers([1]))
    #expect(facts[.coverage] == .numbers([12]))
  }

  /// Positions of phases differ by rounding; of slices that have more or fewer the median counts.
  @Test func imagesPerSliceAreCountedAtEachPlace() {
    var facts = SeriesFacts(seriesInstanceUID: "1")
    var places: [Double] = []
    for slice in 0..<9 {
      for phase in 0..<25 { places.append(Double(8 * slice) + (phase % 2 == 0 ? 0.004 : 0)) }
    }
    facts.setGeometry(normal: [0, 0, 1], distances: places + [64, 64])
    #expect(facts[.imagesPerSlice] == .numbers([25]))
    #expect(facts[.slices] == .numbers([9]))
    let wanted = SeriesCriterion(.imagesPerSlice, .range(min: 2, max: nil))
    #expect(wanted.assess(facts).isMet)
    #expect(!wanted.assess(SeriesFacts(seriesInstanceUID: "2")).isMet)
  }
}

@Suite struct SeriesChoiceTests {
  private func facts(_ uid: String, number: Int?, slices: Int?, points: Double) -> (
    SeriesFacts, SeriesScore
  ) {
    var facts = SeriesFacts(seriesInstanceUID: uid, seriesNumber: number)
    if let slices { facts[.slices] = .numbers([Double(slices)]) }
    let finding = SeriesScore.PreferenceFinding(weight: points, findings: [])
    return (
      facts,
      SeriesScore(
        required: [
          CriterionFinding(attribute: .modality, isMet: points >= 0, found: nil, wanted: "CT")
        ], preferred: [finding], minimumScore: nil)
    )
  }

  private func choose(_ all: [(SeriesFacts, SeriesScore)], _ order: TieOrder...) -> SeriesChoice {
    SeriesChoice(all.map(\.1), facts: all.map(\.0), tieOrder: order)
  }

  @Test func theHighestScoreWinsInAnyOrder() {
    let all = [3.0, 7, 5].map { facts("1", number: 1, slices: 10, points: $0) }
    #expect(choose(all) == .best(1, decidedBy: nil))
    #expect(choose(all.reversed()) == .best(1, decidedBy: nil))
  }

  @Test func tiesAreToldOrDecidedInOrder() {
    let all = [
      facts("1", number: 3, slices: 90, points: 2), facts("2", number: 2, slices: 90, points: 2),
      facts("3", number: 1, slices: 80, points: 2), facts("4", number: 0, slices: 99, points: 1),
    ]
    #expect(choose(all) == .tie([0, 1, 2]))
    #expect(choose(all, .mostSlices) == .tie([0, 1]))
    #expect(
      choose(all, .mostSlices, .lowestSeriesNumber) == .best(1, decidedBy: .lowestSeriesNumber))
    #expect(choose(all, .highestSeriesNumber) == .best(0, decidedBy: .highestSeriesNumber))
  }

  @Test func anOrderThatASeriesSaysNothingOfDecidesNothing() {
    let all = [
      facts("1", number: nil, slices: 90, points: 2), facts("2", number: 2, slices: 90, points: 2),
    ]
    #expect(choose(all, .mostSlices, .lowestSeriesNumber) == .tie([0, 1]))
  }

  @Test func nearMissesAreNamedWhereNothingMatches() {
    let all = [facts("1", number: 1, slices: 1, points: -1)]
    #expect(choose(all) == .none(nearMisses: [0]))
    #expect(choose([]) == .none(nearMisses: []))
  }
}
