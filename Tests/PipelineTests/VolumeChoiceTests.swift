import DICOM
import Foundation
import GeometryGate
import Ingest
import JobLedger
import Logging
import SeriesSelection
import TestSupport
import Testing

@testable import Pipeline

/// Two volumes in one series, by what the gate splits them: a rule chooses, or the job is held with both.
@Suite struct VolumeChoiceTests {
  private let folder: TemporaryFolder
  private let state: StateDirectory
  private let ledger: Ledger

  init() throws {
    folder = try TemporaryFolder()
    state = try StateDirectory(path: folder.url.appendingPathComponent("state").path)
    ledger = try Ledger(path: state.ledger.path)
  }

  /// What distinguishes the volumes.
  enum Split: String, CaseIterable, Sendable {
    case echo, bValue, phase

    /// Of the first and the second volume, as the gate names it.
    var names: [String] {
      switch self {
      case .echo: ["EchoTime=20.0", "EchoTime=80.0"]
      case .bValue: ["DiffusionBValue=0.0", "DiffusionBValue=1000.0"]
      case .phase: ["AcquisitionNumber=1", "AcquisitionNumber=2"]
      }
    }

    func set(_ image: inout Dataset, volume: Int) {
      switch self {
      case .echo: image.set(.echoTime, .DS, ["20", "80"][volume])
      case .bValue: image.set(.diffusionBValue, .FD, reals: [[0, 1000][volume]])
      case .phase: image.set(.acquisitionNumber, .IS, "\(volume + 1)")
      }
    }

    /// Criteria that only the second one meets.
    var second: SeriesCriterion {
      switch self {
      case .echo: SeriesCriterion(.echoTime, .range(min: 40, max: nil))
      case .bValue: SeriesCriterion(.bValue, .range(min: 500, max: nil))
      case .phase: SeriesCriterion(.acquisitionNumber, .range(min: 2, max: 2))
      }
    }
  }

  private func receive(_ split: Split, slices: Int = 4) throws {
    let logger = Logger(label: "test")
    let intake = Intake(
      state: state, ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: logger),
      logger: logger)
    for number in 0..<(2 * slices) {
      let (volume, slice) = (number / slices, number % slices)
      var image = Dataset.axialImage(
        "1.2.3.\(number + 1)", sopClass: "1.2.840.10008.5.1.4.1.1.4", study: "1.2",
        series: "1.2.3", modality: "MR", z: 2 * slice, bytes: UInt8(number))
      split.set(&image, volume: volume)
      let file = folder.url.appendingPathComponent(UUID().uuidString)
      try image.write(to: file.path)
      try intake.take(copyOf: file)
    }
  }

  private func assembled(_ rules: ModelRule...) throws -> JobSummary {
    let logger = Logger(label: "test")
    try SeriesAssembler(
      ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: logger),
      assessor: StudyAssessor(
        state: state, ledger: ledger, rules: ModelRules(rules), geometry: GeometryRules(),
        incompleteSeries: .hold),
      quietPeriod: 0, logger: logger
    ).assembleDue()
    let jobs = try ledger.jobs()
    return try #require(jobs.count == 1 ? jobs.first : nil)
  }

  @Test(arguments: Split.allCases) func aRuleChooses(split: Split) throws {
    try receive(split)
    let job = try assembled(
      ModelRule(model: "m", volume: VolumeCriteria(SeriesCriteria(required: [split.second]))))
    #expect(job.state == "available")
    #expect(job.volume == ChosenVolume(split.names[1], by: .rule))
    #expect(job.volumes.map(\.name) == split.names)
    let events = try ledger.record(ofStudy: "1.2").events.map(\.message)
    #expect(events.contains { $0.contains("volume 2 of 2 (\(split.names[1]))") }, "\(events)")
  }

  @Test(arguments: Split.allCases) func withoutADecisionThereIsAList(split: Split) throws {
    try receive(split)
    let job = try assembled(
      ModelRule(model: "m", volume: VolumeCriteria(SeriesCriteria(), tieOrder: [.mostSlices])))
    #expect(job.state == "held")
    let reason = try #require(job.reason)
    for (number, name) in zip(1..., split.names) {
      #expect(reason.contains("\(number): \(name), 4 slices 2.0 mm apart"), "\(reason)")
    }
    var selection = JobSelection()
    selection.series = "1.2.3"
    _ = try ledger.apply(.releaseVolume(2), to: selection)
    #expect(try ledger.jobs().first?.volume == ChosenVolume(split.names[1], by: .person))
    #expect(try ledger.claimJob()?.id == job.id)
  }

  /// The choice of a person is that of the next job too, before what the rule says.
  @Test func aPersonsChoiceLasts() throws {
    try receive(.echo)
    let rule = ModelRule(
      model: "m", volume: VolumeCriteria(SeriesCriteria(), tieOrder: [.mostSlices]))
    let first = try assembled(rule)
    var selection = JobSelection()
    selection.jobs = [first.id]
    _ = try ledger.apply(.releaseVolume(1), to: selection)
    let assessor = StudyAssessor(
      state: state, ledger: ledger,
      rules: ModelRules([
        ModelRule(
          model: "m", volume: VolumeCriteria(SeriesCriteria(required: [Split.echo.second])))
      ]),
      geometry: GeometryRules(), incompleteSeries: .hold)
    let assessed = try #require(try assessor.assess(study: "1.2", series: ["1.2.3"])["1.2.3"])
    #expect(
      assessed.job(for: "m", start: .available).volume
        == ChosenVolume(Split.echo.names[0], by: .person))
  }
}
