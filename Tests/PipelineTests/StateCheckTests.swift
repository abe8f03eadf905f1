import FileSystem
import Foundation
import JobLedger
import SeriesProcessing
import TestSupport
import Testing

@testable import Ingest
@testable import JobLedger
@testable import Pipeline

/// Ledger, spool and results are compared with each other.
@Suite struct StateCheckTests {
  private let small: SmallJob
  private var state: StateDirectory { small.state }

  init() async throws {
    small = try await SmallJob()
    #expect(try await small.runner.runNext { _ in })
  }

  private func report(comparesHashes: Bool = true) throws -> StateReport {
    let ledger = try Ledger(reading: state.ledger.path)
    return try StateCheck(
      state: state, ledger: ledger, comparesHashes: comparesHashes, patience: .zero
    ).run()
  }

  private func instance(_ number: Int = 1) throws -> InstanceRecord {
    try small.ledger.instances(job: small.id).current[number]
  }

  private func segmentation() throws -> StoredObject {
    try #require(small.ledger.job(small.id).job.objects.first { $0.kind == .segmentation })
  }

  private func flip(_ path: String) throws {
    let file = state.file(path)
    var bytes = try Data(contentsOf: file)
    bytes[bytes.count - 100] ^= 4
    try bytes.write(to: file)
  }

  @Test(arguments: [true, false]) func nothingIsWrong(comparesHashes: Bool) throws {
    let report = try report(comparesHashes: comparesHashes)
    #expect(report.findings == [] && report.notes == [])
    #expect(report.instances == 5 && report.resultFiles == 2)
    #expect(report.comparesHashes == comparesHashes)
    #expect(try report.events?.head.event == small.ledger.checkEvents().head.event)
  }

  @Test func whatIsNotOursIsFound() throws {
    let places = ["spool/list.txt", "spool/00/x", "results/alien"]
    for place in places {
      let file = state.file(place)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data("text".utf8).write(to: file)
    }
    let report = try report()
    #expect(report.findings.map(\.kind) == Array(repeating: .foreignFile, count: places.count))
    #expect(Set(report.findings.compactMap(\.path)) == Set(places))
  }

  @Test func aLostAndAChangedInstanceAreFound() throws {
    try FileManager.default.removeItem(at: state.file(instance(1).spoolPath))
    try flip(instance(3).spoolPath)
    let thorough = try report()
    #expect(thorough.findings.map(\.kind) == [.spoolFile, .spoolFile])
    #expect(try thorough.findings.map(\.path) == [instance(1).spoolPath, instance(3).spoolPath])
    #expect(thorough.findings[0].text.hasSuffix("is missing"))
    #expect(thorough.findings[1].text.contains("SHA-256 differs"))
    // Its size is the same.
    let quick = try report(comparesHashes: false)
    #expect(try quick.findings.map(\.path) == [instance(1).spoolPath])
    try Data("x".utf8).write(to: state.file(instance(4).spoolPath))
    #expect(try report(comparesHashes: false).findings.last?.text.contains("has 1 byte ") == true)
  }

  @Test func aLostAndAChangedResultAreFound() throws {
    let object = try segmentation()
    try flip(object.path)
    #expect(try report().findings.map(\.kind) == [.resultFile])
    #expect(try report(comparesHashes: false).findings == [])
    try FileManager.default.removeItem(at: state.file(object.path))
    #expect(try report(comparesHashes: false).findings.map(\.path) == [object.path])
  }

  /// A complete file that is not in the ledger is found; one that is being written, and one that was made in
  /// advance, are not.
  @Test func filesThatTheLedgerDoesNotKnowAreFound() throws {
    let folder = state.spool.appendingPathComponent("00/00")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let sealed = try Data(contentsOf: state.file(instance().spoolPath))
    try sealed.write(to: folder.appendingPathComponent("sealed.dcm"))
    var unsealed = sealed
    for index in 0..<128 { unsealed[index] = 0 }
    try unsealed.write(to: folder.appendingPathComponent("unsealed.dcm"))
    try Data().write(to: folder.appendingPathComponent("empty.dcm"))
    let report = try report()
    #expect(report.findings.map(\.kind) == [.unknownSpoolFile])
    #expect(report.findings.map(\.path) == ["spool/00/00/sealed.dcm"])
    #expect(report.notes.count == 1 && report.notes[0].hasPrefix("1 file of the spool"))
  }

  /// A file that is recorded while the check waits is no finding.
  @Test func aFileThatIsRecordedMeanwhileIsNoFinding() async throws {
    let source = state.file(try instance().spoolPath)
    let path = "spool/00/00/late.dcm"
    try FileManager.default.createDirectory(
      at: state.file("spool/00/00"), withIntermediateDirectories: true)
    try Data(contentsOf: source).write(to: state.file(path))
    let record = try instance()
    let ledger = small.ledger
    let comparison = SpoolComparison(
      state: state, ledger: ledger, comparesHashes: false, patience: .seconds(1))
    let report = try comparison.run { _ in
      // After the spool was listed.
      var late = record
      late.sopInstanceUID = "1.2.3.99"
      late.spoolPath = path
      _ = try? ledger.recordInstance(late)
    }
    #expect(report.unknown == [] && report.lost.isEmpty)
  }

  @Test func filesOfNoResultAreFound() throws {
    let own = try (segmentation().path as NSString).deletingLastPathComponent
    try Data("x".utf8).write(to: state.file("\(own)/left.dcm"))
    try FileManager.default.createDirectory(
      at: state.file("results/99"), withIntermediateDirectories: true)
    try Data("x".utf8).write(to: state.file("results/99/old.dcm"))
    let waiting = try small.ledger.reprocess(series: small.series, job: NewJob(model: "other"))
    try FileManager.default.createDirectory(
      at: state.file("results/\(waiting)"), withIntermediateDirectories: true)
    try Data("x".utf8).write(to: state.file("results/\(waiting)/half.dcm"))
    let report = try report()
    #expect(report.findings.map(\.kind) == [.unknownResultFile, .unknownResultFile])
    #expect(report.findings.map(\.path) == ["\(own)/left.dcm", "results/99/old.dcm"])
    #expect(report.notes.count == 1 && report.notes[0].contains("jobs that have not ended"))
  }

  /// What a person did with `sqlite3`.
  @Test(arguments: [
    ("UPDATE events SET message = 'x' WHERE id = 1", LedgerFinding.Kind.event, "event 1 "),
    (
      "UPDATE jobs SET state = 'running', finished_at = NULL", .state,
      "job 1 is running and has no attempt"
    ),
    (
      "UPDATE jobs SET state = 'discarded', reason = 'x'", .state,
      "job 1 (discarded) is in an unknown state"
    ),
    ("UPDATE jobs SET revision = 77", .state, "job 1 is about more of its series"),
    (
      "DELETE FROM attempts; DELETE FROM result_objects; DELETE FROM results", .state,
      "job 1 is completed and has no result"
    ),
    ("PRAGMA foreign_keys = OFF; DELETE FROM results", .reference, "refers to a row of results"),
    ("UPDATE instances SET revision = 99 WHERE id = 2", .state, "instance "),
  ])
  func whatCannotBeIsFound(sql: String, kind: LedgerFinding.Kind, says: String) throws {
    try small.ledger.commits.withConnection { db in
      for trigger in try String.fetchAll(
        db, sql: "SELECT name FROM sqlite_schema WHERE type = 'trigger'")
      {
        try db.execute(sql: "DROP TRIGGER \(trigger)")
      }
      try db.execute(sql: sql)
    }
    let findings = try report().findings
    #expect(findings.contains { $0.kind == kind && $0.text.contains(says) }, "\(findings)")
  }

  @Test func twoResultsThatCountAreFound() throws {
    var forced = NewJob(model: "untrained-tiny")
    forced.isForced = true
    let second = try small.ledger.reprocess(series: small.series, job: forced)
    _ = try small.ledger.claimJob(id: second)
    try small.ledger.completeJob(
      second, result: JobResult(objects: [], modelVersion: "1", summary: "x"), destinations: [])
    #expect(try report().findings == [])
    try small.ledger.write { try $0.execute(sql: "UPDATE results SET superseded_by = NULL") }
    #expect(try report().findings.map(\.kind) == [.severalResults])
    #expect(try small.ledger.mendResults().count == 1)
    #expect(try report().findings == [])
  }
}
