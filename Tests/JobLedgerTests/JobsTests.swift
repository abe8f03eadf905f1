import Foundation
import JobLedger
import TestSupport
import Testing

@Suite struct JobsTests {
  @Test func aCompletedJobHasItsResultInTheOutbox() throws {
    let setup = try LedgerSetup()
    let job = try setup.runningJob()
    try setup.ledger.completeJob(job.id, result: LedgerSetup.result, destinations: ["a", "b"])
    let summary = try #require(try setup.ledger.jobs().first)
    #expect(summary.state == "completed")
    #expect(summary.sopInstanceUID == job.resultSOPInstanceUID)
    #expect(summary.deliveries.map(\.state) == ["waiting", "waiting"])
    #expect(throws: LedgerError.self) {
      try setup.ledger.completeJob(job.id, result: LedgerSetup.result, destinations: [])
    }
    #expect(throws: LedgerError.self) { try setup.ledger.holdJob(job.id, reason: "late") }
  }

  @Test func aJobWithoutFindingsSendsNothing() throws {
    let setup = try LedgerSetup()
    let job = try setup.runningJob()
    var nothing = LedgerSetup.result
    nothing.segmentationPath = nil
    try setup.ledger.completeJob(job.id, result: nothing, destinations: ["a"])
    let summary = try #require(try setup.ledger.jobs().first)
    #expect(summary.sopInstanceUID == nil)
    #expect(summary.deliveries.isEmpty)
  }

  @Test func aHeldJobKeepsItsReason() throws {
    let setup = try LedgerSetup()
    let job = try setup.runningJob()
    try setup.ledger.holdJob(job.id, reason: "one slice is missing")
    #expect(try setup.ledger.jobs().map(\.reason) == ["one slice is missing"])
    #expect(try setup.ledger.claimJob() == nil)
  }

  @Test func aFailedJobWaitsThenRunsAgainAndIsDiscardedAtLast() throws {
    let setup = try LedgerSetup()
    let policy = RetryPolicy(firstPause: 10, longestPause: 100, maximumAttempts: 3)
    var job = try setup.runningJob()
    for attempt in 1...3 {
      #expect(job.attempt == attempt)
      try setup.ledger.failJob(job.id, reason: "disk full", policy: policy)
      #expect(try setup.ledger.claimJob() == nil, "not before the pause is over")
      setup.wait(50)
      guard attempt < 3 else { break }
      job = try #require(try setup.ledger.claimJob())
    }
    #expect(try setup.ledger.jobs().map(\.state) == ["discarded"])
    #expect(try setup.ledger.claimJob() == nil)
  }

  @Test func aJobOfAKilledProcessIsRescuedWithItsIdentifiers() throws {
    let setup = try LedgerSetup()
    let job = try setup.runningJob()
    let second = try JobLedger(path: setup.path)
    #expect(try second.rescue() == 1)
    let again = try #require(try second.claimJob())
    #expect(again.id == job.id)
    #expect(again.attempt == 2)
    #expect(again.resultSOPInstanceUID == job.resultSOPInstanceUID)
  }

  @Test func aLaterResultSupersedesTheOlderAndItsUnsentDelivery() throws {
    let setup = try LedgerSetup()
    let first = try setup.runningJob()
    try setup.ledger.completeJob(first.id, result: LedgerSetup.result, destinations: ["a"])
    try setup.receive("1.2.3")
    setup.wait(60)
    try setup.assemble()
    let second = try #require(try setup.ledger.claimJob())
    try setup.ledger.completeJob(second.id, result: LedgerSetup.result, destinations: ["a"])
    let jobs = try setup.ledger.jobs()
    #expect(jobs.map(\.supersededBy) == [second.id, nil])
    #expect(jobs.flatMap(\.deliveries).map(\.state) == ["superseded", "waiting"])
  }

  @Test func eightThreadsTakeEachJobOnce() async throws {
    let setup = try LedgerSetup()
    for series in 1...40 { try setup.receive("1.\(series).1", series: "1.\(series)") }
    setup.wait(60)
    try setup.assemble()
    let path = setup.path
    let taken = try await withThrowingTaskGroup(of: [Int64].self) { group in
      for _ in 0..<8 {
        group.addTask {
          let ledger = try JobLedger(path: path)
          var ids: [Int64] = []
          while let job = try ledger.claimJob() { ids.append(job.id) }
          return ids
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    #expect(taken.sorted() == Array(1...40))
  }

  @Test func reprocessingAddsAJobAndNamesWhatIsUnknown() throws {
    let setup = try LedgerSetup()
    let job = try setup.runningJob()
    try setup.ledger.holdJob(job.id, reason: "tilted")
    let series = try #require(try setup.ledger.series(ofStudy: "1").first)
    #expect(series.models == ["m"])
    let id = try setup.ledger.reprocess(
      series: series.seriesInstanceUID, job: LedgerSetup.newJob(model: "other"))
    #expect(try setup.ledger.claimJob()?.id == id)
    #expect(throws: LedgerError.self) { try setup.ledger.series(ofStudy: "9") }
    #expect(throws: LedgerError.self) { try setup.ledger.series(ofStudy: "1", only: "9") }
  }
}
