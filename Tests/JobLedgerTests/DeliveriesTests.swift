import JobLedger
import TestSupport
import Testing

@Suite struct DeliveriesTests {
  private func setup() throws -> LedgerSetup {
    let setup = try LedgerSetup()
    let job = try setup.runningJob()
    try setup.ledger.completeJob(job.id, result: LedgerSetup.result, destinations: ["pacs"])
    return setup
  }

  @Test func aDeliveryIsTriedUntilItArrives() throws {
    let setup = try setup()
    for attempt in 1...20 {
      let delivery = try #require(try setup.ledger.claimDelivery())
      #expect(delivery.attempt == attempt)
      #expect(try setup.ledger.claimDelivery() == nil, "taken once")
      try setup.ledger.markDeliveryFailed(delivery, error: "refused")
      #expect(try setup.ledger.claimDelivery() == nil, "not before the pause is over")
      setup.wait(601)
    }
    try setup.ledger.markDelivered(try #require(try setup.ledger.claimDelivery()))
    let delivery = try #require(try setup.ledger.jobs().first?.deliveries.first)
    #expect(delivery.state == "delivered")
    #expect(delivery.attempts == 21)
    setup.wait(1000)
    #expect(try setup.ledger.claimDelivery() == nil)
  }

  @Test func aDeliveryOfAKilledProcessIsSentAgain() throws {
    let setup = try setup()
    let taken = try #require(try setup.ledger.claimDelivery())
    try setup.ledger.rescue()
    #expect(try setup.ledger.claimDelivery()?.id == taken.id)
  }

  @Test(arguments: [(1, 10.0), (2, 20), (4, 80), (5, 100), (90, 100)])
  func pausesDoubleUpToTheLongest(attempts: Int, pause: Double) {
    let policy = RetryPolicy(firstPause: 10, longestPause: 100, maximumAttempts: nil)
    #expect(policy.pause(after: attempts) == pause)
  }
}
