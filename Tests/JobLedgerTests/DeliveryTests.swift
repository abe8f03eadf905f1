import Foundation
import Testing

@testable import JobLedger

@Suite struct DeliveryTests {
  private func complete(
    _ fixture: LedgerFixture, _ job: Int64, destinations: [DeliveryTarget] = ["pacs"],
    result: JobResult? = nil
  ) throws {
    _ = try fixture.ledger.claimJob(id: job)
    try fixture.ledger.completeJob(
      job, result: result ?? .test(job), destinations: destinations)
  }

  @Test func aResultGoesToEachDestinationOnce() throws {
    let fixture = try LedgerFixture()
    let job = try fixture.makeJob()
    try complete(fixture, job, destinations: ["pacs", "archive", "pacs"])
    var destinations: [String] = []
    while let delivery = try fixture.ledger.claimDelivery() {
      #expect(delivery.job == job)
      #expect(delivery.objects == [JobResult.test(job).objects[0]])
      destinations.append(delivery.destination)
      try fixture.ledger.markDelivered(delivery, warning: "coerced")
    }
    #expect(destinations == ["pacs", "archive"])
    let summary = try fixture.ledger.job(job).job
    #expect(summary.deliveries.map(\.state) == ["delivered", "delivered"])
    #expect(summary.deliveries.allSatisfy { $0.deliveredAt == fixture.clock.now })
    #expect(try fixture.ledger.deliveryCounts() == ["delivered": 2])
  }

  @Test func nothingIsSentWhereNothingWasFound() throws {
    let fixture = try LedgerFixture()
    let job = try fixture.makeJob()
    try complete(fixture, job, result: .nothingFound)
    #expect(try fixture.ledger.claimDelivery() == nil)
    #expect(try fixture.ledger.job(job).job.objects.map(\.kind) == [.picture])
  }

  @Test func aDestinationThatIsAwayIsTriedForEver() throws {
    let fixture = try LedgerFixture()
    let job = try fixture.makeJob()
    try complete(fixture, job)
    for attempt in 1...50 {
      let delivery = try #require(try fixture.ledger.claimDelivery())
      #expect(delivery.attempt == attempt)
      #expect(try fixture.ledger.claimDelivery() == nil)
      try fixture.ledger.markDeliveryFailed(delivery, .unreachable, error: "no answer")
      #expect(try fixture.ledger.claimDelivery() == nil)
      fixture.clock.advance(720)
    }
    let state = try #require(try fixture.ledger.job(job).job.deliveries.first)
    #expect(state.state == "waiting" && state.lastFailure == .unreachable)
    #expect(state.lastError == "no answer" && state.attempts == 50)
    // It was tried last 720 s ago, and no pause is longer.
    let next = try #require(state.nextAt)
    #expect(next <= fixture.clock.now)
  }

  @Test func aLimitEndsTheAttemptsAndSaysWhy() throws {
    let fixture = try LedgerFixture()
    let job = try fixture.makeJob()
    try complete(fixture, job)
    let policy = RetryPolicy(firstPause: 1, longestPause: 1, maximumAttempts: 2)
    for _ in 0..<2 {
      let delivery = try #require(try fixture.ledger.claimDelivery())
      try fixture.ledger.markDeliveryFailed(
        delivery, .refused, error: "0xA900", policy: policy)
      fixture.clock.advance(1)
    }
    #expect(try fixture.ledger.claimDelivery() == nil)
    let state = try #require(try fixture.ledger.job(job).job.deliveries.first)
    #expect(state.state == "held" && state.lastFailure == .refused)
    #expect(
      try fixture.ledger.job(job).events.map(\.kind)
        == [
          "created", "started", "completed", "delivery waiting", "sending", "not delivered",
          "sending", "delivery held",
        ])
  }

  /// 65 hours without an answer, the daemon started again every eight: nothing is given up for the number of its
  /// attempts, which stays what the longest pause allows, and everything is sent once the PACS is back.
  @Test func aPACSThatIsDownForAWeekendGetsEverythingOnce() throws {
    let fixture = try LedgerFixture()
    let jobs = try (1...4).map { number in
      let job = try fixture.makeJob(series: "1.2.3.\(number)")
      try complete(fixture, job, destinations: ["pacs", "archive"])
      return job
    }
    var ledger = fixture.ledger
    let (friday, hour) = (fixture.clock.now, 3600.0)
    var started = friday
    while fixture.clock.now < friday + 65 * hour {
      while let delivery = try ledger.claimDelivery() {
        if delivery.destination == "archive" {
          try ledger.markDelivered(delivery)
        } else {
          try ledger.markDeliveryFailed(delivery, .unreachable, error: "no answer")
        }
      }
      fixture.clock.advance(60)
      guard fixture.clock.now >= started + 8 * hour else { continue }
      ledger = try fixture.reopened()
      _ = try ledger.rescue()
      started = fixture.clock.now
    }
    for job in jobs {
      let deliveries = try ledger.job(job).job.deliveries
      #expect(deliveries.map(\.state).sorted() == ["delivered", "waiting"])
      let attempts = try #require(deliveries.first { $0.state == "waiting" }).attempts
      // The longest pause is 600 s, 20 % more or less, and is waited for to the full minute.
      #expect((325...500).contains(attempts), "\(attempts)")
    }
    fixture.clock.advance(720)
    var sent: [Int64] = []
    while let delivery = try ledger.claimDelivery() {
      sent.append(delivery.job)
      try ledger.markDelivered(delivery)
    }
    #expect(sent.sorted() == jobs)
    #expect(try ledger.deliveryCounts() == ["delivered": 2 * jobs.count])
  }

  @Test func anotherDestinationIsNotHeldUp() throws {
    let fixture = try LedgerFixture()
    try complete(fixture, try fixture.makeJob(), destinations: ["away", "pacs"])
    let first = try #require(try fixture.ledger.claimDelivery())
    try fixture.ledger.markDeliveryFailed(first, .unreachable, error: "no answer")
    #expect(try fixture.ledger.claimDelivery()?.destination == "pacs")
  }

  @Test func anOlderResultIsSupersededAndNotSentAnyMore() throws {
    let fixture = try LedgerFixture()
    let first = try fixture.makeJob(instances: 0..<3)
    try complete(fixture, first)
    let second = try fixture.makeJob(instances: 3..<4)
    try complete(fixture, second)
    #expect(try fixture.ledger.job(first).job.supersededBy == second)
    #expect(try fixture.ledger.job(first).job.deliveries.map(\.state) == ["superseded"])
    #expect(
      try fixture.ledger.job(first).events.suffix(2).map(\.kind)
        == ["superseded", "delivery superseded"])
    #expect(try fixture.ledger.claimDelivery()?.job == second)
    #expect(try fixture.ledger.claimDelivery() == nil)
  }

  @Test func aResultOfAnotherModelStays() throws {
    let fixture = try LedgerFixture()
    let first = try fixture.makeJob()
    try complete(fixture, first)
    let other = try fixture.ledger.reprocess(series: "1.2.3", job: .test(model: "other"))
    try complete(fixture, other)
    #expect(try fixture.ledger.job(first).job.supersededBy == nil)
  }

  /// An older job that ends after the newer one must not put its result in the newer one's place.
  @Test func aResultThatComesTooLateIsNotSent() throws {
    let fixture = try LedgerFixture()
    let older = try fixture.makeJob()
    _ = try fixture.ledger.claimJob(id: older)
    let newer = try fixture.ledger.reprocess(series: "1.2.3", job: .test())
    try complete(fixture, newer)
    try fixture.ledger.completeJob(older, result: .test(older), destinations: ["pacs"])
    #expect(try fixture.ledger.job(older).job.supersededBy == newer)
    #expect(try fixture.ledger.job(newer).job.supersededBy == nil)
    #expect(try fixture.ledger.claimDelivery()?.job == newer)
    #expect(try fixture.ledger.claimDelivery() == nil)
  }

  @Test(arguments: [true, false])
  func aSupersededResultThatWasUnderWayIsNotTriedAgain(killed: Bool) throws {
    let fixture = try LedgerFixture()
    let first = try fixture.makeJob(instances: 0..<3)
    try complete(fixture, first)
    let underWay = try #require(try fixture.ledger.claimDelivery())
    let second = try fixture.makeJob(instances: 3..<4)
    try complete(fixture, second)
    if killed {
      try fixture.reopened().rescue()
    } else {
      try fixture.ledger.markDeliveryFailed(underWay, .unreachable, error: "no answer")
    }
    fixture.clock.advance(600)
    #expect(try fixture.ledger.claimDelivery()?.job == second)
    #expect(try fixture.ledger.claimDelivery() == nil)
    let older = try fixture.ledger.job(first)
    #expect(older.job.deliveries.map(\.state) == ["superseded"])
    #expect(older.events.suffix(2).map(\.kind) == ["not delivered", "delivery superseded"])
  }

  @Test func aDeliveryEndsOnce() throws {
    let fixture = try LedgerFixture()
    let job = try fixture.makeJob()
    try complete(fixture, job)
    let delivery = try #require(try fixture.ledger.claimDelivery())
    try fixture.ledger.markDelivered(delivery)
    let gone = LedgerError.notSending(job: job, destination: "pacs")
    #expect(throws: gone) { try fixture.ledger.markDelivered(delivery) }
    #expect(throws: gone) {
      try fixture.ledger.markDeliveryFailed(delivery, .refused, error: "x")
    }
    #expect(try fixture.ledger.deliveryCounts() == ["delivered": 1])
  }

  @Test func pausesDoubleUpToTheLongest() throws {
    let policy = RetryPolicy(firstPause: 2, longestPause: 30, maximumAttempts: 7)
    #expect((1...7).map(policy.pause) == [2, 4, 8, 16, 30, 30, nil])
    let longest = try #require(RetryPolicy.deliveries.pause(after: 1_000_000))
    #expect((480...720).contains(longest))
    #expect((16...24).contains(try #require(RetryPolicy.jobs.pause(after: 2))))
    #expect(RetryPolicy.jobs.pause(after: 3) == nil)
  }
}

/// The file itself refuses what a mistake in this program would write.
@Suite struct DeliveryStateTests {
  @Test(arguments: DeliveryState.allCases)
  func theFileRefusesEveryOtherChangeOfState(state: DeliveryState) throws {
    for next in DeliveryState.allCases where next != state {
      let fixture = try LedgerFixture()
      let job = try fixture.makeJob(in: .completed)
      func write(_ statement: String, _ state: DeliveryState) throws {
        try fixture.ledger.write { db in
          try db.execute(
            sql: statement, arguments: [state.rawValue, state == .delivered ? 1.0 : nil, job])
        }
      }
      try write(
        """
        INSERT INTO deliveries (state, delivered_at, job_id, destination, scheduled_at, last_error)
        VALUES (?, ?, ?, 'pacs', 1.0, 'x')
        """, state)
      let change = {
        try write("UPDATE deliveries SET state = ?, delivered_at = ? WHERE job_id = ?", next)
      }
      // From delivered only where an object was declined, as in DeclinedObjectTests.
      if state.next.contains(next), state != .delivered {
        try change()
      } else {
        #expect(throws: LedgerError.self, "\(state) to \(next)") { try change() }
      }
    }
  }
}
