import Foundation
import TestSupport
import Testing

@testable import JobLedger

/// Optional objects that a destination does not take.
@Suite struct DeclinedObjectTests {
  private let fixture: LedgerFixture
  private let job: Int64
  private var ledger: Ledger { fixture.ledger }

  /// A result of a segmentation, a label map and a structure set.
  init() throws {
    fixture = try LedgerFixture()
    job = try fixture.makeJob()
    _ = try fixture.ledger.claimJob(id: job)
    var result = JobResult.ofObjects(3)
    result.objects[1].kind = .labelmap
    result.objects[2].kind = .rtstruct
    try fixture.ledger.completeJob(job, result: result, destinations: ["pacs"])
  }

  private func row(_ ledger: Ledger? = nil) throws -> JobSummary.Delivery {
    try #require(try (ledger ?? self.ledger).job(job).job.deliveries.first)
  }

  private func claim() throws -> ClaimedDelivery { try #require(try ledger.claimDelivery()) }

  private func stored(_ number: Int) -> ObjectAnswer {
    ObjectAnswer(sopInstanceUID: "2.25.\(number)", status: 0, isStored: true)
  }

  private func declined(_ number: Int) -> ObjectAnswer {
    ObjectAnswer(
      sopInstanceUID: "2.25.\(number)", status: nil, isStored: false, isDeclined: true,
      note: "it does not take a label map")
  }

  @Test func whatIsDeclinedDoesNotHoldUpTheRest() throws {
    try ledger.markDelivered(
      claim(), answers: [stored(1), declined(2), stored(3)], awaitsProof: true)
    let sent = try row()
    #expect(sent.state == "sent" && sent.lastError == nil)
    #expect(sent.objects.map { $0.declinedAt != nil } == [false, true, false])
    #expect(sent.objects.map { $0.arrivedAt != nil } == [true, false, true])
    let event = try #require(try ledger.job(job).events.first { $0.kind == "declined" })
    #expect(event.message == "to pacs, 1 object: it does not take a label map")

    let proof = try #require(
      try ledger.claimProof(
        policy: RetryPolicy(firstPause: 60, longestPause: 3600, maximumAttempts: nil)))
    #expect(proof.objects.map(\.sopInstanceUID) == ["2.25.1", "2.25.3"])
    try ledger.recordProof(proof, by: .query, kept: ["2.25.1", "2.25.3"], missing: [])
    #expect(try row().state == "delivered" && row().lastError == nil)
    #expect(try ledger.checkConsistency().findings == [])
  }

  /// It is not offered again while the rest is tried again.
  @Test func itStaysDeclinedWhileTheRestIsTriedAgain() throws {
    try ledger.markDeliveryFailed(
      claim(), .unreachable, answers: [stored(1), declined(2)], error: "it broke")
    fixture.clock.advance(10)
    let second = try claim()
    #expect(second.objects.map(\.sopInstanceUID) == ["2.25.3"])
    try ledger.markDelivered(second, answers: [declined(3)])
    #expect(try row().state == "delivered")
    #expect(try ledger.job(job).events.count { $0.kind == "declined" } == 2)
  }

  @Test func whereEverythingIsDeclinedNothingIsDelivered() throws {
    try ledger.markDelivered(claim(), answers: [declined(1), declined(2), declined(3)])
    let held = try row()
    #expect(held.state == "held" && held.lastFailure == .refused && held.deliveredAt == nil)
    #expect(
      held.lastError
        == "it takes none of the objects, so nothing was sent: it does not take a label map")
    _ = try ledger.apply(.retry, to: JobSelection())
    #expect(try claim().objects.count == 3)
  }

  /// A person who has mended the destination has it tried again, and nothing else.
  @Test(arguments: [false, true]) func aPersonHasItTriedAgain(awaitsProof: Bool) throws {
    try ledger.markDelivered(
      claim(), answers: [stored(1), declined(2), stored(3)], awaitsProof: awaitsProof)
    fixture.clock.advance(3600)
    #expect(try ledger.claimDelivery() == nil)
    #expect(try ledger.apply(.retry, to: JobSelection()).map(\.isChanged) == [true])
    #expect(try row().state == "waiting" && row().objects[1].declinedAt == nil)
    let again = try claim()
    #expect(again.objects.map(\.sopInstanceUID) == ["2.25.2"])
    try ledger.markDelivered(again, answers: [stored(2)])
    #expect(try row().state == "delivered" && row().objects.allSatisfy { $0.arrivedAt != nil })
    #expect(try ledger.apply(.retry, to: JobSelection()).map(\.isChanged) == [false])
  }

  /// Its file was purged, and the result made again without it: there is nothing to be tried again.
  @Test func whatIsNotMadeAgainIsForgotten() throws {
    try ledger.markDelivered(claim(), answers: [stored(1), stored(2), declined(3)])
    fixture.clock.advance(3600)
    let kept = try #require(try ledger.keptResults(after: 0).files.first)
    _ = try #require(try ledger.purge(kept, reason: "a test"))
    let next = try fixture.reprocess()
    _ = try #require(try ledger.claimJob(id: next))
    var result = JobResult.ofObjects(2)
    result.objects[1].kind = .labelmap
    for index in result.objects.indices {
      result.objects[index].path = "results/\(next)/\(index).dcm"
    }
    try ledger.completeJob(next, result: result, destinations: ["pacs"])
    #expect(try row().objects.map(\.sopInstanceUID) == ["2.25.1", "2.25.2"])
    _ = try ledger.apply(.retry, to: JobSelection())
    #expect(try ledger.claimDelivery() == nil && row().state == "delivered")
    #expect(try ledger.checkConsistency().findings == [])
  }

  @Test func aRebuiltLedgerKnowsIt() throws {
    try ledger.markDelivered(claim(), answers: [stored(1), declined(2), stored(3)])
    let note = try #require(try ledger.resultNotes().first)
    #expect(note.delivered.map(\.objects) == [["2.25.1", "2.25.3"]])
    #expect(note.delivered.map(\.declined) == [["2.25.2"]])
    let rebuilt = try LedgerFixture()
    #expect(try rebuilt.ledger.takeUp(note))
    let known = try row(rebuilt.ledger)
    #expect(known.state == "delivered")
    #expect(known.objects.map { $0.declinedAt != nil } == [false, true, false])
  }

  /// The file itself refuses them.
  @Test(arguments: [
    "UPDATE delivery_objects SET declined_at = 1.0",
    "UPDATE deliveries SET state = 'delivered', delivered_at = 1.0",
    """
    UPDATE delivery_objects SET declined_at = 1.0, arrived_at = NULL;
    UPDATE deliveries SET state = 'sent'
    """,
  ])
  func theFileRefuses(statement: String) throws {
    let delivery = try claim()
    try ledger.record(stored(1), of: delivery)
    #expect(throws: LedgerError.self) { try ledger.write { try $0.execute(sql: statement) } }
  }
}
