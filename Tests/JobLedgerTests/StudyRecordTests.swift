import Cryptography
import Foundation
import GRDB
import TestSupport
import Testing

@testable import JobLedger

/// What the ledger tells of a study.
@Suite struct StudyRecordTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  init() throws { fixture = try LedgerFixture() }

  @Test func everyQueryReadsByAnIndex() throws {
    for query in StudyQueries.all {
      let steps = try ledger.read { db in
        try Row.fetchAll(
          db, sql: "EXPLAIN QUERY PLAN \(query)",
          arguments: StatementArguments(
            [String](
              repeating: "1", count: query.contains("?2") ? 2 : query.contains("?") ? 1 : 0))
        ).map { $0["detail"] as String }
      }
      #expect(!steps.isEmpty)
      // A scan of what another step of the same query has gathered is none of a table.
      let scans = steps.filter { $0.hasPrefix("SCAN") && !$0.contains("subquery") }
      #expect(scans.isEmpty, "\(query): \(steps)")
    }
  }

  @Test func jobsOfAStudyAreReadByAnIndex() throws {
    let steps = try ledger.read { db in
      try Row.fetchAll(
        db,
        sql: """
          EXPLAIN QUERY PLAN SELECT jobs.id FROM jobs JOIN series USING (series_uid)
          WHERE series.study_uid = '1' ORDER BY jobs.id
          """
      ).map { $0["detail"] as String }
    }
    #expect(steps.allSatisfy { !$0.hasPrefix("SCAN") }, "\(steps)")
  }

  @Test func everythingOfAStudyIsInItsRecord() throws {
    let association = fixture.association()
    try fixture.receive(1...3, over: association)
    try ledger.recordRefusal(.test(4), association: association)
    try ledger.recordRefusal(
      .test(nil, series: nil, source: .watch, file: "/in/DOE^JANE.dcm"))
    try ledger.endAssociation(association, .released)
    // Another study is none of it.
    _ = try ledger.recordInstance(.test(1, series: "5.5", study: "5"))
    let id = try ledger.recordCommitment(
      transactionUID: "2.25.9", callingAETitle: "ARCHIVE", peerAddress: "10.0.0.9",
      references: (1...2).map {
        .init(sopClassUID: "1.2.840.10008.5.1.4.1.1.2", sopInstanceUID: "1.2.3.\($0)")
      } + [.init(sopClassUID: "1.2.840.10008.5.1.4.1.1.2", sopInstanceUID: "5.5.1")])
    #expect(id == 1)
    #expect(try fixture.assembleDue() == ["held", "available"])
    let verdict = SeriesVerdict(seriesInstanceUID: "1.2.3", kind: .accepted, reasons: [])
    let job = try ledger.reprocess(series: "1.2.3", job: .test())
    _ = try ledger.claimJob(id: job)
    try ledger.completeJob(
      job, result: .test(job), destinations: ["pacs"], verdicts: [verdict],
      run: JobRun(seconds: ["network": 1.23456, "total": 2], predictedMemory: 10, peakMemory: 9))
    let delivery = try #require(try ledger.claimDelivery())
    try ledger.markDeliveryFailed(delivery, .unreachable, error: "no answer")

    let record = try ledger.record(ofStudy: "1.2")
    let series = try #require(record.series.first)
    #expect(record.series.count == 1 && series.instances == 3 && series.isAssembled)
    #expect(series.isHeldAsIncomplete && series.associations.map(\.refused) == [1])
    #expect(series.arrivals.map(\.instances) == [3] && series.arrivals[0].byteCount == 3000)
    #expect(series.verdicts.map(\.job) == [job])
    #expect(record.jobs.map(\.job.state) == ["held", "completed"])
    let attempt = try #require(record.jobs[1].attempts.first)
    #expect(attempt.seconds == ["network": 1.235, "total": 2])
    #expect(attempt.predictedMemory == 10 && attempt.peakMemory == 9)
    #expect(record.jobs[1].waitingDeliveries.map(\.lastError) == ["no answer"])
    #expect(record.refusals.map(\.instance.sopInstanceUID) == ["1.2.3.4", nil])
    let hashed = hashedFileName("/in/DOE^JANE.dcm")
    #expect(record.refusals.compactMap(\.instance.file) == [hashed])
    #expect(record.events.contains { $0.message.hasPrefix("\(hashed) refused") })
    #expect(record.events.allSatisfy { !$0.message.contains("DOE") })
    let named = try ledger.jobs().flatMap(\.refusedInstances).compactMap(\.instance.file)
    #expect(named == ["/in/DOE^JANE.dcm"])
    let jobs = record.jobs.map(\.job) + (try ledger.studies(limit: 10)).flatMap(\.jobs)
    let listed = jobs.flatMap(\.refusedInstances).compactMap(\.instance.file)
    #expect(!listed.isEmpty && listed.allSatisfy { $0 == hashed })
    #expect(record.commitments.map(\.references) == [2])
    #expect(record.events.map(\.kind).contains("not delivered"))
    #expect(record.events.allSatisfy { $0.seriesInstanceUID != "5.5" })
    #expect(try ledger.job(job).attempts.first?.peakMemory == 9)
    let coded = try JSONEncoder().encode(record)
    #expect(try JSONDecoder().decode(StudyRecord.self, from: coded) == record)

    #expect(try ledger.record(ofStudy: "1.2", only: "1.2.3").jobs.count == 2)
    #expect(throws: LedgerError.unknownStudy("9")) { try ledger.record(ofStudy: "9") }
    #expect(throws: LedgerError.unknownSeries(series: "5.5", study: "1.2")) {
      try ledger.record(ofStudy: "1.2", only: "5.5")
    }
  }

  /// A copy in a folder that cannot be written, without the files beside it.
  @Test(arguments: [false, true]) func aLedgerIsReadWhereNothingCanBeWritten(isOpen: Bool) throws {
    let folder = try TemporaryFolder()
    let path = folder.path("a ledger?.sqlite")
    var writer: Ledger? = try Ledger(path: path)
    _ = try writer?.recordInstance(.test(1))
    if !isOpen { writer = nil }
    let before = try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
    let reader = try Ledger(reading: path)
    #expect(try reader.record(ofStudy: "1.2").series.map(\.instances) == [1])
    #expect(throws: LedgerError.self) { try reader.recordInstance(.test(2)) }
    #expect(try reader.record(ofStudy: "1.2").series.map(\.instances) == [1])
    if isOpen {
      _ = try writer?.recordInstance(.test(2))
      #expect(try reader.record(ofStudy: "1.2").series.map(\.instances) == [2])
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() == before)
    }
  }

  @Test func anotherVersionIsNotRead() throws {
    let folder = try TemporaryFolder()
    #expect(throws: LedgerError.self) { try Ledger(reading: folder.path("none.sqlite")) }
    let path = folder.path("old.sqlite")
    _ = try Ledger(path: path, version: 4)
    let error = #expect(throws: LedgerError.self) { try Ledger(reading: path) }
    #expect(error?.description.contains("older segmentd") == true)
    _ = try Ledger(path: path)
    #expect(throws: LedgerError.unknownStudy("1")) {
      try Ledger(reading: path).record(ofStudy: "1")
    }
  }
}
