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

  /// Of the attempt that runs; the next one finds it.
  @Test func theSubmissionThatCountsIsRecorded() throws {
    let job = try fixture.makeJob()
    #expect(throws: LedgerError.wrongState(job: job, state: "available", needed: "running")) {
      try ledger.record(submission: "segmentd-1-2-3-1", of: job)
    }
    #expect(throws: LedgerError.unknownJob(77)) {
      try ledger.record(submission: "segmentd-1-77-3-1", of: 77)
    }
    _ = try ledger.claimJob()
    #expect(try ledger.submission(ofJob: job) == nil)
    for number in 1...2 { try ledger.record(submission: "segmentd-1-2-3-\(number)", of: job) }
    try ledger.note(place, of: job)
    #expect(try ledger.submission(ofJob: job) == "segmentd-1-2-3-2")
    try ledger.postponeJob(job, reason: "on node w1: no space", policy: .machineFaults)
    _ = try ledger.claimJob(id: job)
    #expect(try ledger.submission(ofJob: job) == "segmentd-1-2-3-2")
    try ledger.record(submission: "segmentd-1-2-3-3", of: job)
    #expect(try ledger.submission(ofJob: job) == "segmentd-1-2-3-3")
    try ledger.cancelJob(job, reason: "x")
    #expect(throws: LedgerError.wrongState(job: job, state: "cancelled", needed: "running")) {
      try ledger.record(submission: "segmentd-1-2-3-4", of: job)
    }
  }

  /// In the transaction that completes the job.
  @Test func aRunSaysWhereItWas() throws {
    let job = try fixture.makeJob()
    _ = try ledger.claimJob()
    var waiting = place
    waiting.state = "PENDING"
    try ledger.note(waiting, of: job)
    try ledger.completeJob(
      job, result: .test(job), destinations: [], run: JobRun(seconds: ["total": 1], place: place))
    #expect(try ledger.job(job).attempts.map(\.place) == [place])
  }

  /// Of three jobs next in size; what is larger needs more.
  @Test func memoryIsThatOfJobsOfItsSize() throws {
    let gigabyte = 1_000_000_000
    func pace(_ jobs: [(bytes: Int, memory: Int?)]) -> JobPace {
      JobPace(jobs: jobs.map { JobPace.Job(seconds: 1, bytes: $0.bytes, memory: $0.memory) })
    }
    #expect(pace([]).memory(bytes: 1000) == nil)
    #expect(pace([(1000, nil)]).memory(bytes: 1000) == nil)
    let sizes = pace([
      (1000, gigabyte), (1000, gigabyte + 5), (1100, gigabyte + 2), (1_000_000, 50 * gigabyte),
      (900, nil),
    ])
    #expect(sizes.memory(bytes: 1000) == gigabyte + 5)
    #expect(sizes.memory(bytes: 900) == gigabyte + 5)
    #expect(sizes.memory(bytes: 0) == nil)
    #expect(pace([(1000, gigabyte)]).memory(bytes: 2000) == 2 * gigabyte)
    #expect(pace([(2000, gigabyte)]).memory(bytes: 1000) == gigabyte)

    // Of jobs that a cluster computed: the process of a daemon has others besides.
    for (number, isOfCluster) in zip(1..., [false, true]) {
      let job = try fixture.makeJob(series: "1.2.\(number)", instances: 0..<3)
      _ = try ledger.claimJob(id: job)
      var run = JobRun(seconds: ["total": 1], predictedMemory: 10 * number, peakMemory: 7)
      if isOfCluster { run.place = place }
      try ledger.completeJob(job, result: .test(job), destinations: [], run: run)
    }
    #expect(try ledger.pace(model: "m").jobs.map(\.memory) == [20, nil])
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

  /// A new version of a model may take several times the work of the one before.
  @Test func aPaceIsThatOfTheVersionThatRanLast() throws {
    for (number, (seconds, version)) in zip(1..., [(1.0, "a"), (1, "a"), (4, "b"), (8, "b")]) {
      let job = try fixture.makeJob(series: "1.2.\(number)", instances: 0..<3)
      _ = try ledger.claimJob(id: job)
      let identity = JobIdentity(
        fingerprint: String(repeating: "\(number)", count: 64),
        modelSHA256: String(repeating: version, count: 64))
      try ledger.identifyJob(
        job, identity, seriesInstanceUID: "2.25.\(number)", replaced: nil)
      try ledger.completeJob(
        job, result: .test(job), destinations: [], run: JobRun(seconds: ["total": seconds]))
    }
    #expect(try ledger.pace(model: "m").jobs.map(\.seconds) == [8, 4])
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
