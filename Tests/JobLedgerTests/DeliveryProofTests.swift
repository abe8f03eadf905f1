import Foundation
import TestSupport
import Testing

@testable import JobLedger

/// Results that were sent, until it is proved that their destination keeps them.
@Suite struct DeliveryProofTests {
  private let fixture: LedgerFixture
  private let job: Int64
  private var ledger: Ledger { fixture.ledger }
  private let policy = RetryPolicy(firstPause: 60, longestPause: 3600, maximumAttempts: nil)

  /// A result of two objects that was sent.
  init() throws {
    fixture = try LedgerFixture()
    job = try fixture.makeJob()
    _ = try fixture.ledger.claimJob(id: job)
    try fixture.ledger.completeJob(job, result: .ofObjects(2), destinations: ["pacs"])
    try send()
  }

  private func send() throws {
    let delivery = try #require(try ledger.claimDelivery())
    try ledger.markDelivered(delivery, awaitsProof: true)
  }

  private func row() throws -> JobSummary.Delivery {
    try #require(try ledger.job(job).job.deliveries.first)
  }

  private func claim() throws -> ClaimedProof {
    try #require(try ledger.claimProof(policy: policy))
  }

  private func lost(_ number: Int, isPermanent: Bool = false) -> MissingObject {
    MissingObject(
      sopInstanceUID: "2.25.\(number)", reason: "it lost 2.25.\(number)", isPermanent: isPermanent)
  }

  @Test func itIsDeliveredOnceEveryObjectIsProved() throws {
    #expect(try row().state == "sent" && row().sentAt == fixture.clock.now)
    #expect(try row().deliveredAt == nil && ledger.claimDelivery() == nil)
    let claim = try claim()
    #expect(claim.objects.map(\.sopInstanceUID) == ["2.25.1", "2.25.2"] && claim.attempt == 1)
    try ledger.recordProof(claim, by: .query, kept: ["2.25.1"], missing: [])
    #expect(try row().state == "sent" && row().objects.map(\.proof) == [.query, nil])
    fixture.clock.advance(60)
    let second = try self.claim()
    #expect(second.objects.map(\.sopInstanceUID) == ["2.25.2"] && second.attempt == 2)
    try ledger.recordProof(second, by: .query, kept: ["2.25.2", "9.9"], missing: [])
    #expect(try row().state == "delivered" && row().deliveredAt == fixture.clock.now)
    #expect(
      try ledger.job(job).events.suffix(2).map(\.kind) == ["sent", "delivered"])
  }

  /// Whatever becomes of a question, it is asked again, ever more rarely, for ever.
  @Test func itIsAskedForEver() throws {
    var pauses: [Double] = []
    for attempt in 1...40 {
      let claim = try claim()
      #expect(claim.attempt == attempt)
      #expect(try ledger.claimProof(policy: policy) == nil)
      // Half of the questions have no answer at all.
      if attempt % 2 == 0 { try ledger.markProofFailed(claim, .unreachable, error: "no answer") }
      let next = try #require(try row().nextAt)
      pauses.append(next.timeIntervalSince(fixture.clock.now))
      fixture.clock.advance(pauses[attempt - 1])
    }
    #expect(Array(pauses.prefix(7)) == [60, 120, 240, 480, 960, 1920, 3600] && pauses.last == 3600)
    #expect(try row().state == "sent" && row().lastError == "no answer")
    // Not even a restart forgets it.
    try fixture.reopened().rescue()
    #expect(try claim().objects.count == 2)
  }

  @Test func whatIsMissingIsSentAgain() throws {
    try ledger.recordProof(try claim(), by: .commitment, kept: ["2.25.1"], missing: [lost(2)])
    #expect(try row().state == "waiting" && row().lastFailure == .missing)
    #expect(try row().lastError == "it lost 2.25.2")
    fixture.clock.advance(5)
    let delivery = try #require(try ledger.claimDelivery())
    #expect(delivery.objects.map(\.sopInstanceUID) == ["2.25.2"])
    try ledger.markDelivered(delivery, awaitsProof: true)
    let claim = try claim()
    #expect(claim.objects.map(\.sopInstanceUID) == ["2.25.2"] && claim.attempt == 1)
    try ledger.recordProof(claim, by: .commitment, kept: ["2.25.2"], missing: [])
    #expect(try row().state == "delivered" && row().lastError == nil)
  }

  /// What is taken and lost again and again needs a person, who may have it sent again as often.
  @Test func whatIsLostFiveTimesIsHeld() throws {
    for round in 1...2 {
      for take in 1...5 {
        if take > 1 || round > 1 {
          fixture.clock.advance(900)
          try send()
        }
        try ledger.recordProof(try claim(), by: .query, kept: ["2.25.1"], missing: [lost(2)])
        #expect(try row().state == (take < 5 ? "waiting" : "held"), "\(take)")
      }
      #expect(
        try row().lastError == "it took an object 5 times and does not have it: it lost 2.25.2")
      fixture.clock.advance(86_400)
      #expect(try ledger.claimDelivery() == nil)
      _ = try ledger.apply(.retry, to: JobSelection())
    }
  }

  @Test func whatIsOfNoUseToSendAgainIsHeld() throws {
    try ledger.recordProof(
      try claim(), by: .commitment, kept: [], missing: [lost(1), lost(2, isPermanent: true)])
    #expect(try row().state == "held" && row().lastError == "it lost 2.25.2 (and 1 more)")
  }

  /// Without the service nothing is proved; what was sent is not sent again when that is mended.
  @Test func aQuestionThatIsRefusedForGoodIsHeld() throws {
    try ledger.markProofFailed(
      try claim(), .refused, error: "no storage commitment", isPermanent: true)
    #expect(try row().state == "held" && row().lastError == "no storage commitment")
    _ = try ledger.apply(.retry, to: JobSelection())
    let delivery = try #require(try ledger.claimDelivery())
    #expect(delivery.objects.isEmpty)
    try ledger.markDelivered(delivery, awaitsProof: true)
    #expect(try row().state == "sent")
  }

  @Test func aRetryAsksNow() throws {
    _ = try claim()
    #expect(try ledger.claimProof(policy: policy) == nil)
    let change = try #require(try ledger.apply(.retry, to: JobSelection()).first)
    #expect(change.isChanged)
    #expect(try claim().attempt == 2)
  }

  /// A newer result has come: the older one is proved all the same, and not sent again.
  @Test func aSupersededResultIsNotSentAgain() throws {
    let newer = try fixture.makeJob(instances: 3..<4)
    _ = try ledger.claimJob(id: newer)
    try ledger.completeJob(newer, result: .nothingFound, destinations: ["pacs"])
    #expect(try row().state == "sent")
    try ledger.recordProof(try claim(), by: .query, kept: [], missing: [lost(1)])
    #expect(try row().state == "superseded")
  }

  @Test func withoutTheDemandForProofItIsDelivered() throws {
    try ledger.markProofNeedless(try claim())
    #expect(try row().state == "delivered")
  }
}

/// Reports on storage commitment.
@Suite struct CommitmentTransactionTests {
  private let fixture: LedgerFixture
  private let job: Int64
  private var ledger: Ledger { fixture.ledger }

  init() throws {
    fixture = try LedgerFixture()
    job = try fixture.makeJob()
    _ = try fixture.ledger.claimJob(id: job)
    try fixture.ledger.completeJob(job, result: .ofObjects(2), destinations: ["pacs"])
    try send()
  }

  private func send() throws {
    let delivery = try #require(try ledger.claimDelivery())
    try ledger.markDelivered(delivery, awaitsProof: true)
  }

  private func ask(_ transaction: String) throws {
    let claim = try #require(try ledger.claimProof(policy: .commitments))
    try ledger.recordTransaction(transaction, of: claim)
  }

  private func state() throws -> String { try ledger.job(job).job.deliveries[0].state }

  private let second = MissingObject(sopInstanceUID: "2.25.2", reason: "it lost 2.25.2")

  @Test func aReportOfAnotherProcessCounts() throws {
    try ask("9.1")
    let receiver = try fixture.reopened()
    #expect(try !receiver.recordReport("9.99", kept: ["2.25.1", "2.25.2"], missing: []))
    #expect(try state() == "sent")
    #expect(try receiver.recordReport("9.1", kept: ["2.25.1", "2.25.2"], missing: []))
    #expect(try state() == "delivered")
    // It may come twice.
    #expect(try receiver.recordReport("9.1", kept: ["2.25.1"], missing: [second]))
    #expect(try state() == "delivered")
  }

  /// A late report on an earlier request proves what is kept, and takes nothing back that was sent again.
  @Test func aLateReportTakesNothingBack() throws {
    try ask("9.1")
    fixture.clock.advance(120)
    try ask("9.2")
    #expect(try ledger.recordReport("9.1", kept: [], missing: [second]))
    #expect(try state() == "waiting")
    // The report to the other one is about the same time.
    #expect(try ledger.recordReport("9.2", kept: [], missing: [second]))
    #expect(try state() == "waiting")
    // While it waits to be sent again, the first one says that it is there after all.
    #expect(try ledger.recordReport("9.1", kept: ["2.25.1", "2.25.2"], missing: []))
    fixture.clock.advance(10)
    let delivery = try #require(try ledger.claimDelivery())
    #expect(delivery.objects.isEmpty)
    try ledger.markDelivered(delivery, awaitsProof: true)
    #expect(try state() == "delivered")
  }

  @Test func aReportThatComesTwiceCountsOnce() throws {
    try ask("9.1")
    #expect(try ledger.recordReport("9.1", kept: ["2.25.1"], missing: [second]))
    fixture.clock.advance(10)
    try send()
    #expect(try ledger.recordReport("9.1", kept: ["2.25.1"], missing: [second]))
    #expect(try state() == "sent")
  }

  /// Half a report: the rest is asked for again.
  @Test func whatAReportDoesNotNameIsAskedForAgain() throws {
    try ask("9.1")
    #expect(try ledger.recordReport("9.1", kept: ["2.25.1"], missing: []))
    #expect(try state() == "sent")
    fixture.clock.advance(120)
    let claim = try #require(try ledger.claimProof(policy: .commitments))
    #expect(claim.objects.map(\.sopInstanceUID) == ["2.25.2"])
  }
}
