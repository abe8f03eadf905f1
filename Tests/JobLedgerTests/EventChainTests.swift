import Foundation
import GRDB
import TestSupport
import Testing

@testable import JobLedger

/// The history of a ledger cannot be changed unnoticed.
@Suite struct EventChainTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  init() throws { fixture = try LedgerFixture() }

  /// A ledger with eleven events of all sorts.
  private func write() throws {
    let job = try fixture.makeJob()
    _ = try ledger.claimJob()
    try ledger.failJob(job, reason: "no memory for the network", policy: .jobs)
    fixture.clock.advance(60.125)
    _ = try ledger.claimJob()
    try ledger.completeJob(job, result: .test(job), destinations: ["pacs"])
    let delivery = try #require(try ledger.claimDelivery())
    try ledger.markDelivered(delivery, warning: "wärning \u{1F600} \0 'quoted'")
    let second = try ledger.reprocess(series: "1.2.3", job: .test())
    try ledger.cancelJob(second, reason: "not wanted")
    try ledger.recordRefusal(.test(9))
  }

  /// Does what the triggers forbid, as a person with `sqlite3` may.
  private func tamper(_ sql: String) throws {
    try ledger.write { db in
      for trigger in try String.fetchAll(
        db, sql: "SELECT name FROM sqlite_schema WHERE type = 'trigger'")
      {
        try db.execute(sql: "DROP TRIGGER \(trigger)")
      }
      try db.execute(sql: sql)
    }
  }

  @Test func aHistoryIsWholeAndEveryEventHasACause() throws {
    try write()
    let report = try ledger.checkEvents()
    #expect(report.findings == [] && report.findingCount == 0)
    #expect(report.events == 11 && report.head.event == 11)
    #expect(report.head.sha256.count == 64)
    let causes = try ledger.read {
      try String?.fetchAll($0, sql: "SELECT kind || ' ' || cause FROM events ORDER BY id")
    }
    #expect(
      causes == [
        "created rule", "started program", "retryable fault", "started program",
        "completed program", "delivery waiting rule", "sending program", "delivered peer",
        "created person", "cancelled person", "refused peer",
      ])
    // The same through another connection.
    #expect(try fixture.reopened().checkEvents() == report)
    #expect(try Ledger(reading: fixture.path).checkEvents() == report)
  }

  @Test(arguments: [
    ("UPDATE events SET message = 'x' WHERE id = 4", "event 4 (started) was changed"),
    ("UPDATE events SET at = at + 0.5 WHERE id = 2", "event 2 (started) was changed"),
    ("UPDATE events SET cause = NULL WHERE id = 1", "event 1 (created) was changed"),
    ("UPDATE events SET job_id = 2 WHERE id = 3", "event 3 (retryable) was changed"),
    ("UPDATE events SET hash = zeroblob(32) WHERE id = 11", "event 11 (refused) was changed"),
    ("DELETE FROM events WHERE id = 5", "event 5 is missing"),
    ("DELETE FROM events WHERE id IN (1, 2)", "events 1 to 2 are missing"),
    ("DELETE FROM events WHERE id = 11", "event 11, the last, is missing"),
    ("DELETE FROM events WHERE id > 6", "events 7 to 11, the last ones, are missing"),
    ("DELETE FROM events", "events 1 to 11, the last ones, are missing"),
    ("DELETE FROM event_head", "the head of the chain of events is gone"),
    (
      "INSERT INTO events SELECT 12, at, kind, series_uid, job_id, cause, message, hash FROM events WHERE id = 11",
      "event 12 (refused) was changed, or is not the one that followed event 11"
    ),
    (
      """
      DELETE FROM events WHERE id = 5;
      UPDATE events SET id = id - 1 WHERE id > 5;
      """, "event 5 (delivery waiting) was changed, or is not the one that followed event 4"
    ),
    (
      """
      UPDATE events SET id = 100 WHERE id = 3;
      UPDATE events SET id = 3 WHERE id = 4;
      UPDATE events SET id = 4 WHERE id = 100;
      """, "event 3 (started) was changed"
    ),
  ])
  func whatWasDoneToItIsFound(sql: String, says: String) throws {
    try write()
    try tamper(sql)
    let report = try ledger.checkEvents()
    #expect(report.findings.contains { $0.hasPrefix(says) }, "\(report.findings)")
  }

  /// Columns are not run together: what one loses and the next gains makes another hash.
  @Test func everyColumnHasItsPlace() {
    let hash = { (series: String?, job: Int64?, message: String) in
      EventColumns(
        id: 1, at: 0, kind: "k", series: series, job: job, cause: nil, message: message
      ).hash(after: EventColumns.start)
    }
    let hashes = [
      hash("12", nil, "3"), hash("1", nil, "23"), hash(nil, nil, "123"), hash("", nil, "123"),
      hash(nil, 12, "3"), hash(nil, 0, "3"), hash(nil, nil, "3"),
    ]
    #expect(Set(hashes).count == hashes.count)
  }

  @Test(arguments: [
    "UPDATE events SET message = 'x'", "DELETE FROM events WHERE id = 1", "DELETE FROM events",
    "INSERT INTO events SELECT 100, at, kind, series_uid, job_id, cause, message, hash FROM events WHERE id = 1",
    "INSERT OR REPLACE INTO events SELECT 1, at, 'x', series_uid, job_id, cause, message, hash FROM events WHERE id = 2",
    "UPDATE event_head SET event_id = 3", "DELETE FROM event_head",
    "INSERT INTO event_anchors SELECT 2, zeroblob(32), 0, 'x'",
    "INSERT INTO event_anchors SELECT 77, hash, 0, 'x' FROM events WHERE id = 2",
  ])
  func theTablesRefuse(statement: String) throws {
    try write()
    #expect(throws: LedgerError.self) { try ledger.write { try $0.execute(sql: statement) } }
    #expect(try ledger.checkEvents().findings == [])
  }

  @Test func theOldestAreRemovedWithAnAnchorAlone() throws {
    try write()
    let whole = try ledger.checkEvents()
    let removed = try ledger.write {
      try ledger.removeEvents(upTo: 4, reason: "older than a year", $0)
    }
    #expect(removed == 4)
    var report = try ledger.checkEvents()
    #expect(report.findings == [] && report.events == 7 && report.head == whole.head)
    #expect(report.removals.map(\.upTo.event) == [4])
    #expect(report.removals.map(\.reason) == ["older than a year"])
    // What follows is guarded as before.
    for statement in [
      "DELETE FROM events WHERE id = 5", "DELETE FROM event_anchors",
      "UPDATE event_anchors SET event_id = 6",
    ] {
      #expect(throws: LedgerError.self) { try ledger.write { try $0.execute(sql: statement) } }
    }
    _ = try ledger.write { try ledger.removeEvents(upTo: 11, reason: "older than a year", $0) }
    _ = try ledger.reprocess(series: "1.2.3", job: .test())
    report = try ledger.checkEvents()
    #expect(report.findings == [] && report.events == 1 && report.head.event == 12)
    #expect(report.removals.map(\.upTo.event) == [4, 11])
  }

  @Test func anAnchorWithoutItsRemovalIsFound() throws {
    try write()
    try tamper(
      "INSERT INTO event_anchors SELECT id, hash, 0, 'x' FROM events WHERE id = 2")
    #expect(
      try ledger.checkEvents().findings.map { $0.prefix(17) }
        == ["event 1 (created)", "event 2 (started)"])
  }

  /// A chain that was made anew from the first event on is whole; a mark that was noted tells.
  @Test func aMarkThatWasNotedIsLookedFor() throws {
    try write()
    let noted = try ledger.checkEvents().head
    _ = try ledger.reprocess(series: "1.2.3", job: .test())
    #expect(try ledger.checkEvents(mark: noted).findings == [])
    let other = EventMark(event: noted.event, sha256: String(repeating: "0", count: 64))
    #expect(
      try ledger.checkEvents(mark: other).findings == [
        "event 11 is not the one that was noted elsewhere, or is missing"
      ])
    let later = EventMark(event: 99, sha256: noted.sha256)
    #expect(try ledger.checkEvents(mark: later).findingCount == 1)
  }

  /// Several processes write in turns: each reads the head in its own transaction.
  @Test func severalConnectionsWriteOneChain() throws {
    try write()
    let others = try (0..<4).map { _ in try fixture.reopened() }
    onThreads(4) { number in
      for _ in 0..<25 {
        do { _ = try others[number].reprocess(series: "1.2.3", job: .test()) } catch {
          Issue.record(error)
        }
      }
    }
    let report = try ledger.checkEvents()
    #expect(report.findings == [] && report.events == 111)
  }

  /// A change of a shared transaction that is undone leaves no gap.
  @Test func aChangeThatFailsLeavesNoEvent() throws {
    try write()
    struct Failure: Error {}
    let pending = (0..<20).map { number in
      ledger.submit(patience: .seconds(30)) { [ledger] db in
        try ledger.event(db, "test", by: .program, "\(number)")
        if number % 3 == 0 { throw Failure() }
      }
    }
    let failed = pending.count { commit in
      do { try commit.wait() } catch { return true }
      return false
    }
    #expect(failed == 7)
    let report = try ledger.checkEvents()
    #expect(report.findings == [] && report.events == 11 + 13)
  }

  /// Events of a ledger from before are chained as they are.
  @Test func aMigrationChainsWhatIsThere() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    let before = Schema.migrations.firstIndex(of: Schema.eventChain) ?? 0
    try Ledger(path: path, version: before).write { db in
      try db.execute(
        sql: """
          INSERT INTO events (at, kind, series_uid, job_id, message) VALUES
            (1.5, 'created', '1.2.3', 1, 'job for model m'), (2, 'receiver', NULL, NULL, 'it crashed'),
            (1e9, 'delivered', NULL, 7, 'to pacs: wärning');
          """)
    }
    let ledger = try Ledger(path: path)
    let report = try ledger.checkEvents()
    #expect(report.findings == [] && report.events == 3 && report.head.event == 3)
    let rows = try ledger.read {
      try Row.fetchAll($0, sql: "SELECT at, kind, series_uid, job_id, cause, message FROM events")
    }
    #expect(
      rows == [
        [
          "at": 1.5, "kind": "created", "series_uid": "1.2.3", "job_id": 1, "cause": nil,
          "message": "job for model m",
        ],
        [
          "at": 2.0, "kind": "receiver", "series_uid": nil, "job_id": nil, "cause": nil,
          "message": "it crashed",
        ],
        [
          "at": 1e9, "kind": "delivered", "series_uid": nil, "job_id": 7, "cause": nil,
          "message": "to pacs: wärning",
        ],
      ])
    #expect(throws: LedgerError.self) {
      try ledger.write { try $0.execute(sql: "DELETE FROM events WHERE id = 1") }
    }
  }

  /// One that has no events yet begins its chain.
  @Test func aNewLedgerBeginsItsChain() throws {
    #expect(try ledger.checkEvents().findings == [])
    #expect(try ledger.checkEvents().events == 0)
    try ledger.write { try ledger.event($0, "test", by: .program, "first") }
    #expect(try ledger.checkEvents().head.event == 1)
  }
}
