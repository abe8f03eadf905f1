import ConfigurationFile
import DICOM
import Foundation
import GeometryGate
import Ingest
import JobLedger
import Logging
import SeriesReading
import SeriesSelection
import TestSupport
import Testing
import Volumes

@testable import Pipeline

@Suite struct SeriesAssemblerTests {
  private let folder: TemporaryFolder
  private let state: StateDirectory
  private let ledger: Ledger

  init() throws {
    folder = try TemporaryFolder()
    state = try StateDirectory(path: folder.url.appendingPathComponent("state").path)
    ledger = try Ledger(path: state.ledger.path)
  }

  private static let venous = SeriesCriterion(
    .seriesDescription, .texts(include: ["ven"], exclude: []))
  private static let ct = SeriesCriterion(.modality, .texts(include: ["CT"], exclude: []))

  private func best(_ order: TieOrder...) -> ModelRule {
    ModelRule(
      model: "liver",
      criteria: SeriesCriteria(
        required: [Self.ct], preferred: [.init([Self.venous], weight: 3)]), selection: .best,
      tieOrder: order)
  }

  /// Slices of a series 2 mm apart, as files in the spool and rows in the ledger.
  private func receive(
    _ series: String, _ description: String, slices: Int = 4, study: String = "1.2",
    sopClass: String = "1.2.840.10008.5.1.4.1.1.2"
  ) throws {
    let intake = Intake(
      state: state, ledger: ledger,
      receptions: ReceptionLog(ledger: ledger, logger: Logger(label: "test")),
      storedClasses: ["1.2.840.10008.5.1.4.1.1.66.4"], logger: Logger(label: "test"))
    for index in 0..<slices {
      var image = Dataset.axialImage(
        "\(series).\(sopClass.suffix(1)).\(index + 1)", sopClass: sopClass, study: study,
        series: series, modality: "CT", z: 2 * index)
      image.set(.seriesDescription, .LO, description)
      image.set(.seriesNumber, .IS, String(series.suffix(1)))
      image.set(.sliceThickness, .DS, "2.5")
      image.set(.echoTime, .DS, index == 0 ? "9" : "4")
      let file = folder.url.appendingPathComponent(UUID().uuidString)
      try image.write(to: file.path)
      try intake.take(copyOf: file)
    }
  }

  private func jobs(_ rules: ModelRule..., missingPeriod: TimeInterval? = nil) throws
    -> [String: [JobSummary]]
  {
    let assembler = SeriesAssembler(
      ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: Logger(label: "test")),
      assessor: StudyAssessor(
        state: state, ledger: ledger, rules: ModelRules(rules), geometry: GeometryRules(),
        incompleteSeries: .hold),
      quietPeriod: 0, missingPeriod: missingPeriod, logger: Logger(label: "test"))
    try assembler.assembleDue()
    return Dictionary(grouping: try ledger.jobs(), by: \.seriesInstanceUID)
  }

  /// Results that come back are stored and never segmented, whether they have a series of their own
  /// or go by that of the images.
  @Test func resultsThatComeBackGetNoJob() throws {
    let segmentation = "1.2.840.10008.5.1.4.1.1.66.4"
    try receive("1.2.3", "venous")
    try receive("1.2.3", "venous", slices: 1, sopClass: segmentation)
    try receive("1.2.9", "venous", slices: 1, sopClass: segmentation)
    let jobs = try jobs(best())
    #expect(jobs["1.2.9"] == nil)
    #expect(jobs["1.2.3"]?.map(\.state) == ["available"], "\(jobs)")
    #expect(try ledger.instances(series: "1.2.9").current.count == 1)
    #expect(try ledger.seriesDue(quietPeriod: 0).isEmpty)
    #expect(try ledger.imageSeries(ofStudy: "1.2").map(\.seriesInstanceUID) == ["1.2.3"])
  }

  /// A series of which no image arrived is held with the refused one named, even where other objects
  /// of it were stored.
  @Test(arguments: [0, 1]) func refusedImagesAloneAreHeld(stored: Int) throws {
    try receive("1.2.3", "venous", slices: stored, sopClass: "1.2.840.10008.5.1.4.1.1.66.4")
    var refused = RefusedInstance(reason: "cut off", source: .listener)
    refused.sopInstanceUID = "1.2.3.9"
    refused.seriesInstanceUID = "1.2.3"
    refused.studyInstanceUID = "1.2"
    refused.sopClassUID = "1.2.840.10008.5.1.4.1.1.2"
    refused.status = 0xC000
    try ledger.recordRefusal(refused)
    let jobs = try jobs(best())["1.2.3"]
    #expect(jobs?.map(\.state) == ["held"], "\(String(describing: jobs))")
    #expect(jobs?.first?.reason?.contains("refused with 0xC000") == true)
  }

  /// A series that lacks an instance waits for it, and what is compared in its study with it; others do not.
  @Test(arguments: [false, true]) func whatIsIncompleteWaitsLonger(isCompared: Bool) throws {
    try receive("1.2.3", "venous")
    try receive("1.2.4", "native")
    try receive("1.3.5", "venous", study: "1.3")
    var refused = RefusedInstance(reason: "cut off", source: .listener)
    (refused.sopInstanceUID, refused.seriesInstanceUID) = ("1.2.3.9", "1.2.3")
    refused.studyInstanceUID = "1.2"
    try ledger.recordRefusal(refused)
    let all = ModelRule(model: "liver", criteria: SeriesCriteria(required: [Self.ct]))
    let rule = isCompared ? best() : all
    let early = try jobs(rule, missingPeriod: 3600)
    #expect(early["1.2.3"] == nil && early["1.3.5"]?.map(\.state) == ["available"], "\(early)")
    #expect((early["1.2.4"] == nil) == isCompared, "\(early)")
    let late = try jobs(rule, missingPeriod: 0)
    #expect(late["1.2.3"]?.map(\.state) == ["held"], "\(late)")
  }

  @Test func factsAreThoseOfMostImages() throws {
    try receive("1.2.3", "ven", slices: 3)
    let files = try ledger.instances(series: "1.2.3").all.map(\.spoolPath).map(state.file)
    let series = SeriesFiles(seriesInstanceUID: "1.2.3", files: files)
    let facts = try #require(SourceSeries(series, geometry: GeometryRules()).facts)
    #expect(facts[.echoTime] == .numbers([4]))
    #expect(facts[.coverage] == .numbers([6]))
    #expect(facts[.orientation] == .codes(["AXIAL"]))
    #expect(facts[.sliceThickness] == .numbers([2.5]))
    #expect(facts.seriesNumber == 3)
  }

  @Test func everySeriesThatMatchesGetsAJob() throws {
    try receive("1.2.3", "art")
    try receive("1.2.4", "ven")
    let rule = ModelRule(model: "liver", criteria: SeriesCriteria(required: [Self.venous]))
    let jobs = try jobs(rule, rule)
    #expect(jobs["1.2.4"]?.map(\.state) == ["available"])
    #expect(jobs["1.2.3"]?.map(\.state) == ["held"])
    let reason = try #require(jobs["1.2.3"]?.first?.reason)
    #expect(reason.contains("rule liver: seriesDescription is another text, wanted ven"))
    #expect(!reason.contains("art"))
  }

  /// Of several rules for a model the highest counts, and only where it selects the series.
  @Test func aRuleGivesItsJobsAPriority() throws {
    try receive("1.2.3", "art")
    try receive("1.2.4", "ven")
    var venous = ModelRule(model: "liver", criteria: SeriesCriteria(required: [Self.venous]))
    venous.priority = 10
    let all = ModelRule(model: "liver", criteria: SeriesCriteria(required: [Self.ct]), priority: 3)
    let other = ModelRule(model: "spleen", criteria: SeriesCriteria(required: [Self.venous]))
    let jobs = try jobs(all, venous, other)
    #expect(jobs["1.2.4"]?.map(\.model) == ["liver", "spleen"])
    #expect(jobs["1.2.4"]?.map(\.priority) == [10, 0])
    #expect(jobs["1.2.3"]?.map(\.priority) == [3])
    let urgent = try #require(jobs["1.2.4"]?.first?.id)
    #expect(try ledger.claimJob()?.id == urgent)
    let events = try ledger.record(ofStudy: "1.2").events.map(\.message)
    #expect(events.contains { $0.hasPrefix("rule liver chose model liver; priority 10; ") })
  }

  @Test func theBestSeriesOfAStudyGetsTheJob() throws {
    try receive("1.2.3", "art")
    try receive("1.2.4", "ven")
    try receive("1.9.5", "art", study: "1.9")
    let jobs = try jobs(best())
    #expect(jobs["1.2.4"]?.map(\.state) == ["available"])
    #expect(jobs["1.2.3"]?.map(\.state) == ["cancelled"])
    #expect(
      jobs["1.2.3"]?.first?.reason
        == "passed over: rule liver: series 1.2.4 scores 3, this one 0")
    #expect(jobs["1.9.5"]?.map(\.model) == ["liver"])
  }

  @Test func aTieIsHeldOrDecidedByTheOrder() throws {
    try receive("1.2.3", "ven", slices: 4)
    try receive("1.2.4", "ven", slices: 6)
    let tied = ModelRules([best()])
    let facts = try ["1.2.3", "1.2.4"].map { uid in
      let files = SeriesFiles(
        seriesInstanceUID: uid,
        files: try ledger.instances(series: uid).all.map(\.spoolPath).map(state.file))
      return try #require(SourceSeries(files, geometry: GeometryRules()).facts)
    }
    let outcome = try #require(tied.outcomes(for: facts).first)
    #expect(outcome.decisions.map(\.kind) == [.tied, .tied])
    #expect(SeriesPlan("1.2.3", [outcome]).tied["liver"]?.contains("series 1.2.4") == true)
    let jobs = try jobs(best(.mostSlices))
    #expect(jobs["1.2.4"]?.map(\.state) == ["available"])
    #expect(jobs["1.2.3"]?.first?.reason?.contains("first by mostSlices") == true)
  }

  @Test func aTiedSeriesIsHeldForItsModel() throws {
    try receive("1.2.3", "ven")
    try receive("1.2.4", "ven")
    let jobs = try jobs(best(.mostSlices))
    #expect(jobs.values.flatMap { $0 }.map(\.state) == ["held", "held"])
    #expect(jobs["1.2.3"]?.map(\.model) == ["liver"])
  }

  private func damage(_ series: String, _ count: Int) throws {
    for path in try ledger.instances(series: series).all.map(\.spoolPath).prefix(count) {
      try Data("damaged".utf8).write(to: state.file(path))
    }
  }

  /// What can be read of it says that it is the best: another one is taken as long as it is held, and each
  /// says so.
  @Test func theSecondBestIsTakenWhereTheBestHasADamagedFile() throws {
    try receive("1.2.3", "ven")
    try receive("1.2.4", "art")
    try damage("1.2.3", 1)
    let jobs = try jobs(best(.mostSlices))
    #expect(jobs["1.2.3"]?.map(\.state) == ["held"])
    #expect(jobs["1.2.3"]?.map(\.verdict) == [.held])
    #expect(jobs["1.2.4"]?.map(\.state) == ["available"])
    #expect(jobs["1.2.4"]?.map(\.verdict) == [.accepted])
    let events = try ledger.record(ofStudy: "1.2").events.map(\.message)
    #expect(events.contains { $0.contains("it scores 3 and is held") }, "\(events)")
    #expect(events.contains { $0.contains("of the series that are not held, 0; series 1.2.3") })

    // It comes again, and takes its place.
    let second = try #require(jobs["1.2.4"]?.first?.id)
    let damaged = try ledger.instances(series: "1.2.3").all[0]
    try FileManager.default.removeItem(at: state.file(damaged.spoolPath))
    _ = try ledger.markLost([damaged])
    try receive("1.2.3", "ven")
    let later = try self.jobs(best(.mostSlices))
    #expect(later["1.2.3"]?.last?.state == "available", "\(later)")
    #expect(try ledger.job(second).job.state == "cancelled")
  }

  /// A better series that comes later takes the place of one that waits.
  @Test func aBetterSeriesThatComesLaterGetsTheJob() throws {
    try receive("1.2.3", "art")
    #expect(try jobs(best())["1.2.3"]?.map(\.state) == ["available"])
    try receive("1.2.4", "ven")
    let jobs = try jobs(best())
    #expect(jobs["1.2.4"]?.map(\.state) == ["available"])
    #expect(jobs["1.2.3"]?.map(\.state) == ["cancelled"])
    #expect(jobs["1.2.3"]?.first?.reason?.contains("takes series 1.2.4 in its place") == true)
  }

  /// What only its job finds out of the best series has the second best tried.
  @Test func theSecondBestIsTriedWhereTheJobOfTheBestIsHeld() throws {
    try receive("1.2.3", "art")
    try receive("1.2.4", "ven")
    let job = try #require(try jobs(best())["1.2.4"]?.first)
    _ = try #require(try ledger.claimJob(id: job.id))
    try ledger.holdJob(
      job.id, reason: "no pixels",
      verdicts: [.init(seriesInstanceUID: "1.2.4", kind: .held, reasons: ["no pixels"])])
    let later = try jobs(best())
    #expect(later["1.2.3"]?.map(\.state) == ["cancelled", "available"], "\(later)")
    #expect(later["1.2.4"]?.map(\.state) == ["held"])
    // Nothing more happens by itself.
    #expect(try ledger.seriesDue(quietPeriod: 0).isEmpty)
  }

  /// Whether a series is the best of the study is not known without those whose files are gone.
  @Test func aSeriesIsHeldWhereAnotherOnesFilesAreGone() throws {
    try receive("1.2.3", "ven")
    _ = try jobs(best())
    for path in try ledger.instances(series: "1.2.3").all.map(\.spoolPath) {
      try FileManager.default.removeItem(at: state.file(path))
    }
    try receive("1.2.4", "art")
    let held = try #require(try jobs(best())["1.2.4"]?.last)
    #expect(held.state == "held")
    #expect(held.reason?.contains("series 1.2.3, whose originals were purged or lost") == true)
  }

  @Test func aSeriesOfWhichNothingCanBeReadIsHeldAndTheOthersGoOn() throws {
    try receive("1.2.3", "ven")
    try receive("1.2.4", "art")
    try damage("1.2.3", 4)
    let jobs = try jobs(best(.mostSlices))
    #expect(jobs["1.2.3"]?.map(\.state) == ["held"])
    #expect(jobs["1.2.3"]?.map(\.verdict) == [.held])
    #expect(jobs["1.2.4"]?.map(\.state) == ["available"])
  }
}
