import Foundation
import GRDB
import Testing

@testable import JobLedger

/// Pause, drain and resume.
@Suite struct ProcessingTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  init() throws { fixture = try LedgerFixture() }

  private func events() throws -> [String] {
    try ledger.read { db in
      try String.fetchAll(
        db,
        sql: """
          SELECT kind || ' ' || message FROM events WHERE kind LIKE 'processing%' ORDER BY id
          """)
    }
  }

  @Test func noJobIsBegunWhileProcessingIsPaused() throws {
    let job = try fixture.makeJob()
    #expect(try ledger.processingState().pauseText == nil)
    let paused = try ledger.pauseProcessing(by: "anna", reason: "new disk")
    #expect(paused.mode == .paused && paused.changedAt == fixture.clock.now)
    // Another process, and after a restart.
    let other = try fixture.reopened()
    for ledger in [ledger, other] {
      #expect(try ledger.claimJob() == nil)
      #expect(try ledger.claimJob(id: job) == nil)
      #expect(try ledger.processingState() == paused)
    }
    // What comes in is assembled all the same.
    let next = try fixture.makeJob(series: "1.2.9")
    #expect(next == 2)
    let since = fixture.clock.now.addingTimeInterval(-60).formatted(.iso8601)
    #expect(paused.pauseText == "processing is paused since \(since) by anna: new disk")

    fixture.clock.advance(5)
    #expect(try other.resumeProcessing(by: "ben", reason: nil).pauseText == nil)
    #expect(try ledger.claimJob()?.id == job)
    #expect(
      try events() == [
        "processing paused by an administrator: new disk [anna]",
        "processing resumed by an administrator [ben]",
      ])
    // Nobody wants to know of a resume of what is active.
    try ledger.resumeProcessing(by: "ben", reason: nil)
    #expect(try events().count == 2)
    #expect(try ledger.processingState().changedBy == "ben")
  }

  @Test func whatRunsContinuesAndThenProcessingIsDrained() throws {
    let job = try fixture.makeJob()
    try fixture.makeJob(series: "1.2.9")
    _ = try #require(try ledger.claimJob())
    let draining = try ledger.drainProcessing(by: "anna", reason: nil)
    #expect(draining.text.hasSuffix("by anna; 1 job is running"))
    #expect(try !ledger.recordDrained())
    #expect(try ledger.claimJob() == nil)
    try ledger.completeJob(job, result: .test(job), destinations: ["pacs"])
    fixture.clock.advance(1)
    #expect(try ledger.recordDrained())
    #expect(try !ledger.recordDrained(), "it is recorded once")
    let drained = try ledger.processingState()
    #expect(drained.drainedAt == fixture.clock.now && drained.runningJobs == 0)
    #expect(drained.text.hasPrefix("processing is drained since "))
    #expect(try ledger.claimJob() == nil)
    #expect(try ledger.claimDelivery() != nil, "results are delivered")
    #expect(
      try events() == [
        "processing draining by an administrator [anna]", "processing drained no job is running",
      ])
    try ledger.pauseProcessing(interruptsRunning: true, by: "anna", reason: nil)
    #expect(try ledger.processingState().drainedAt == nil)
    #expect(try !ledger.recordDrained())
    #expect(try events().last == "processing paused by an administrator, running jobs too [anna]")
  }

  @Test(arguments: [
    "INSERT INTO processing (id, mode) VALUES (2, 'active')",
    "UPDATE processing SET mode = 'paused'", "UPDATE processing SET drained_at = 1.0",
    "UPDATE processing SET mode = 'stopped', changed_at = 1.0, changed_by = 'x'",
    "UPDATE processing SET interrupts_running = 1",
  ])
  func theTableRefuses(statement: String) throws {
    #expect(throws: LedgerError.self) { try ledger.write { try $0.execute(sql: statement) } }
  }

  /// The claim is asked for twice a second.
  @Test func whatIsAskedAllTheTimeReadsByAnIndex() throws {
    let steps = try ledger.read { db in
      try Row.fetchAll(
        db, sql: "EXPLAIN QUERY PLAN SELECT count(*) FROM jobs WHERE state = 'running'"
      ).map { $0["detail"] as String }
    }
    #expect(steps.allSatisfy { $0.hasPrefix("SEARCH") }, "\(steps)")
  }
}
