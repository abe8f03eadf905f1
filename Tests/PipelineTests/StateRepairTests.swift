import Foundation
import Logging
import SeriesProcessing
import TestSupport
import Testing

@testable import Ingest
@testable import JobLedger
@testable import Pipeline

/// What is lost is mended, or waits with a reason.
@Suite struct StateRepairTests {
  private let small: SmallJob
  private var state: StateDirectory { small.state }

  init() async throws { small = try await SmallJob() }

  private func intake(_ ledger: Ledger) -> Intake {
    let logger = Logger(label: "test")
    return Intake(
      state: state, ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: logger),
      logger: logger)
  }

  private func repair(_ ledger: Ledger? = nil, isDryRun: Bool = false, removing: Bool = false)
    throws -> StateRepairReport
  {
    let ledger = ledger ?? small.ledger
    return try StateRepair(
      state: state, ledger: ledger, intake: intake(ledger), isDryRun: isDryRun,
      removesUnknownResults: removing
    ).run()
  }

  /// Runs the job that is due, for one destination, which takes the result.
  private func runAndDeliver(_ ledger: Ledger? = nil) async throws {
    let ledger = ledger ?? small.ledger
    let runner = small.runner(
      memory: MemoryBudget(limit: nil), destinations: ["pacs"], ledger: ledger)
    #expect(try await runner.runNext { _ in })
    let delivery = try #require(try ledger.claimDelivery())
    try ledger.markDelivered(delivery)
  }

  private func assembler(_ ledger: Ledger) -> SeriesAssembler {
    let logger = Logger(label: "test")
    return SeriesAssembler(
      ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: logger),
      assessor: StudyAssessor(
        state: state, ledger: ledger, rules: .tiny, geometry: .init(), incompleteSeries: .hold),
      quietPeriod: 0, logger: logger)
  }

  /// A process may be killed while it writes a note next to a result that is complete.
  @Test func whatWasBeingWrittenNextToAResultIsRemoved() async throws {
    try await runAndDeliver()
    let file = state.results.appendingPathComponent("\(small.id)/result.json.1-2.part")
    try Data("{".utf8).write(to: file)
    let recovery = Recovery(intake(small.ledger))
    #expect(recovery.removeUnfinishedResults() == 1 && recovery.removeUnfinishedResults() == 0)
    #expect(!FileManager.default.fileExists(atPath: file.path))
    try Data("{".utf8).write(to: file)
    #expect(try repair().steps == ["1 file(s) removed that were being written"])
  }

  /// Every file with its size, but for the ledger's own.
  private func files() throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: state.url.path)
      .filter { !$0.hasPrefix("ledger.sqlite") }.sorted()
  }

  /// The job that waits is held with a reason; once the instance comes again, the next one completes.
  @Test func aLostInstanceHoldsItsSeriesUntilItComesAgain() async throws {
    let instance = try small.ledger.instances(job: small.id).current[2]
    let file = state.file(instance.spoolPath)
    let again = small.folder.url.appendingPathComponent("again.dcm")
    try FileManager.default.moveItem(at: file, to: again)

    let before = try (files(), small.ledger.checkEvents().head)
    let dry = try repair(isDryRun: true)
    #expect(dry.steps.count == 1 && dry.steps[0].contains("marked as lost"), "\(dry.steps)")
    #expect(try files() == before.0 && small.ledger.checkEvents().head == before.1)

    let report = try repair()
    #expect(report.steps == dry.steps)
    #expect(report.report.findings.map(\.kind) == [.spoolFile])
    #expect(report.report.findings[0].text.contains("waits for it to be sent again"))
    #expect(try repair().steps == [])

    var held = JobSelection()
    held.states = [.held]
    // Nor can a person have it processed without the file.
    for action in [JobAction.release, .retry] {
      let job = try #require(try small.ledger.jobs().last)
      let reason = try #require(job.reason)
      #expect(
        reason.contains("the file of 1 instance is lost or damaged here, send the series again")
          && reason.contains(instance.sopInstanceUID), "\(reason)")
      #expect(job.state == "held")
      _ = try small.ledger.apply(action, to: held)
      try small.assembler.assembleDue()
    }
    #expect(try small.ledger.jobs().map(\.state) == ["cancelled", "held"])

    try small.intake.take(copyOf: again)
    try small.assembler.assembleDue()
    #expect(try await small.runner.runNext { _ in })
    #expect(try small.ledger.jobs().last?.state == "completed")
    #expect(try repair().report.findings == [])
  }

  @Test func aFileThatIsBackInItsPlaceIsFound() throws {
    let instance = try small.ledger.instances(job: small.id).current[2]
    let file = state.file(instance.spoolPath)
    let elsewhere = small.folder.url.appendingPathComponent("elsewhere.dcm")
    try FileManager.default.moveItem(at: file, to: elsewhere)
    _ = try repair()
    try small.assembler.assembleDue()
    try FileManager.default.moveItem(at: elsewhere, to: file)
    let report = try repair()
    #expect(report.steps == ["the file of instance \(instance.sopInstanceUID) is there again"])
    #expect(report.report.findings == [])
    try small.assembler.assembleDue()
    #expect(try small.ledger.jobs().map(\.state) == ["held", "available"])
  }

  @Test func aFileOfTheSpoolThatIsUnknownIsRecorded() throws {
    let source = state.file(try small.ledger.instances(job: small.id).current[0].spoolPath)
    // The ledger is a copy from before it came.
    let older = try Ledger(path: small.folder.url.appendingPathComponent("older.sqlite").path)
    #expect(try repair(older).steps.count == 5)
    #expect(try older.instances(series: small.series).current.count == 5)
    #expect(try repair(older).report.findings == [])
    #expect(FileManager.default.fileExists(atPath: source.path))
  }

  /// The same objects, and nothing is sent again that arrived.
  @Test(arguments: [true, false])
  func aLostLedgerIsMadeAnewAndNothingIsSentAgain(hasNotes: Bool) async throws {
    try await runAndDeliver()
    let first = try small.ledger.job(small.id).job
    if hasNotes {
      try ResultNoteWriter(state: state, ledger: small.ledger, logger: Logger(label: "test"))
        .writeNew()
      #expect(try repair().report.findings == [])
    }

    let ledger = try Ledger(path: small.folder.url.appendingPathComponent("new.sqlite").path)
    let recovery = Recovery(intake(ledger))
    var lines: [String] = []
    try recovery.rebuildLedger { line, isError in
      #expect(!isError, "\(line)")
      lines.append(line)
    }
    #expect(lines.count == (hasNotes ? 6 : 5), "\(lines)")
    #expect(try ledger.checkConsistency().findings == [])
    try assembler(ledger).assembleDue()
    if !hasNotes {
      // Whether all of it came is not known any more.
      let held = try #require(try ledger.jobs().last)
      #expect(held.state == "held" && held.reason?.contains("the ledger was lost") == true)
      var selection = JobSelection()
      selection.jobs = [held.id]
      #expect(try ledger.apply(.release, to: selection, reason: "whole").first?.isChanged == true)
      try assembler(ledger).assembleDue()
    }
    let runner = small.runner(
      memory: MemoryBudget(limit: nil), destinations: ["pacs"], ledger: ledger)
    #expect(try await runner.runNext { _ in })
    let last = try #require(try ledger.jobs().last)
    #expect(last.state == "completed" && last.id > small.id, "\(last.reason ?? "")")
    #expect(last.objects.map(\.sopInstanceUID) == first.objects.map(\.sopInstanceUID))
    #expect(last.objects.map(\.sha256) == first.objects.map(\.sha256))
    if hasNotes {
      #expect(last.sameResultAs == small.id && last.objects == first.objects)
      #expect(last.deliveries.map(\.state) == ["delivered"])
      #expect(try ledger.claimDelivery() == nil)
    } else {
      // The destination answers that it has the object: it has the same UID.
      #expect(
        try ledger.claimDelivery()?.objects == last.objects.filter { $0.kind == .segmentation })
    }
    // Nothing of the first one was overwritten.
    #expect(
      first.objects.allSatisfy { FileManager.default.fileExists(atPath: state.file($0.path).path) })
    try recovery.rebuildLedger { line, _ in Issue.record("\(line)") }
  }

  /// A rebuild that ended in its middle is no reason to believe that all of a series came.
  @Test func aRebuildThatWasInterruptedIsCompletedAsOne() throws {
    let ledger = try Ledger(path: small.folder.url.appendingPathComponent("new.sqlite").path)
    let recovery = Recovery(intake(ledger))
    try recovery.rebuildLedger { _, _ in }
    #expect(try !ledger.isBeingRebuilt() && !ledger.isEmpty())

    let other = try Ledger(path: small.folder.url.appendingPathComponent("other.sqlite").path)
    try other.beginRebuild(session: "killed")
    // What it had recorded when it was killed.
    try Recovery(intake(other)).rescan { line, isError in #expect(!isError, "\(line)") }
    #expect(try other.isBeingRebuilt() && !other.isEmpty())
    try Recovery(intake(other)).rebuildLedger { line, _ in Issue.record("\(line)") }
    #expect(try !other.isBeingRebuilt())
    try assembler(other).assembleDue()
    let held = try #require(try other.jobs().last)
    #expect(held.state == "held" && held.reason?.contains("the ledger was lost") == true)
  }

  /// A result is no proof that its series is whole: some of it may have gone since.
  @Test func aSeriesIsHeldOfWhichLessIsHereThanItsResultWasMadeOf() async throws {
    try await runAndDeliver()
    try ResultNoteWriter(state: state, ledger: small.ledger, logger: Logger(label: "test"))
      .writeNew()
    #expect(ResultFolders(state: state).note(small.id)?.instanceCounts == [small.series: 5])
    let last = try #require(try small.ledger.instances(job: small.id).current.last)
    try FileManager.default.removeItem(at: state.file(last.spoolPath))
    let ledger = try Ledger(path: small.folder.url.appendingPathComponent("new.sqlite").path)
    try Recovery(intake(ledger)).rebuildLedger { line, isError in #expect(!isError, "\(line)") }
    try assembler(ledger).assembleDue()
    let held = try #require(try ledger.jobs().last)
    #expect(held.state == "held" && held.reason?.contains("the ledger was lost") == true)
  }

  /// What was sent and not proved to have arrived is asked for again.
  @Test func whatWasNotProvedIsAskedForAfterTheLedgerWasLost() async throws {
    let runner = small.runner(memory: MemoryBudget(limit: nil), destinations: ["pacs"])
    #expect(try await runner.runNext { _ in })
    let delivery = try #require(try small.ledger.claimDelivery())
    try small.ledger.markDelivered(delivery, awaitsProof: true)
    try ResultNoteWriter(state: state, ledger: small.ledger, logger: Logger(label: "test"))
      .writeNew()
    let ledger = try Ledger(path: small.folder.url.appendingPathComponent("new.sqlite").path)
    try Recovery(intake(ledger)).rebuildLedger { line, isError in #expect(!isError, "\(line)") }
    #expect(try ledger.job(small.id).job.deliveries.map(\.state) == ["sent"])
    #expect(try ledger.claimProof(policy: .jobs)?.job == small.id)
  }

  /// A result that was not delivered when the ledger was lost is sent.
  @Test func whatDidNotArriveIsSentAfterTheLedgerWasLost() async throws {
    let runner = small.runner(memory: MemoryBudget(limit: nil), destinations: ["pacs"])
    #expect(try await runner.runNext { _ in })
    let notes = ResultNoteWriter(state: state, ledger: small.ledger, logger: Logger(label: "test"))
    try notes.writeNew()
    let ledger = try Ledger(path: small.folder.url.appendingPathComponent("new.sqlite").path)
    try Recovery(intake(ledger)).rebuildLedger { _, _ in }
    try assembler(ledger).assembleDue()
    let next = small.runner(
      memory: MemoryBudget(limit: nil), destinations: ["pacs"], ledger: ledger)
    #expect(try await next.runNext { _ in })
    #expect(try ledger.claimDelivery()?.job == small.id)
  }

  /// The note follows what became of the result; it is not written again where it says so already.
  @Test func theNoteOfAResultFollowsTheLedger() async throws {
    let notes = ResultNoteWriter(state: state, ledger: small.ledger, logger: Logger(label: "test"))
    try notes.writeNew()
    #expect(ResultFolders(state: state).note(small.id) == nil)
    let runner = small.runner(memory: MemoryBudget(limit: nil), destinations: ["pacs"])
    #expect(try await runner.runNext { _ in })
    try notes.writeNew()
    var note = try #require(ResultFolders(state: state).note(small.id))
    #expect(note.delivered == [] && note.job == small.id && note.fingerprint?.count == 64)
    let delivery = try #require(try small.ledger.claimDelivery())
    try small.ledger.markDelivered(delivery)
    try notes.writeNew()
    note = try #require(ResultFolders(state: state).note(small.id))
    #expect(note.delivered.map(\.destination) == ["pacs"])
    let file = state.file("results/\(small.id)/\(ResultNote.fileName)")
    let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions]
    #expect(mode as? Int == 0o600)
  }

  /// A note whose file was changed is not believed, nor one that names files elsewhere.
  @Test func aResultThatWasChangedIsNotTakenUp() async throws {
    try await runAndDeliver()
    try ResultNoteWriter(state: state, ledger: small.ledger, logger: Logger(label: "test"))
      .writeNew()
    let object = try #require(small.ledger.job(small.id).job.objects.first)
    try Data("changed".utf8).write(to: state.file(object.path))
    let ledger = try Ledger(path: small.folder.url.appendingPathComponent("new.sqlite").path)
    var errors: [String] = []
    try Recovery(intake(ledger)).rebuildLedger { if $1 { errors.append($0) } }
    #expect(errors.count == 1 && errors[0].contains("cannot be taken up"), "\(errors)")
    #expect(try ledger.jobs().isEmpty)
    // New jobs do not use its folder.
    try assembler(ledger).assembleDue()
    #expect(try ledger.jobs().map(\.id) == [small.id + 1])
    let moved = state.file("results/7")
    try FileManager.default.createDirectory(at: moved, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      at: state.file("results/\(small.id)/\(ResultNote.fileName)"),
      to: moved.appendingPathComponent(ResultNote.fileName))
    #expect(ResultFolders(state: state).note(7) == nil)
  }

  @Test func aLostResultIsMadeAgainAndNotSentAgain() async throws {
    try await runAndDeliver()
    let first = try small.ledger.job(small.id).job
    try FileManager.default.removeItem(at: state.file("results/\(small.id)"))
    #expect(
      try repair(isDryRun: true).steps == ["the result of job 1 is made again by a new job"])
    #expect(try repair().steps == ["the result of job 1 is made again by job 2"])
    #expect(try repair().steps == [])
    let runner = small.runner(memory: MemoryBudget(limit: nil), destinations: ["pacs"])
    #expect(try await runner.runNext { _ in })
    #expect(try small.ledger.claimDelivery() == nil)
    let again = try small.ledger.job(2).job
    #expect(
      again.state == "completed" && again.objects.map(\.sha256) == first.objects.map(\.sha256))
    #expect(try repair().report.findings == [])
  }

  @Test func filesOfNoResultAreRemoved() async throws {
    try await runAndDeliver()
    try Data("x".utf8).write(to: state.file("results/\(small.id)/left.dcm"))
    try FileManager.default.createDirectory(
      at: state.file("results/99"), withIntermediateDirectories: true)
    try Data("x".utf8).write(to: state.file("results/99/old.dcm"))
    #expect(try repair().report.findings.map(\.path) == ["results/99/old.dcm"])
    #expect(!FileManager.default.fileExists(atPath: state.file("results/1/left.dcm").path))
    #expect(try repair(removing: true).report.findings == [])
    #expect(!FileManager.default.fileExists(atPath: state.file("results/99/old.dcm").path))
    #expect(
      try small.ledger.job(1).job.objects.allSatisfy {
        FileManager.default.fileExists(atPath: state.file($0.path).path)
      })
  }
}
