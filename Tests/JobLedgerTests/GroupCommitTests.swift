import Foundation
import GRDB
import Synchronization
import TestSupport
import Testing

@testable import JobLedger

/// Changes of many threads share transactions, and each is made or fails by itself.
@Suite struct GroupCommitTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  init() throws { fixture = try LedgerFixture() }

  /// Has every change that `body` submits in the next transaction, as if the disk were slow.
  private func together(_ body: () throws -> Void) throws {
    let isBlocked = DispatchSemaphore(value: 0)
    let mayContinue = DispatchSemaphore(value: 0)
    let blocking = ledger.submit(patience: .seconds(30)) { _ in
      isBlocked.signal()
      mayContinue.wait()
    }
    isBlocked.wait()
    defer { mayContinue.signal() }
    try body()
    mayContinue.signal()
    try blocking.wait()
  }

  @Test func oneTransactionTakesAllThatWait() throws {
    let commits = CommitCounter()
    try ledger.commits.withConnection { db in
      db.add(transactionObserver: commits, extent: .databaseLifetime)
    }
    var pending: [PendingCommit<InstanceOutcome>] = []
    try together {
      pending = (0..<50).map { ledger.beginRecording(.test($0)) }
      let recorded = try ledger.instances(series: "1.2.3").all
      #expect(recorded.isEmpty)
    }
    for commit in pending { #expect(try commit.wait() == .added) }
    // The one that made them wait, and theirs.
    #expect(commits.count == 2)
    let recorded = try ledger.instances(series: "1.2.3").current.map(\.sopInstanceUID)
    #expect(recorded == (0..<50).map { "1.2.3.\($0)" })
  }

  @Test func aFaultyRecordFailsAlone() throws {
    var pending: [PendingCommit<InstanceOutcome>] = []
    try together {
      pending = (0..<20).map { number in
        var record = InstanceRecord.test(number)
        if number % 7 == 3 { record.contentHash = "no hash" }
        return ledger.beginRecording(record)
      }
    }
    var failed: [Int] = []
    for (number, commit) in pending.enumerated() {
      do { _ = try commit.wait() } catch {
        guard case .failed = error else { throw error }
        failed.append(number)
      }
    }
    #expect(failed == [3, 10, 17])
    #expect(try ledger.instances(series: "1.2.3").all.count == 17)
    // Nothing of the faulty ones is left: not even the series' revision counts them.
    #expect(try ledger.seriesDue(quietPeriod: 0).map(\.revision) == [17])
  }

  /// Of a transaction that is too large for the disk, what there is space for is kept.
  @Test func onlyWhatFindsNoSpaceFails() throws {
    try fixture.receive(.test(0))
    try ledger.write { db in
      let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
      try db.execute(sql: "PRAGMA max_page_count = \(pages + 30)")
    }
    var small: [PendingCommit<InstanceOutcome>] = []
    var large: PendingCommit<Void>?
    try together {
      small = (1...5).map { ledger.beginRecording(.test($0)) }
      large = ledger.submit(patience: .seconds(30)) { [ledger] db in
        try ledger.event(db, "test", by: .program, String(repeating: "x", count: 1 << 20))
      }
      small += (6...10).map { ledger.beginRecording(.test($0)) }
    }
    for commit in small { #expect(try commit.wait() == .added) }
    let error = #expect(throws: LedgerError.self) { try large?.wait() }
    guard case .unavailable(_, let reason)? = error else { throw try #require(error) }
    #expect(reason.hasPrefix("no space left on device"))
    #expect(try ledger.instances(series: "1.2.3").all.count == 11)
    try ledger.checkIntegrity()
  }

  /// Nobody waits for the patience of another besides his own. A busy machine may be slower, now and then; one after
  /// the other they would never take less than 3.2 seconds.
  @Test func aLockedLedgerIsReportedToEachInTime() throws {
    try fixture.receive(.test(0))
    let other = try DatabaseQueue(path: fixture.path)
    try other.inDatabase { db in
      try db.execute(sql: "BEGIN IMMEDIATE")
      var longest = TimeInterval.infinity
      for _ in 1...50 where longest >= 3 {
        let waits = waitsForLock()
        #expect(waits.count == 8 && waits.allSatisfy { $0 >= 0.39 }, "\(waits)")
        longest = waits.max() ?? .infinity
      }
      #expect(longest < 3)
      try db.execute(sql: "COMMIT")
    }
    #expect(try ledger.recordInstance(.test(1)) == .added)
  }

  /// How long eight threads wait for a change of theirs in a locked ledger, each with a patience of 0.4 seconds.
  private func waitsForLock() -> [TimeInterval] {
    let waits = Mutex<[TimeInterval]>([])
    onThreads(8) { number in
      usleep(UInt32(number) * 60_000)
      let start = Date()
      let commit = ledger.submit(patience: .milliseconds(400)) { _ in }
      do throws(LedgerError) {
        try commit.wait()
        Issue.record("a change was made in a locked ledger")
      } catch {
        guard case .unavailable(_, let reason) = error else {
          Issue.record(error)
          return
        }
        #expect(reason.hasPrefix("another process has locked it"))
      }
      waits.withLock { $0.append(Date().timeIntervalSince(start)) }
    }
    return waits.withLock { $0 }
  }

  /// As the first changes after the start are, for which nobody who sends an image can wait.
  @Test func aPatientChangeHoldsUpNobody() throws {
    try fixture.receive(.test(0))
    let other = try DatabaseQueue(path: fixture.path)
    var patient: PendingCommit<Void>?
    try other.inDatabase { db in
      try db.execute(sql: "BEGIN IMMEDIATE")
      patient = ledger.submit(patience: .seconds(600)) { _ in }
      usleep(100_000)
      let hasty = ledger.submit(patience: .milliseconds(200)) { _ in }
      #expect(throws: LedgerError.self) { try hasty.wait() }
      try db.execute(sql: "COMMIT")
    }
    // It had time, and waited for the lock.
    try patient?.wait()
  }

  @Test func manyThreadsRecordEverythingOnce() throws {
    let outcomes = Mutex<[InstanceOutcome]>([])
    onThreads(20) { thread in
      for number in thread * 20..<thread * 20 + 20 {
        do {
          let outcome = try ledger.recordInstance(
            .test(number % 300, series: "1.2.\(number % 3)"))
          outcomes.withLock { $0.append(outcome) }
        } catch {
          Issue.record(error)
        }
      }
    }
    #expect(outcomes.withLock { $0.filter { $0 == .added }.count } == 300)
    #expect(outcomes.withLock { $0.filter { $0 == .identical }.count } == 100)
    for series in 0..<3 {
      let all = try ledger.instances(series: "1.2.\(series)").all
      #expect(Set(all.map(\.sopInstanceUID)).count == 100 && all.count == 100)
    }
  }

  @Test func aQueryDoesNotWaitForWhatIsBeingWritten() throws {
    try fixture.receive(.test(0))
    try together {
      let recorded = try ledger.instances(series: "1.2.3").all
      #expect(recorded.count == 1)
      try ledger.checkIntegrity()
    }
  }
}

private final class CommitCounter: TransactionObserver, Sendable {
  private let commits = Mutex(0)
  var count: Int { commits.withLock { $0 } }

  func observes(eventsOfKind eventKind: DatabaseEventKind) -> Bool { false }
  func databaseDidChange(with event: DatabaseEvent) {}
  func databaseDidCommit(_ db: Database) { commits.withLock { $0 += 1 } }
  func databaseDidRollback(_ db: Database) {}
}
