import Foundation
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

  @Test func theSeriesOfAnInstanceIsKnown() throws {
    try fixture.receive(.test(1))
    #expect(try ledger.series(ofInstance: "1.2.3.1") == ["1.2.3"])
    #expect(try ledger.series(ofInstance: "1.2.3.2").isEmpty)
  }
}
