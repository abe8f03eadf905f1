import Foundation
import Testing

@testable import JobLedger

/// What is kept of golden checks, and who is told.
@Suite struct GoldenCheckTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  init() throws { fixture = try LedgerFixture() }

  private func make(
    _ model: String, _ outcome: GoldenCheck.Outcome, by cause: GoldenCheck.Cause = .schedule
  ) throws {
    try ledger.requestGoldenCheck(of: model, by: cause)
    let check = try #require(try ledger.nextGoldenCheck())
    #expect(check.model == model && check.cause == cause && check.outcome == nil)
    try ledger.finishGoldenCheck(check, outcome, modelVersion: "1.0", message: "so it was")
  }

  @Test func oneThatWaitsIsNotAskedForTwice() throws {
    let first = try ledger.requestGoldenCheck(of: "liver", by: .person)
    #expect(try ledger.requestGoldenCheck(of: "liver", by: .schedule) == first)
    #expect(try ledger.requestGoldenCheck(of: "spleen", by: .person) != first)
    #expect(try ledger.lastScheduledGoldenCheck() == nil)
    let check = try #require(try ledger.nextGoldenCheck())
    #expect(check.id == first)
    try ledger.finishGoldenCheck(check, .passed, modelVersion: "1.0", message: "as recorded")
    // Ended once, it stays as it ended.
    try ledger.finishGoldenCheck(check, .failed, modelVersion: "1.0", message: "late")
    let ended = try #require(try ledger.goldenCheck(first))
    #expect(ended.outcome == .passed && ended.message == "as recorded")
    #expect(ended.modelVersion == "1.0" && ended.finishedAt != nil)
    #expect(try ledger.nextGoldenCheck()?.model == "spleen")
  }

  @Test func theLastOneThatWasMadeCounts() throws {
    try make("liver", .passed)
    try make("liver", .failed)
    try make("liver", .omitted)
    try make("spleen", .omitted)
    let last = try ledger.lastGoldenChecks()
    #expect(last.map(\.model) == ["liver", "spleen"])
    #expect(last.map(\.outcome) == [.failed, .omitted])
    #expect(try ledger.lastScheduledGoldenCheck() != nil)
    #expect(try LedgerStatisticsReader(ledger).read().goldenChecks == last)
  }

  @Test func failuresAndWhatFollowsThemAreTold() throws {
    _ = try ledger.untold(to: "it", kinds: [.checkFailed, .checkRecovered])
    for outcome in [
      GoldenCheck.Outcome.passed, .failed, .failed, .omitted, .passed, .passed,
    ] { try make("liver", outcome, by: .person) }
    let notices = try ledger.untold(to: "it", kinds: [.checkFailed, .checkRecovered]).notices
    #expect(notices.map(\.kind) == [.checkFailed, .checkFailed, .checkRecovered])
    #expect(notices.allSatisfy { $0.reason == "model liver: so it was" && $0.study == nil })
  }

  @Test func thereIsWorkWhileAJobWaitsOrRuns() throws {
    #expect(try !ledger.hasWork())
    try fixture.makeJob()
    #expect(try ledger.hasWork())
    let job = try #require(try ledger.claimJob())
    #expect(try ledger.hasWork())
    try ledger.holdJob(job.id, reason: "x")
    #expect(try !ledger.hasWork())
  }
}
