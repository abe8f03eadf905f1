import Foundation
import TestSupport
import Testing

@testable import JobLedger

/// The verdict of the geometry gate, written with the change of state that it causes.
@Suite struct VerdictTests {
  private func verdict(_ kind: SeriesVerdict.Kind, _ reasons: String..., series: String = "1.2.3")
    -> SeriesVerdict
  {
    SeriesVerdict(
      seriesInstanceUID: series, kind: kind, reasons: reasons,
      volumes: [.init(dims: [4, 5, 3], splitBy: ["EchoTime": "4.6"], images: 3)])
  }

  /// A series with a job whose verdict was written when it was assembled.
  private func assemble(
    _ fixture: LedgerFixture, _ verdict: SeriesVerdict?, instances: Range<Int> = 0..<3,
    start: NewJob.Start = .available
  ) throws -> Int64 {
    for number in instances { try fixture.receive(.test(number)) }
    fixture.clock.advance(60)
    let due = try #require(try fixture.ledger.seriesDue(quietPeriod: 30).first)
    try fixture.ledger.assembleSeries(due, jobs: [.test(start: start)], verdict: verdict)
    return try #require(try fixture.ledger.jobs().last).id
  }

  @Test(arguments: [SeriesVerdict.Kind.accepted, .repaired, .held])
  func everySeriesThatIsAssembledHasItsVerdict(kind: SeriesVerdict.Kind) throws {
    let fixture = try LedgerFixture()
    let assessed = verdict(kind, "tilted by 15.0 degrees", "the series holds 2 volumes")
    let job = try assemble(fixture, assessed)
    // As the next process finds it.
    let next = try fixture.reopened()
    try next.rescue()
    let detail = try next.job(job)
    #expect(detail.job.verdict == kind)
    #expect(detail.job.verdictReasons == assessed.reasons)
    #expect(detail.job.volumes == assessed.volumes)
    #expect(detail.events.map(\.kind) == ["created", "assessed"])
    #expect(
      detail.events.last?.message
        == "\(kind): tilted by 15.0 degrees; the series holds 2 volumes")
    let recorded = try #require(try next.verdicts(series: "1.2.3").first)
    #expect(recorded.verdict == assessed && recorded.revision == 3 && recorded.job == nil)
  }

  @Test func aSeriesThatIsHeldAtOnceHasItsVerdictToo() throws {
    let fixture = try LedgerFixture()
    let job = try assemble(
      fixture, verdict(.held, "slices are missing"), start: .held(reason: "no rule"))
    let detail = try fixture.ledger.job(job)
    #expect(detail.job.state == "held" && detail.job.verdict == .held)
    #expect(detail.events.map(\.kind) == ["held", "assessed"])
  }

  @Test func theVerdictOfAJobIsWrittenWithItsEnd() throws {
    let fixture = try LedgerFixture()
    let first = try assemble(fixture, verdict(.accepted))
    _ = try fixture.ledger.claimJob()
    let assessed = verdict(.held, "the pixel data is cut short")
    try fixture.ledger.holdJob(first, reason: "cut short", verdicts: [assessed])
    let detail = try fixture.ledger.job(first)
    #expect(detail.job.verdict == .held && detail.job.verdictReasons == assessed.reasons)
    #expect(detail.events.map(\.kind) == ["created", "assessed", "started", "assessed", "held"])
    #expect(detail.events.map(\.cause) == [.rule, .rule, .program, .rule, .rule])

    // Reprocessed: the verdict of the assembly until the new job has its own.
    let second = try fixture.ledger.reprocess(series: "1.2.3", job: .test())
    #expect(try fixture.ledger.job(second).job.verdict == .accepted)
    _ = try fixture.ledger.claimJob()
    try fixture.ledger.completeJob(
      second, result: .test(second), destinations: [], verdicts: [verdict(.repaired, "mended")])
    #expect(try fixture.ledger.job(second).job.verdict == .repaired)
    #expect(try fixture.ledger.job(first).job.verdict == .held)
    let history = try fixture.ledger.verdicts(series: "1.2.3")
    #expect(history.map(\.verdict.kind) == [.accepted, .held, .repaired])
    #expect(history.map(\.job) == [nil, first, second])
  }

  /// Either both are written or none.
  @Test func aVerdictThatCannotBeWrittenLeavesTheJobAsItIs() throws {
    let fixture = try LedgerFixture()
    let job = try assemble(fixture, verdict(.accepted))
    _ = try fixture.ledger.claimJob()
    let before = try fixture.ledger.job(job)
    let unrelated = verdict(.held, "why", series: "9.9")
    #expect(throws: LedgerError.unknownSeries(series: "9.9", study: nil)) {
      try fixture.ledger.holdJob(job, reason: "held", verdicts: [verdict(.held, "why"), unrelated])
    }
    #expect(throws: LedgerError.unknownSeries(series: "9.9", study: nil)) {
      try fixture.ledger.completeJob(
        job, result: .test(job), destinations: ["pacs"], verdicts: [unrelated])
    }
    #expect(try fixture.ledger.job(job) == before)
    #expect(try fixture.ledger.verdicts(series: "1.2.3").count == 1)
    #expect(try fixture.ledger.claimDelivery() == nil)
  }

  /// The verdict is on what had come: a slice that comes later makes another one.
  @Test func aLateSliceIsAssessedAgain() throws {
    let fixture = try LedgerFixture()
    let first = try assemble(fixture, verdict(.held, "slices are missing"))
    let second = try assemble(fixture, verdict(.accepted), instances: 3..<4)
    #expect(try fixture.ledger.job(first).job.verdict == .held)
    #expect(try fixture.ledger.job(second).job.verdict == .accepted)
    #expect(try fixture.ledger.verdicts(series: "1.2.3").map(\.revision) == [3, 4])
  }

  @Test func theSeriesOfEachChannelIsAssessed() throws {
    let fixture = try LedgerFixture()
    try fixture.receive(.test(1, series: "1.2.4"))
    for number in 0..<2 { try fixture.receive(.test(number)) }
    var new = NewJob.test()
    new.inputs = ["1.2.3", "1.2.4"].map { .init(channel: $0, seriesInstanceUID: $0) }
    let job = try fixture.ledger.reprocess(series: "1.2.3", job: new)
    _ = try fixture.ledger.claimJob(id: 1)
    try fixture.ledger.holdJob(
      job, reason: "x",
      verdicts: [verdict(.accepted), verdict(.repaired, "mended", series: "1.2.4")])
    let detail = try fixture.ledger.job(job)
    #expect(detail.job.verdict == .accepted)
    #expect(detail.events.map(\.message).contains("repaired: mended"))
    let channel = try #require(try fixture.ledger.verdicts(series: "1.2.4").first)
    #expect(channel.revision == 1 && channel.job == job)
  }

  @Test(arguments: [
    "UPDATE verdicts SET verdict = 'accepted'", "DELETE FROM verdicts",
    "INSERT INTO verdicts SELECT 9, '9.9', 1, NULL, at, verdict, reasons, volumes FROM verdicts",
    "INSERT INTO verdicts SELECT 9, series_uid, 1, NULL, at, 'good', reasons, volumes FROM verdicts",
  ])
  func theFileRefuses(statement: String) throws {
    let fixture = try LedgerFixture()
    _ = try assemble(fixture, verdict(.held, "slices are missing"))
    #expect(throws: LedgerError.self) {
      try fixture.ledger.write { db in try db.execute(sql: statement) }
    }
  }

  /// A ledger of the version before verdicts, with jobs in it.
  @Test func aLedgerWithoutVerdictsIsBroughtUpToDate() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    do {
      try Ledger(path: path, version: 2).write { db in
        try db.execute(
          sql: """
            INSERT INTO studies VALUES ('1.2', 1.0);
            INSERT INTO series VALUES ('1.2.3', '1.2', 'CT', 1, 1, 1.0);
            INSERT INTO instances VALUES (1, '1.2.3.1', '1.2.3', 1, '1.2.840', '1.2', 'spool/a.dcm',
              9, '\(String(repeating: "a", count: 64))', 'listener', NULL, 1.0);
            INSERT INTO jobs (series_uid, revision, model, result_series_uid, result_sop_uid, state,
              created_at, scheduled_at, finished_at, reason)
              VALUES ('1.2.3', 1, 'm', '2.25.1', '2.25.2', 'held', 1.0, 1.0, 2.0, 'missing'),
                ('1.2.3', 1, 'n', '2.25.3', '2.25.4', 'available', 1.0, 1.0, NULL, NULL);
            """)
      }
    }
    let ledger = try Ledger(path: path)
    try ledger.checkIntegrity()
    let jobs = try ledger.jobs()
    #expect(jobs.map(\.state) == ["held", "available"])
    #expect(jobs.map(\.reason) == ["missing", nil])
    // They were never assessed, and no verdict is made up.
    #expect(jobs.map(\.verdict) == [nil, nil])
    let job = try #require(try ledger.claimJob())
    try ledger.completeJob(
      job.id, result: .test(job.id), destinations: [], verdicts: [verdict(.repaired, "mended")])
    #expect(try ledger.jobs().map(\.verdict) == [nil, .repaired])
    #expect(try Ledger(path: path).jobs().map(\.verdict) == [nil, .repaired])
  }
}
