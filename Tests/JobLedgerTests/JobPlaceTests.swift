import Foundation
import Testing

@testable import JobLedger

/// Where jobs are that a cluster computes, and how far those are that were asked for together.
@Suite struct JobPlaceTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }
  private let place = JobPlace(
    cluster: "Slurm", name: "segmentd-1-2-3-1", number: 17, state: "RUNNING", node: "w1",
    partition: "batch")

  init() throws { fixture = try LedgerFixture() }

  @Test func aPlaceIsOfTheAttemptThatRuns() throws {
    let job = try fixture.makeJob()
    try ledger.note(place, of: job)
    #expect(try ledger.job(job).job.place == nil, "it does not run yet")
    _ = try ledger.claimJob()
    var waiting = place
    (waiting.state, waiting.node, waiting.reason) = ("PENDING", nil, "Resources")
    try ledger.note(waiting, of: job)
    #expect(
      try ledger.jobs().first?.place?.text
        == "Slurm's segmentd-1-2-3-1 (job 17), PENDING, partition batch, waits: Resources")
    try ledger.note(place, of: job)
    #expect(try ledger.job(job).job.place == place)
    try ledger.postponeJob(job, reason: "on node w1: no space", policy: .machineFaults)
    let detail = try ledger.job(job)
    #expect(detail.job.place == nil && detail.attempts.map(\.place) == [place])
    try ledger.note(waiting, of: job)
    #expect(try ledger.job(job).attempts.map(\.place) == [place])
  }

  @Test func aPaceIsTheMedianForEachByte() throws {
    #expect(try ledger.pace(model: "m").seconds(bytes: 1) == nil)
    for (number, seconds) in zip(1..., [30.0, 3, 6]) {
      let job = try fixture.makeJob(series: "1.2.\(number)", instances: 0..<3)
      _ = try ledger.claimJob(id: job)
      try ledger.completeJob(
        job, result: .test(job), destinations: [], run: JobRun(seconds: ["total": seconds]))
    }
    let pace = try ledger.pace(model: "m")
    // Of three instances of 1000 bytes each.
    #expect(pace.jobs.map(\.bytes) == [3000, 3000, 3000])
    #expect(pace.seconds(bytes: 6000) == 12)
    #expect(try ledger.pace(model: "other").jobs.isEmpty)
    #expect(try ledger.byteCount(series: ["1.2.1", "9"]) == ["1.2.1": 3000])
  }

  @Test func howFarAReprocessingIs() throws {
    for number in 1...4 {
      let job = try fixture.makeJob(series: "1.2.\(number)")
      try ledger.cancelJob(job, reason: "not wanted")
    }
    let number = try ledger.beginReprocessing("--model m")
    var new = NewJob.test()
    new.reprocessing = number
    let jobs = try (1...4).map { try ledger.requestJob(series: "1.2.\($0)", new).id }
    var selection = JobSelection()
    selection.reprocessing = number
    var progress = try ledger.progress(of: selection)
    #expect(progress.states == ["available": 4] && progress.remaining == 4)
    #expect(progress.remainingSeconds == nil)
    _ = try ledger.claimJob(id: jobs[0])
    fixture.clock.advance(600)
    try ledger.completeJob(jobs[0], result: .test(jobs[0]), destinations: [])
    progress = try ledger.progress(of: selection)
    #expect(progress.states == ["available": 3, "completed": 1])
    #expect(progress.jobsAnHour == 6 && progress.remainingSeconds == 1800)
    #expect(try ledger.job(jobs[1]).job.reprocessing == number)

    // Stopped and resumed; what has ended stays so.
    let held = try ledger.apply(.hold, to: selection)
    #expect(held.filter(\.isChanged).map(\.job) == Array(jobs.dropFirst()))
    #expect(try ledger.claimJob() == nil)
    #expect(try ledger.progress(of: selection).remaining == 0)
    _ = try ledger.apply(.release, to: selection)
    progress = try ledger.progress(of: selection)
    #expect(progress.states == ["available": 3, "completed": 1])
    #expect(try ledger.claimJob() != nil)
  }
}
