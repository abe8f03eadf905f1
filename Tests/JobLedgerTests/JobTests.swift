import Foundation
import Testing

@testable import JobLedger

/// What a process can ask of a job.
private enum Operation: CaseIterable {
  case claim, complete, hold, fail, release, postpone, yield, cancel

  var allowedFrom: [JobState] {
    switch self {
    case .claim: [.available, .retryable]
    case .complete, .hold, .fail, .release, .postpone, .yield: [.running]
    case .cancel: [.available, .retryable, .running]
    }
  }

  func apply(_ job: Int64, _ ledger: Ledger) throws {
    switch self {
    case .claim:
      guard try ledger.claimJob(id: job)?.id == job else { throw NotClaimed() }
    case .complete: try ledger.completeJob(job, result: .test(job), destinations: ["pacs"])
    case .hold: try ledger.holdJob(job, reason: "slices are missing")
    case .fail: try ledger.failJob(job, reason: "failed", policy: .jobs)
    case .release: try ledger.releaseJob(job)
    case .postpone: try ledger.postponeJob(job, reason: "no room", policy: .memory)
    case .yield: try ledger.yieldJob(job, reason: "to job 9 of priority 5")
    case .cancel: try ledger.cancelJob(job, reason: "not wanted")
    }
  }
}

private struct NotClaimed: Error {}

extension LedgerFixture {
  /// A job that has come to a state in an ordinary way.
  func makeJob(in state: JobState) throws -> Int64 {
    let job = try makeJob()
    if ![.available, .cancelled].contains(state) { _ = try ledger.claimJob() }
    switch state {
    case .available, .running: break
    case .retryable: try ledger.failJob(job, reason: "failed", policy: .jobs)
    case .completed: try ledger.completeJob(job, result: .test(job), destinations: [])
    case .held: try ledger.holdJob(job, reason: "slices are missing")
    case .cancelled: try ledger.cancelJob(job, reason: "not wanted")
    }
    return job
  }
}

@Suite struct JobTests {
  @Test(arguments: JobState.allCases)
  func aJobChangesItsStateOnlyInOrder(state: JobState) throws {
    for operation in Operation.allCases {
      let fixture = try LedgerFixture()
      let job = try fixture.makeJob(in: state)
      #expect(try fixture.state(job) == state.rawValue)
      let before = try fixture.ledger.job(job)
      if operation.allowedFrom.contains(state) {
        try operation.apply(job, fixture.ledger)
        #expect(try fixture.state(job) != state.rawValue, "\(operation)")
      } else {
        #expect(throws: (any Error).self, "\(operation)") {
          try operation.apply(job, fixture.ledger)
        }
        #expect(try fixture.ledger.job(job) == before, "\(operation)")
      }
    }
  }

  /// The file itself refuses what a mistake in this program would write.
  @Test(arguments: JobState.allCases)
  func theFileRefusesEveryOtherChangeOfState(state: JobState) throws {
    for next in JobState.allCases {
      let fixture = try LedgerFixture()
      let job = try fixture.makeJob(in: state)
      let change = {
        try fixture.ledger.write { db in
          try db.execute(
            sql: "UPDATE jobs SET state = ?, finished_at = ?, reason = 'x' WHERE id = ?",
            arguments: [next.rawValue, next.isFinal ? 1.0 : nil, job])
        }
      }
      if state.next.contains(next) {
        try change()
      } else {
        #expect(throws: LedgerError.self, "\(state) to \(next)") { try change() }
      }
    }
  }

  @Test(arguments: [
    "UPDATE jobs SET state = 'paused'",
    "UPDATE jobs SET state = 'completed'",
    "UPDATE jobs SET finished_at = 1.0",
    "UPDATE jobs SET attempt_count = -1",
    "UPDATE jobs SET series_uid = '9.9'",
    "UPDATE series SET assembled_revision = revision + 1",
    "UPDATE instances SET byte_count = 0",
    "UPDATE instances SET content_hash = 'abc'",
    "UPDATE attempts SET outcome = 'failed'",
    "INSERT INTO attempts (job_id, number, started_at) VALUES (1, 2, 1.0)",
    "INSERT INTO deliveries (job_id, destination, state, scheduled_at) VALUES (1, 'x', 'waiting', 1.0)",
    "UPDATE events SET message = 'nothing happened'",
    "DELETE FROM events",
    "DELETE FROM series",
  ])
  func theFileRefuses(statement: String) throws {
    let fixture = try LedgerFixture()
    _ = try fixture.makeJob(in: .running)
    #expect(throws: LedgerError.self) {
      try fixture.ledger.write { db in try db.execute(sql: statement) }
    }
  }

  @Test func aJobCarriesWhatIsAskedOfItThroughEveryAttempt() throws {
    let fixture = try LedgerFixture()
    for number in 0..<2 { try fixture.receive(.test(number)) }
    fixture.clock.advance(60)
    var new = NewJob.test(model: "hippocampus")
    new.isForced = true
    let due = try #require(try fixture.ledger.seriesDue(quietPeriod: 30).first)
    try fixture.ledger.assembleSeries(due, jobs: [new])
    for attempt in 1...2 {
      let job = try #require(try fixture.ledger.claimJob())
      #expect(job.attempt == attempt && job.model == "hippocampus")
      #expect(job.studyInstanceUID == "1.2" && job.seriesInstanceUID == "1.2.3")
      #expect(job.isForced)
      try fixture.ledger.failJob(job.id, reason: "out of memory", policy: .jobs)
      fixture.clock.advance(600)
    }
  }

  @Test func jobsAreClaimedInTheOrderOfTheirMakingAndOnlyWhenDue() throws {
    let fixture = try LedgerFixture()
    let first = try fixture.makeJob(series: "1.1")
    let second = try fixture.makeJob(series: "1.5")
    #expect(try fixture.ledger.claimJob()?.id == first)
    try fixture.ledger.failJob(first, reason: "failed", policy: .jobs)
    #expect(try fixture.ledger.claimJob()?.id == second)
    #expect(try fixture.ledger.claimJob() == nil)
    // 10 s, and up to a fifth of that less or more.
    fixture.clock.advance(7.9)
    #expect(try fixture.ledger.claimJob() == nil)
    fixture.clock.advance(4.2)
    #expect(try fixture.ledger.claimJob()?.id == first)
  }

  @Test func aJobIsHeldAfterItsLastAttemptAndKeepsTheHistory() throws {
    let fixture = try LedgerFixture()
    let job = try fixture.makeJob()
    for attempt in 1...3 {
      #expect(try fixture.ledger.claimJob()?.attempt == attempt)
      try fixture.ledger.failJob(job, reason: "failure \(attempt)", policy: .jobs)
      let summary = try fixture.ledger.job(job).job
      let pause = summary.nextAt?.timeIntervalSince(fixture.clock.now)
      #expect((pause ?? 0 > 0) == (attempt < 3), "\(summary)")
      fixture.clock.advance(600)
    }
    let detail = try fixture.ledger.job(job)
    #expect(detail.job.state == "held")
    #expect(detail.job.reason == "failed 3 times, at last: failure 3")
    #expect(detail.attempts.map(\.outcome) == ["failed", "failed", "failed"])
    #expect(
      detail.attempts.map(\.message)
        == ["failure 1", "failure 2", "failed 3 times, at last: failure 3"])
    #expect(
      detail.events.map(\.kind) == [
        "created", "started", "retryable", "started", "retryable", "started", "held",
      ])
    #expect(detail.events.map(\.cause).suffix(2) == [.program, .fault])
    #expect(try fixture.ledger.claimJob() == nil)
  }

  @Test func shuttingDownIsNotAFailedAttempt() throws {
    let fixture = try LedgerFixture()
    let job = try fixture.makeJob()
    for _ in 0..<5 {
      _ = try fixture.ledger.claimJob()
      try fixture.ledger.releaseJob(job)
    }
    _ = try fixture.ledger.claimJob()
    try fixture.ledger.failJob(job, reason: "failed", policy: .jobs)
    #expect(try fixture.state(job) == "retryable")
  }

  /// A fault of the machine is not the study's: the job waits for as long as it takes, with longer
  /// and longer pauses, and its attempts are all left.
  @Test func aPostponedJobIsNeverDiscarded() throws {
    let fixture = try LedgerFixture()
    let job = try fixture.makeJob()
    for pause in [5.0, 10, 20, 40, 80, 160, 320, 600] + [Double](repeating: 600, count: 40) {
      _ = try #require(try fixture.ledger.claimJob())
      try fixture.ledger.postponeJob(
        job, reason: "no space left on device: /results", policy: .machineFaults)
      fixture.clock.advance(0.8 * pause - 0.1)
      #expect(try fixture.ledger.claimJob() == nil)
      fixture.clock.advance(0.4 * pause + 0.2)
    }
    let waiting = try fixture.ledger.job(job)
    #expect(waiting.job.state == "retryable")
    #expect(waiting.job.reason == "no space left on device: /results")
    // After another outcome the pauses start from the first again.
    _ = try #require(try fixture.ledger.claimJob())
    try fixture.ledger.failJob(job, reason: "failed", policy: .jobs)
    fixture.clock.advance(12.1)
    _ = try #require(try fixture.ledger.claimJob())
    try fixture.ledger.postponeJob(job, reason: "no space", policy: .machineFaults)
    fixture.clock.advance(6.1)
    _ = try #require(try fixture.ledger.claimJob())
    try fixture.ledger.failJob(job, reason: "failed", policy: .jobs)
    #expect(try fixture.state(job) == "retryable")
  }

  @Test func aCancelledJobCannotLeaveAResult() throws {
    let fixture = try LedgerFixture()
    let job = try fixture.makeJob(in: .running)
    try fixture.ledger.cancelJob(job, reason: "wrong model")
    #expect(throws: LedgerError.wrongState(job: job, state: "cancelled", needed: "running")) {
      try fixture.ledger.completeJob(job, result: .test(job), destinations: ["pacs"])
    }
    #expect(try fixture.ledger.claimDelivery() == nil)
    #expect(try fixture.ledger.job(job).attempts.map(\.outcome) == ["cancelled"])
  }

  /// What was held of fewer instances, or before it was tried again, is nothing that anybody has to do; what is
  /// held of another model for the same instances is.
  @Test func aHeldJobEndsWhereANewerResultTookItsPlace() throws {
    let fixture = try LedgerFixture()
    let ledger = fixture.ledger
    let first = try fixture.makeJob()
    _ = try ledger.claimJob(id: first)
    try ledger.holdJob(first, reason: "slices are missing")
    let other = try ledger.reprocess(series: "1.2.3", job: .test(model: "other"))
    _ = try ledger.claimJob(id: other)
    try ledger.holdJob(other, reason: "a fault")
    let retried = try ledger.reprocess(series: "1.2.3", job: .test())
    _ = try ledger.claimJob(id: retried)
    try ledger.completeJob(retried, result: .test(retried), destinations: [])
    #expect(try ledger.jobs().map(\.state) == ["cancelled", "held", "completed"])
    #expect(try ledger.job(first).job.reason == "the result of job \(retried) took its place")
    let event = try #require(try ledger.job(first).events.last)
    #expect(event.kind == "cancelled" && event.cause == .program)

    let larger = try fixture.makeJob(instances: 3..<4)
    _ = try ledger.claimJob(id: larger)
    try ledger.completeJob(larger, result: .test(larger), destinations: [])
    #expect(
      try ledger.jobs().map(\.state) == ["cancelled", "cancelled", "completed", "completed"])
    #expect(try LedgerStatisticsReader(ledger).read().studies == [.done: 1])
  }

  /// As in a ledger of a version that let them be held.
  @Test func heldJobsOfBeforeEndAtTheStart() throws {
    let fixture = try LedgerFixture()
    let ledger = fixture.ledger
    let first = try fixture.makeJob()
    _ = try ledger.claimJob(id: first)
    try ledger.holdJob(first, reason: "slices are missing")
    let alone = try fixture.makeJob(series: "1.2.4", instances: 10..<13)
    _ = try ledger.claimJob(id: alone)
    try ledger.holdJob(alone, reason: "tilted")
    func setIncomplete(_ isIncomplete: Bool) throws {
      try ledger.write {
        try $0.execute(
          sql: """
            UPDATE series SET held_as_incomplete = \(isIncomplete ? 1 : 0) WHERE series_uid = '1.2.3'
            """)
      }
    }
    // So that the completion leaves it.
    try setIncomplete(true)
    let newer = try ledger.reprocess(series: "1.2.3", job: .test())
    _ = try ledger.claimJob(id: newer)
    try ledger.completeJob(newer, result: .test(newer), destinations: [])
    let last = try ledger.reprocess(series: "1.2.3", job: .test())
    _ = try ledger.claimJob(id: last)
    try ledger.holdJob(last, reason: "a fault")
    #expect(try ledger.cancelOutdatedJobs() == [])
    try setIncomplete(false)
    #expect(try ledger.cancelOutdatedJobs() == [first])
    #expect(try ledger.jobs().map(\.state) == ["cancelled", "held", "completed", "held"])
    let event = try #require(try ledger.job(first).events.last)
    #expect(event.kind == "cancelled" && event.cause == .program)
    #expect(event.message == "the result of job \(newer) took its place")
    #expect(try ledger.cancelOutdatedJobs() == [])
    #expect(try ledger.checkConsistency().findings == [])
  }

  @Test func anUnknownJobIsNamed() throws {
    let fixture = try LedgerFixture()
    #expect(throws: LedgerError.unknownJob(7)) { try fixture.ledger.holdJob(7, reason: "x") }
    #expect(throws: LedgerError.unknownJob(7)) { try fixture.ledger.job(7) }
    #expect(try fixture.ledger.claimJob(id: 7) == nil)
  }

  @Test func jobsAreListedByStudyAndCountedByState() throws {
    let fixture = try LedgerFixture()
    let job = try fixture.makeJob(in: .completed)
    try fixture.receive(.test(1, series: "5.5", study: "5"))
    fixture.clock.advance(60)
    for due in try fixture.ledger.seriesDue(quietPeriod: 30) {
      try fixture.ledger.assembleSeries(due, jobs: [.test(), .test(model: "n")])
    }
    #expect(try fixture.ledger.jobs(study: "1.2").map(\.id) == [job])
    #expect(try fixture.ledger.jobs(study: "5").map(\.model) == ["m", "n"])
    #expect(try fixture.ledger.jobs(study: "none").isEmpty)
    #expect(try fixture.ledger.jobCounts() == ["completed": 1, "available": 2])
    let summary = try #require(try fixture.ledger.jobs(study: "1.2").first)
    #expect(summary.objects == JobResult.test(job).objects)
    #expect(summary.modelVersion == "1.0.0" && summary.instances == 3)
    let coded = try JSONEncoder().encode(summary)
    #expect(try JSONDecoder().decode(JobSummary.self, from: coded) == summary)
  }
}
