import Foundation
import GRDB
import TestSupport
import Testing

@testable import JobLedger

/// Jobs that yield.
@Suite struct PreemptionTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  init() throws { fixture = try LedgerFixture() }

  /// It waits in its former place, and may do so any number of times.
  @Test func aJobThatYieldsHasNotFailed() throws {
    let job = try fixture.makeJob(series: "1.1")
    let later = try fixture.makeJob(series: "1.5")
    for _ in 0..<8 {
      #expect(try ledger.claimJob()?.id == job)
      try ledger.yieldJob(job, reason: "to job 9 of priority 5")
      let detail = try ledger.job(job)
      #expect(detail.job.state == "available" && detail.job.finishedAt == nil)
      #expect(detail.attempts.last?.outcome == "preempted")
      #expect(detail.attempts.last?.message == "to job 9 of priority 5")
      #expect(detail.events.last?.kind == "preempted")
    }
    #expect(try ledger.claimJob()?.id == job)
    try ledger.failJob(job, reason: "no luck", policy: .jobs)
    #expect(try fixture.state(job) == "retryable")
    #expect(try ledger.claimJob()?.id == later)
    #expect(throws: LedgerError.self) { try ledger.yieldJob(job, reason: "x") }
  }

  @Test func anUrgentJobIsAReasonOnlyOnceItIsDue() throws {
    let job = try fixture.makeJob(series: "1.1")
    _ = try ledger.claimJob()
    let urgent = try fixture.makeJob(series: "1.5")
    #expect(try ledger.reasonToYield(job: job) == nil)
    var selection = JobSelection()
    selection.jobs = [urgent]
    _ = try ledger.apply(.prioritize(3), to: selection)
    let reason = YieldReason.urgentJob(urgent, priority: 3)
    #expect(try ledger.reasonToYield(job: job) == reason)
    #expect(try fixture.reopened().reasonToYield(job: job) == reason)
    // Instances of its series arrived meanwhile: it is going to be replaced, and is not begun.
    try fixture.receive(.test(9, series: "1.5"))
    #expect(try ledger.reasonToYield(job: job) == nil)
    try ledger.cancelJob(job, reason: "cancelled by an administrator")
    #expect(try ledger.reasonToYield(job: job) == .ended(state: "cancelled"))
    #expect(throws: LedgerError.unknownJob(99)) { try ledger.reasonToYield(job: 99) }
  }

  /// Two jobs of a series and model never run at the same time: another one need not make room.
  @Test func onlyTheJobOfTheSameSeriesYieldsToOneOfIt() throws {
    let job = try fixture.makeJob(series: "1.1")
    let other = try fixture.makeJob(series: "1.2")
    for id in [job, other] { #expect(try ledger.claimJob(id: id)?.id == id) }
    var urgent = NewJob.test()
    urgent.priority = 5
    let id = try ledger.reprocess(series: "1.1", job: urgent)
    #expect(try ledger.reasonToYield(job: other, places: 2) == nil)
    #expect(try ledger.reasonToYield(job: job, places: 2) == nil)
    try ledger.cancelJob(other, reason: "cancelled by an administrator")
    #expect(try ledger.claimJob() == nil)
    #expect(try ledger.reasonToYield(job: job) == .urgentJob(id, priority: 5))
    try ledger.yieldJob(job, reason: "to job \(id)")
    #expect(try ledger.claimJob()?.id == id)
  }

  /// With two places a job yields only where both are taken, and the last of the lowest priority alone.
  @Test(arguments: [(0, [1]), (2, [0])])
  func oneOfSeveralYields(priorityOfTheLater: Int, first: [Int]) throws {
    let jobs = try (1...4).map { try fixture.makeJob(series: "1.\($0)") }
    func prioritize(_ job: Int64, _ priority: Int) throws {
      var selection = JobSelection()
      selection.jobs = [job]
      _ = try ledger.apply(.prioritize(priority), to: selection)
    }
    func yielding() throws -> [Int] {
      try jobs.indices.filter { index in
        guard try fixture.state(jobs[index]) == "running" else { return false }
        return try ledger.reasonToYield(job: jobs[index], places: 2) != nil
      }
    }
    try prioritize(jobs[1], priorityOfTheLater)
    _ = try ledger.claimJob(id: jobs[1])
    try prioritize(jobs[2], 3)
    #expect(try yielding().isEmpty)
    _ = try ledger.claimJob(id: jobs[0])
    #expect(try yielding() == first)
    try prioritize(jobs[3], 3)
    #expect(try yielding() == [0, 1])
    for job in jobs[2...] { try prioritize(job, 1) }
    #expect(try yielding() == (priorityOfTheLater == 0 ? [0, 1] : [0]))
  }

  @Test func jobsThatHaveEndedAreToldFromThoseThatRunAgain() throws {
    let held = try fixture.makeJob(in: .held)
    let waiting = try fixture.makeJob(series: "1.1")
    #expect(try ledger.jobsWithoutFuture(among: [waiting, held, 99]) == [held, 99])
  }

  @Test func theQuestionReadsByIndexes() throws {
    let steps = try ledger.read { db in
      try Row.fetchAll(
        db, sql: "EXPLAIN QUERY PLAN \(Ledger.urgentJobs)", arguments: [0, 1.0, nil, 1]
      ).map { $0["detail"] as String }
    }
    #expect(steps.allSatisfy { !$0.hasPrefix("SCAN series") && !$0.contains("TEMP B-TREE") })
    #expect(steps.contains { $0.contains("jobs_due") }, "\(steps)")
  }

  /// Attempts of before are there, and the new outcome can be written.
  @Test func attemptsAreKeptByTheMigration() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    let version = try #require(Schema.migrations.firstIndex(of: Schema.preemption))
    try Ledger(path: path, version: version).write { db in
      try db.execute(
        sql: """
          INSERT INTO studies VALUES ('1.2', 1.0);
          INSERT INTO series (series_uid, study_uid, modality, last_received_at)
            VALUES ('1.2.3', '1.2', 'CT', 1.0);
          INSERT INTO jobs (series_uid, revision, model, state, attempt_count, created_at, scheduled_at)
            VALUES ('1.2.3', 0, 'm', 'running', 2, 1.0, 1.0);
          INSERT INTO attempts (job_id, number, started_at, finished_at, outcome, message, seconds,
            predicted_memory, peak_memory) VALUES (1, 1, 1.0, 2.0, 'failed', 'x', '{"total":1}', 3, 4);
          INSERT INTO attempts (job_id, number, started_at) VALUES (1, 2, 3.0);
          """)
    }
    let ledger = try Ledger(path: path)
    try ledger.checkIntegrity()
    try ledger.yieldJob(1, reason: "to another")
    let attempts = try ledger.job(1).attempts
    #expect(attempts.map(\.outcome) == ["failed", "preempted"])
    #expect(attempts[0].seconds == ["total": 1] && attempts[0].predictedMemory == 3)
    #expect(attempts[0].peakMemory == 4 && attempts[0].message == "x")
    #expect(throws: LedgerError.self) {
      try ledger.write { db in
        try db.execute(
          sql: """
            INSERT INTO attempts (job_id, number, started_at) VALUES (1, 3, 1.0), (1, 4, 1.0)
            """)
      }
    }
  }
}
