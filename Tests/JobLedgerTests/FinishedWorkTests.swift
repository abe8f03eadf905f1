import Clocks
import Foundation
import Testing

@testable import JobLedger

/// What the ledger says has ended, for traces.
@Suite struct FinishedWorkTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  init() throws { fixture = try LedgerFixture() }

  private func work(after event: Int64 = 0) throws -> [FinishedWork] {
    try ledger.finishedWork(after: event, limit: 1000).work
  }

  private func text(_ work: FinishedWork) -> String {
    let seconds = work.ended.timeIntervalSince(work.began)
    let length = "\((seconds * 1000).rounded() / 1000)"
    return switch work.kind {
    case .reception(let instances, let bytes): "received \(instances), \(bytes) bytes: \(length)"
    case .assembly: "assembled: \(length)"
    case .waiting(let attempt): "waited for \(attempt): \(length)"
    case .attempt(let number, let outcome, let seconds):
      "attempt \(number) \(outcome) \(seconds.keys.sorted()): \(length)"
    case .delivery(let destination, let attempt, let isTaken):
      "to \(destination) \(attempt) \(isTaken): \(length)"
    case .confirmation(let destination, let isProved): "by \(destination) \(isProved): \(length)"
    }
  }

  /// From the first instance to the proof that the destination keeps the result.
  @Test func theWholeWayOfASeries() throws {
    for number in 0..<3 {
      try fixture.receive(.test(number))
      fixture.clock.advance(2)
    }
    fixture.clock.advance(38)
    let due = try #require(try ledger.seriesDue(quietPeriod: 30).first)
    // Two models: what came is told once.
    try ledger.assembleSeries(due, jobs: [.test(), .test(model: "n")])
    fixture.clock.advance(5)
    let job = try #require(try ledger.claimJob())
    fixture.clock.advance(7)
    try ledger.failJob(job.id, reason: "no luck", policy: .jobs)
    fixture.clock.advance(3600)
    let again = try #require(try ledger.claimJob(id: job.id))
    fixture.clock.advance(11)
    try ledger.completeJob(
      again.id, result: .test(again.id), destinations: ["pacs", "pacs: old"],
      run: JobRun(seconds: ["network": 4, "total": 10]))
    fixture.clock.advance(1)
    let first = try #require(try ledger.claimDelivery(destination: "pacs: old"))
    fixture.clock.advance(2)
    try ledger.markDeliveryFailed(first, .unreachable, error: "no answer")
    let sent = try #require(try ledger.claimDelivery(destination: "pacs"))
    fixture.clock.advance(3)
    try ledger.markDelivered(sent, awaitsProof: true)
    let work = try work()
    #expect(
      work.map(text) == [
        "received 3, 3000 bytes: 4.0", "assembled: 40.0",
        "waited for 1: 5.0", "attempt 1 failed []: 7.0",
        "waited for 2: 3600.0", #"attempt 2 completed ["network", "total"]: 11.0"#,
        "to pacs: old 1 false: 2.0", "to pacs 1 true: 3.0",
      ])
    for one in work {
      #expect(one.studyInstanceUID == "1.2" && one.seriesInstanceUID == "1.2.3")
      #expect(one.job == job.id && one.model == "m" && one.reprocessing == nil)
    }
    let confirmed = fixture.clock.now
    fixture.clock.advance(9)
    try ledger.holdDeliveries(toOthersThan: []) { "no \($0)" }
    let end = try #require(try self.work().last)
    #expect(text(end) == "by pacs false: 9.0" && end.began == confirmed)
  }

  /// What waited and was held or cancelled made no attempt; what is released is no new reception.
  @Test func whatNeverBeganIsNoAttempt() throws {
    let job = try fixture.makeJob()
    var selection = JobSelection()
    selection.jobs = [job]
    _ = try ledger.apply(.hold, to: selection)
    _ = try ledger.apply(.release, to: selection)
    _ = try ledger.apply(.cancel, to: selection)
    #expect(try work().map(text) == ["received 3, 3000 bytes: 0.0", "assembled: 60.0"])
    // More of the series: only that.
    _ = try fixture.makeJob(instances: 3..<5)
    #expect(try work().map(text).suffix(2) == ["received 2, 2000 bytes: 0.0", "assembled: 60.0"])
    // What is segmented again was not received again.
    let count = try work().count
    let again = try ledger.reprocess(series: "1.2.3", job: .test(model: "other"))
    #expect(try work().count == count)
    _ = try ledger.claimJob(id: again)
    try ledger.releaseJob(again)
    #expect(try work().suffix(2).map(text) == ["waited for 1: 0.0", "attempt 1 released []: 0.0"])
  }

  /// An attempt that the process did not survive has an end too.
  @Test func whatIsRescued() throws {
    let job = try fixture.makeJob()
    _ = try ledger.claimJob(id: job)
    fixture.clock.advance(30)
    let other = try fixture.reopened()
    try other.rescue()
    #expect(try work().map(text).last == "attempt 1 rescued []: 30.0")
  }

  /// Traces begin when they are first asked for, and go on where they ended.
  @Test func aPositionIsKept() throws {
    _ = try fixture.makeJob()
    let begin = try ledger.tracePosition()
    #expect(try work(after: begin).isEmpty)
    _ = try fixture.makeJob(series: "1.2.4")
    _ = try ledger.claimJob()
    let page = try ledger.finishedWork(after: begin, limit: 1)
    #expect(page.upTo == begin + 1 && page.head > page.upTo && page.work.count == 2)
    #expect(try ledger.tracePosition() == begin)
    try ledger.markTraced(upTo: page.upTo)
    #expect(try fixture.reopened().tracePosition() == page.upTo)
    let rest = try ledger.finishedWork(after: page.upTo)
    #expect(rest.upTo == rest.head && rest.work.isEmpty)
  }
}
