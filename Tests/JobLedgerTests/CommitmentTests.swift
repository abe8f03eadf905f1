import Foundation
import GRDB
import Testing

@testable import JobLedger

/// Requests for storage commitment, and the way of their reports.
@Suite struct CommitmentTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  init() throws { fixture = try LedgerFixture() }

  private func request(_ uids: String...) throws -> Int64 {
    try ledger.recordCommitment(
      transactionUID: "1.9", callingAETitle: "CT1", peerAddress: "10.0.0.5",
      references: uids.map {
        .init(sopClassUID: "1.2.840.10008.5.1.4.1.1.2", sopInstanceUID: $0)
      })
  }

  @Test func aRequestIsReportedOnceItsObjectsWereLookedAt() throws {
    let id = try request("1.1", "1.2")
    #expect(try ledger.dueCommitments().isEmpty)
    #expect(try ledger.readyCommitment(id) == nil)
    let requested = try #require(try ledger.requestedCommitment())
    #expect(requested.references.map(\.sopInstanceUID) == ["1.1", "1.2"])
    try ledger.recordCommitmentOutcome(id, failureReasons: [nil, 0x0112])
    #expect(try ledger.requestedCommitment() == nil)
    // As another process sees it, after a restart.
    let reopened = try fixture.reopened()
    #expect(try reopened.dueCommitments() == [id])
    let ready = try #require(try reopened.readyCommitment(id))
    #expect(ready.transactionUID == "1.9" && ready.callingAETitle == "CT1")
    #expect(ready.references.map(\.failureReason) == [nil, 0x0112])
    try ledger.markReported(id)
    #expect(try ledger.dueCommitments().isEmpty)
    #expect(try ledger.readyCommitment(id) == nil)
  }

  @Test func aReportThatDoesNotArriveIsTriedAgainAndGivenUpAtLast() throws {
    let id = try request("1.1")
    try ledger.recordCommitmentOutcome(id, failureReasons: [nil])
    let policy = RetryPolicy(firstPause: 5, longestPause: 60, maximumAttempts: 3)
    try ledger.markNotReported(id, error: "no association", policy: policy)
    #expect(try ledger.dueCommitments().isEmpty)
    fixture.clock.advance(6)
    #expect(try ledger.dueCommitments() == [id])
    for _ in 0..<2 {
      try ledger.markNotReported(id, error: "no association", policy: policy)
      fixture.clock.advance(100)
    }
    #expect(try ledger.dueCommitments().isEmpty)
    #expect(try ledger.readyCommitment(id) == nil)
  }

  private func events(_ kind: String) throws -> [JobEvent] {
    try ledger.record(ofStudy: "1.2").events.filter { $0.kind.hasPrefix(kind) }.map {
      JobEvent(at: $0.at, kind: $0.kind, cause: $0.cause, message: $0.message)
    }
  }

  /// Each transition is in the history of the series and of the result that the request names.
  @Test func eachTransitionIsAnEvent() throws {
    let job = try fixture.makeJob()
    _ = try ledger.claimJob(id: job)
    try ledger.completeJob(job, result: .test(job), destinations: [])
    let id = try request("1.2.3.0", "1.2.3.1", "2.25.\(job)", "9.9")
    try ledger.recordCommitmentOutcome(id, failureReasons: [nil, 0x0110, nil, 0x0112])
    for error in ["no association", "no association", "rejected"] {
      try ledger.markNotReported(id, error: error)
    }
    try ledger.markReported(id)
    #expect(
      try events("commitment").map { "\($0.kind) \($0.cause?.rawValue ?? ""): \($0.message)" } == [
        "commitment requested peer: transaction 1.9: CT1 at 10.0.0.5 asks about 2 objects",
        "commitment requested peer: transaction 1.9: CT1 at 10.0.0.5 asks about 1 object",
        "commitment decided program: transaction 1.9: held as sent: 1 of 2 objects",
        "commitment decided program: transaction 1.9: held as sent: 1 of 1 object",
        "commitment not reported fault: transaction 1.9: no association",
        "commitment not reported fault: transaction 1.9: no association",
        "commitment not reported fault: transaction 1.9: rejected",
        "commitment not reported fault: transaction 1.9: rejected",
        "commitment reported peer: transaction 1.9: the peer took the report",
        "commitment reported peer: transaction 1.9: the peer took the report",
      ])
    #expect(try ledger.job(job).events.count { $0.kind.hasPrefix("commitment") } == 5)
    #expect(try ledger.checkEvents().findings == [])
  }

  /// Of what is not here at all, and of a report that is given up.
  @Test func aRequestAboutNothingThatIsHereIsAnEventToo() throws {
    let id = try request("9.9")
    try ledger.recordCommitmentOutcome(id, failureReasons: [0x0112])
    try ledger.markNotReported(
      id, error: "x", policy: RetryPolicy(firstPause: 1, longestPause: 1, maximumAttempts: 1))
    let messages = try ledger.read { db in
      try String.fetchAll(
        db,
        sql: "SELECT kind || ': ' || message FROM events WHERE kind LIKE 'commitment%' ORDER BY id")
    }
    #expect(
      messages == [
        "commitment requested: transaction 1.9: CT1 at 10.0.0.5 asks about 1 object",
        "commitment decided: transaction 1.9: held as sent: 0 of 1 object",
        "commitment given up: transaction 1.9: the report did not arrive in 1 attempt, at last: x",
      ])
  }

  /// A request can go from one state to those alone that `CommitmentState` has; any other change is an error, and
  /// changes nothing.
  @Test func anIllegalTransitionIsAnError() throws {
    let once = RetryPolicy(firstPause: 1, longestPause: 1, maximumAttempts: 1)
    let changes: [(CommitmentState, (Int64) throws -> Void)] = [
      (.ready, { try ledger.recordCommitmentOutcome($0, failureReasons: [nil]) }),
      (.reported, { try ledger.markReported($0) }),
      (.discarded, { try ledger.markNotReported($0, error: "x", policy: once) }),
    ]
    for start in CommitmentState.allCases {
      for (next, change) in changes {
        let id = try request("1.1")
        if start != .requested { try ledger.recordCommitmentOutcome(id, failureReasons: [nil]) }
        if start == .reported { try ledger.markReported(id) }
        if start == .discarded { try ledger.markNotReported(id, error: "x", policy: once) }
        let events = try ledger.checkEvents().events
        if start.next.contains(next) {
          try change(id)
          #expect(try ledger.checkEvents().events == events + 1)
        } else {
          #expect(
            throws: LedgerError.wrongCommitmentState(
              request: id, state: start.rawValue, next: next)
          ) { try change(id) }
          #expect(try ledger.checkEvents().events == events)
        }
      }
    }
    #expect(throws: LedgerError.wrongCommitmentState(request: 99, state: nil, next: .reported)) {
      try ledger.markReported(99)
    }
  }

  @Test func theSeriesOfAnInstanceIsKnown() throws {
    try fixture.receive(.test(1))
    #expect(try ledger.series(ofInstance: "1.2.3.1") == ["1.2.3"])
    #expect(try ledger.series(ofInstance: "1.2.3.2").isEmpty)
  }
}
