import Foundation
import Synchronization
import TestSupport
import Testing

@testable import JobLedger

/// Several connections to one file, as several processes have them.
@Suite struct ConcurrencyTests {
  @Test func eachJobAndEachDeliveryIsTakenOnce() throws {
    let fixture = try LedgerFixture()
    for series in 0..<40 { try fixture.receive(.test(0, series: "1.2.\(series)")) }
    fixture.clock.advance(60)
    for due in try fixture.ledger.seriesDue(quietPeriod: 30) {
      try fixture.ledger.assembleSeries(due, jobs: [.test()])
    }
    let ledgers = [fixture.ledger, try fixture.reopened(), try fixture.reopened()]
    let jobs = Mutex<[Int64]>([])
    let deliveries = Mutex<[Int64]>([])
    try throwingOnThreads(6) { number in
      let ledger = ledgers[number % ledgers.count]
      while let job = try ledger.claimJob() {
        jobs.withLock { $0.append(job.id) }
        try ledger.completeJob(job.id, result: .test(job.id), destinations: ["pacs"])
        while let delivery = try ledger.claimDelivery() {
          deliveries.withLock { $0.append(delivery.job) }
          try ledger.markDelivered(delivery)
        }
      }
    }
    let expected = try fixture.ledger.jobs().map(\.id)
    #expect(expected.count == 40)
    #expect(jobs.withLock { $0.sorted() } == expected)
    #expect(deliveries.withLock { $0.sorted() } == expected)
    #expect(try fixture.ledger.jobs().allSatisfy { $0.attempts == 1 && $0.state == "completed" })
  }

  @Test func oneInstanceFromManySendersIsAddedOnce() throws {
    let fixture = try LedgerFixture()
    let ledgers = [fixture.ledger, try fixture.reopened(), try fixture.reopened()]
    let outcomes = Mutex<[InstanceOutcome]>([])
    try throwingOnThreads(6) { number in
      for instance in 0..<20 {
        let outcome = try ledgers[number % 3].recordInstance(.test(instance))
        outcomes.withLock { $0.append(outcome) }
      }
    }
    #expect(outcomes.withLock { $0.filter { $0 == .added }.count } == 20)
    #expect(outcomes.withLock { $0.filter { $0 == .identical }.count } == 100)
    #expect(try fixture.ledger.instances(series: "1.2.3").all.count == 20)
  }

  /// The receiving process records as fast as it can, and the daemon has jobs to write down: neither keeps
  /// the other one from its turn until that gives up.
  @Test func twoProcessesThatWriteAllTheTimeBothGetTheirTurns() throws {
    let fixture = try LedgerFixture()
    try fixture.receive(.test(0))
    fixture.clock.advance(60)
    for due in try fixture.ledger.seriesDue(quietPeriod: 30) {
      try fixture.ledger.assembleSeries(due, jobs: [.test()])
    }
    let other = try fixture.reopened()
    let isDone = Mutex(false)
    let recorded = Mutex(0)
    try throwingOnThreads(9) { number in
      if number == 0 {
        defer { isDone.withLock { $0 = true } }
        var claimed = 0
        while claimed < 50 || recorded.withLock({ $0 }) < 50 {
          let job = try #require(try other.claimJob())
          try other.releaseJob(job.id)
          claimed += 1
        }
      } else {
        var instance = 1
        while !isDone.withLock({ $0 }) {
          _ = try fixture.ledger.recordInstance(.test(instance, series: "1.9.\(number)"))
          instance += 1
          recorded.withLock { $0 += 1 }
        }
      }
    }
  }

  @Test func readersSeeWholeTransactionsWhileOthersWrite() throws {
    let fixture = try LedgerFixture()
    let reader = try fixture.reopened()
    let isDone = Mutex(false)
    try throwingOnThreads(2) { number in
      if number == 0 {
        for instance in 0..<100 { try fixture.receive(.test(instance)) }
        isDone.withLock { $0 = true }
      } else {
        while !isDone.withLock({ $0 }) {
          let due = try reader.seriesDue(quietPeriod: 0).first
          if let due { #expect(due.revision == due.instanceCount) }
        }
      }
    }
  }
}

/// Runs `work` on threads of their own, not on tasks: all of them block.
private func throwingOnThreads(_ count: Int, _ work: @escaping @Sendable (Int) throws -> Void)
  throws
{
  let errors = Mutex<[any Error]>([])
  onThreads(count) { number in
    do { try work(number) } catch { errors.withLock { $0.append(error) } }
  }
  if let error = errors.withLock({ $0.first }) { throw error }
}
