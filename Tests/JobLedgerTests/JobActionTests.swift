import Foundation
import Testing

@testable import JobLedger

/// What an administrator does with jobs.
@Suite struct JobActionTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  init() throws { fixture = try LedgerFixture() }

  private func apply(_ action: JobAction, _ job: Int64, isDryRun: Bool = false) throws -> JobChange
  {
    var selection = JobSelection()
    selection.jobs = [job]
    let changes = try ledger.apply(action, to: selection, reason: "because", isDryRun: isDryRun)
    return try #require(changes.count == 1 ? changes.first : nil)
  }

  private func failed(_ times: Int, _ job: Int64) throws {
    for _ in 0..<times {
      fixture.clock.advance(600)
      _ = try #require(try ledger.claimJob())
      try ledger.failJob(job, reason: "no luck", policy: .jobs)
    }
  }

  /// Each action on a job in each state: what it becomes, nil where nothing is done.
  @Test(arguments: JobState.allCases)
  func actionsChangeOnlyWhatTheyCan(state: JobState) throws {
    let expected: [(JobAction, [JobState: JobState])] = [
      (.retry, [.held: .available, .retryable: .retryable]),
      (
        .cancel,
        [.available: .cancelled, .running: .cancelled, .retryable: .cancelled, .held: .cancelled]
      ),
      (.hold, [.available: .held, .retryable: .held]), (.release, [:]), (.releaseVolume(1), [:]),
      (.prioritize(5), [.available: .available, .retryable: .retryable]),
    ]
    for (action, outcomes) in expected {
      let fixture = try LedgerFixture()
      let job = try fixture.makeJob(in: state)
      var selection = JobSelection()
      selection.jobs = [job]
      let before = try fixture.ledger.job(job)
      let announced = try fixture.ledger.apply(action, to: selection, isDryRun: true)
      #expect(try fixture.ledger.job(job) == before, "a dry run changes nothing")
      let changes = try fixture.ledger.apply(action, to: selection)
      #expect(changes == announced)
      #expect(changes.map(\.isChanged) == [outcomes[state] != nil], "\(action) on \(state)")
      #expect(
        try fixture.state(job) == (outcomes[state] ?? state).rawValue, "\(action) on \(state)")
      if outcomes[state] == nil { #expect(try fixture.ledger.job(job) == before) }
    }
  }

  @Test func aJobThatFailedForGoodGetsAsManyAttemptsAgain() throws {
    let job = try fixture.makeJob()
    try failed(3, job)
    let held = try ledger.job(job).job
    #expect(held.state == "held" && held.reason == "failed 3 times, at last: no luck")
    #expect(try apply(.retry, job).isChanged)
    #expect(try ledger.job(job).job.reason == nil)
    try failed(2, job)
    #expect(try fixture.state(job) == "retryable")
    try failed(1, job)
    #expect(try fixture.state(job) == "held")
    #expect(try ledger.job(job).attempts.count == 6)
    #expect(try ledger.job(job).events.contains { $0.message == "by an administrator: because" })
  }

  @Test func whatWaitsAfterAFailureRunsAtOnce() throws {
    let job = try fixture.makeJob()
    try failed(1, job)
    #expect(try ledger.claimJob() == nil)
    #expect(try apply(.retry, job).isChanged)
    #expect(try ledger.claimJob()?.id == job)
  }

  @Test func aHeldJobWaitsUntilItIsReleased() throws {
    let job = try fixture.makeJob()
    #expect(try apply(.hold, job).isChanged)
    #expect(try ledger.job(job).job.reason == "held by an administrator: because")
    #expect(try ledger.claimJob() == nil)
    #expect(try apply(.release, job).isChanged)
    #expect(try ledger.claimJob()?.id == job)
    try ledger.holdJob(job, reason: "slices are missing")
    #expect(try !apply(.release, job).isChanged, "the gate held it")
  }

  /// A person's word counts for the result that was looked at, and until the job is held again.
  @Test func aSuspectResultIsReleased() throws {
    let job = try fixture.makeJob()
    let suspect = "suspect: liver 200.0 ml, usual are 800 to 3000"
    /// - Returns: whether the result may be sent although it is suspect.
    func run(_ digit: String) throws -> Bool {
      fixture.clock.advance(3600)
      _ = try #require(try ledger.claimJob())
      let identity = JobIdentity(
        fingerprint: String(repeating: digit, count: 64),
        modelSHA256: String(repeating: "e", count: 64))
      try ledger.identifyJob(job, identity, seriesInstanceUID: "2.25.101", replaced: nil)
      return try ledger.isResultReleased(job: job)
    }
    #expect(try !run("a"))
    try ledger.holdJob(job, reason: suspect)
    // To try it again says nothing of the result.
    #expect(try apply(.retry, job).isChanged)
    #expect(try !run("a"))
    try ledger.holdJob(job, reason: suspect)
    // Nobody has looked at every result of a study.
    var study = JobSelection()
    study.study = "1.2"
    let unseen = try ledger.apply(.release, to: study)
    #expect(unseen.map(\.job) == [job] && unseen.allSatisfy { !$0.isChanged })
    let change = try apply(.release, job)
    #expect(
      change.isChanged
        && change.outcome == "its result is made again, and sent although it is suspect")
    #expect(try run("a"))
    try ledger.failJob(job, reason: "no luck", policy: .jobs)
    #expect(try run("a"), "a failure takes nothing back")
    try ledger.failJob(job, reason: "no luck", policy: .jobs)
    #expect(try !run("b"), "with another model it is another result")
    try ledger.holdJob(job, reason: suspect)
    #expect(try apply(.release, job).isChanged)
    #expect(try run("b"))
    try ledger.holdJob(job, reason: "slices are missing")
    #expect(try apply(.retry, job).isChanged)
    #expect(try !run("b"), "it was held since")
    let told = try ledger.job(job).events.filter {
      $0.kind == "result released" || $0.kind == "release lapsed"
    }
    #expect(told.map(\.kind) == ["result released", "release lapsed", "result released"])
    #expect(told.first?.cause == .person)
    #expect(told.first?.message == "by an administrator: because")
  }

  /// What was kept for whoever decides is not needed any more.
  @Test func theFilesOfASuspectResultGoWithItsJob() throws {
    let job = try fixture.makeJob()
    _ = try ledger.claimJob()
    try ledger.holdJob(job, reason: "suspect: liver 200.0 ml, usual are 800 to 3000")
    #expect(try ledger.filesToRemove().isEmpty)
    #expect(try apply(.cancel, job).isChanged)
    #expect(try ledger.filesToRemove() == ["results/\(job)"])
  }

  @Test func jobsOfHigherPriorityRunFirst() throws {
    let first = try fixture.makeJob(series: "1.1")
    let second = try fixture.makeJob(series: "1.5")
    let third = try fixture.makeJob(series: "1.7")
    #expect(try apply(.prioritize(3), third).isChanged)
    #expect(try apply(.prioritize(-1), first).isChanged)
    #expect(try (0..<3).map { _ in try ledger.claimJob()?.id } == [third, second, first])
  }

  /// More instances of an urgent series leave it urgent, whoever made it so.
  @Test func theJobThatTakesAnothersPlaceKeepsItsPriority() throws {
    let first = try fixture.makeJob()
    #expect(try apply(.prioritize(7), first).isChanged)
    try fixture.receive(.test(3))
    fixture.clock.advance(60)
    let due = try #require(try fixture.due().first)
    try ledger.assembleSeries(due, jobs: [NewJob(model: "m", priority: 2)])
    #expect(try ledger.jobs().map(\.state) == ["cancelled", "available"])
    #expect(try ledger.jobs().map(\.priority) == [7, 7])
    let event = try ledger.job(try #require(try ledger.jobs().last).id).events.first
    #expect(event?.message == "job for model m, priority 7")
  }

  /// A series for which there was no rule.
  @Test func aSeriesThatWasHeldBeforeItsJobRanIsAssembledAnew() throws {
    try fixture.receive(.test(1))
    let due = try #require(try fixture.due().first)
    try ledger.assembleSeries(
      due,
      jobs: [.test(model: "", start: .held(reason: "no rule")), .test(start: .held(reason: "gap"))])
    #expect(try fixture.due().isEmpty)
    let jobs = try ledger.jobs().map(\.id)
    #expect(try apply(.retry, jobs[0]).isChanged)
    #expect(try ledger.jobs().map(\.state) == ["cancelled", "cancelled"])
    try ledger.assembleSeries(try #require(try fixture.due().first), jobs: [.test()])
    #expect(try ledger.claimJob() != nil)
    #expect(try !apply(.retry, jobs[1]).isChanged)
  }

  @Test func aJobWhosePlaceAnotherTookIsNotRetried() throws {
    let job = try fixture.makeJob()
    _ = try ledger.claimJob()
    try ledger.holdJob(job, reason: "slices are missing")
    let later = try fixture.makeJob(instances: 3..<4)
    let change = try apply(.retry, job)
    #expect(!change.isChanged && change.outcome == "job \(later) took its place")
  }

  @Test func undeliveredResultsAreSentNow() throws {
    let job = try fixture.makeJob()
    _ = try ledger.claimJob()
    try ledger.completeJob(job, result: .test(job), destinations: ["away", "pacs"])
    for (isPermanent, error) in [(true, "0xA900"), (false, "unreachable")] {
      let delivery = try #require(try ledger.claimDelivery())
      try ledger.markDeliveryFailed(delivery, .refused, error: error, isPermanent: isPermanent)
    }
    #expect(try ledger.job(job).job.deliveries.map(\.state) == ["held", "waiting"])
    fixture.clock.advance(0)
    #expect(try ledger.claimDelivery() == nil)
    #expect(try apply(.retry, job).isChanged)
    #expect(try ledger.claimDelivery()?.destination == "away")
    #expect(try ledger.claimDelivery()?.destination == "pacs")
    #expect(try ledger.claimDelivery() == nil)
  }

  /// An older result must never reach a destination after a newer one.
  @Test func aHeldDeliveryOfAnOlderResultIsNotSentAnyMore() throws {
    let old = try fixture.makeJob()
    _ = try ledger.claimJob()
    try ledger.completeJob(old, result: .test(old), destinations: ["pacs"])
    let delivery = try #require(try ledger.claimDelivery())
    try ledger.markDeliveryFailed(delivery, .refused, error: "0xA900", isPermanent: true)
    let new = try fixture.makeJob(instances: 3..<4)
    _ = try ledger.claimJob()
    try ledger.completeJob(new, result: .test(new), destinations: ["pacs"])
    #expect(try ledger.job(old).job.deliveries.map(\.state) == ["superseded"])
    #expect(try !apply(.retry, old).isChanged)
    #expect(try ledger.claimDelivery()?.job == new)
    #expect(try ledger.claimDelivery() == nil)
  }

  /// Refused instances and a broken association; what is missing later holds the series again.
  @Test func aReleasedSeriesIsProcessedAsItIs() throws {
    let broken = fixture.association()
    try fixture.receive(1...3, over: broken)
    try ledger.recordRefusal(.test(4), association: broken)
    try ledger.endAssociation(broken, .connectionLost, message: "reset")
    #expect(try fixture.assembleDue() == ["held"])
    let job = try #require(try ledger.jobs().first)
    #expect(try apply(.retry, job.id).outcome == "its series is assembled anew")
    #expect(try fixture.assembleDue() == ["cancelled", "held"], "it still lacks instances")
    fixture.clock.advance(1)
    let again = try #require(try ledger.jobs().last)
    #expect(try apply(.release, again.id).isChanged)
    let known = try ledger.incompleteness(series: "1.2.3")
    #expect(known.isEmpty && known.remarks.contains { $0.contains("released by an administrator") })
    #expect(known.remarks.contains { $0.contains("lost connection") })
    #expect(try fixture.assembleDue() == ["cancelled", "cancelled", "available"])
    #expect(try ledger.refusals().isEmpty)
    // Another one.
    fixture.clock.advance(1)
    try ledger.recordRefusal(.test(5))
    #expect(try !ledger.incompleteness(series: "1.2.3").isEmpty)
    #expect(try fixture.assembleDue().last == "held")
  }

  @Test func jobsAreChosenByEveryCondition() throws {
    let old = try fixture.makeJob(series: "1.1", model: "liver")
    fixture.clock.advance(86_400)
    let new = try fixture.makeJob(series: "1.5", model: "liver")
    let other = try fixture.makeJob(series: "1.7", model: "lung")
    func chosen(_ change: (inout JobSelection) -> Void) throws -> [Int64] {
      var selection = JobSelection()
      change(&selection)
      return try ledger.apply(.cancel, to: selection, isDryRun: true).map(\.job)
    }
    #expect(try chosen { _ in } == [old, new, other])
    #expect(try chosen { $0.jobs = [old, other] } == [old, other])
    #expect(try chosen { $0.model = "liver" } == [old, new])
    #expect(try chosen { $0.series = "1.7" } == [other])
    #expect(try chosen { $0.study = "1.2" } == [old, new, other])
    #expect(try chosen { $0.study = "9" } == [])
    let hourAgo = fixture.clock.now - 3600
    #expect(try chosen { $0.madeBefore = hourAgo } == [old])
    #expect(
      try chosen {
        $0.madeAfter = hourAgo
        $0.model = "liver"
      } == [new])
    _ = try apply(.cancel, new)
    #expect(try chosen { $0.states = [.available] } == [old, other])
    #expect(try chosen { $0.states = [.cancelled, .held] } == [new])
  }
}
