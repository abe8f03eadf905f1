import Foundation
import Testing

@testable import JobLedger

/// What is asked for twice is done once, and what is meant is found.
@Suite struct ReprocessingTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  init() throws { fixture = try LedgerFixture() }

  private func request(_ job: NewJob = .test(), series: String = "1.2.3") throws -> RequestedJob {
    try ledger.requestJob(series: series, job)
  }

  @Test func aJobThatWaitsIsNotMadeTwice() throws {
    let job = try fixture.makeJob()
    #expect(try ledger.waitingJob(like: .test(), series: "1.2.3") == job)
    #expect(try request() == RequestedJob(id: job, isNew: false))
    #expect(try fixture.reopened().requestJob(series: "1.2.3", .test()).isNew == false)
    #expect(try ledger.jobs().count == 1)
    #expect(try ledger.job(job).events.map(\.kind) == ["created", "asked again", "asked again"])

    // Whatever is different is another job.
    var forced = NewJob.test()
    forced.isForced = true
    var volume = NewJob.test()
    volume.volume = ChosenVolume("EchoTime=20", by: .person)
    for other in [.test(model: "other"), forced, volume] { #expect(try request(other).isNew) }
    // One that is forced does for one that is not, and not the other way round.
    _ = try ledger.claimJob(id: job)
    #expect(try !request().isNew && ledger.jobs().count == 4)
  }

  /// In one transaction: all of them, or none.
  @Test func manyJobsAreMadeTogether() throws {
    let waiting = try fixture.makeJob()
    try fixture.makeJob(series: "1.2.4", model: "other")
    let jobs = ["1.2.3", "1.2.4", "1.2.4"].map { (series: $0, job: NewJob.test()) }
    let made = try ledger.requestJobs(jobs)
    #expect(made.map(\.isNew) == [false, true, false])
    #expect(made[0].id == waiting && made[1].id == made[2].id)
    let count = try ledger.jobs().count
    #expect(throws: LedgerError.unknownSeries(series: "9", study: nil)) {
      try ledger.requestJobs([
        (series: "1.2.4", job: NewJob.test(model: "third")), (series: "9", job: NewJob.test()),
      ])
    }
    #expect(try ledger.jobs().count == count)
  }

  /// A person who asks for the volume that a rule chose has chosen it for later jobs too.
  @Test func aPersonsVolumeIsRememberedWhereItsJobWaits() throws {
    var job = NewJob.test()
    try fixture.makeJob(model: "other")
    job.volume = ChosenVolume("EchoTime=80", by: .rule)
    let waiting = try request(job).id
    job.volume = ChosenVolume("EchoTime=80", by: .person)
    #expect(try request(job) == RequestedJob(id: waiting, isNew: false))
    #expect(try ledger.job(waiting).job.volume?.cause == .person)
    job.volume = ChosenVolume("EchoTime=80", by: .rule)
    #expect(try !request(job).isNew)
    #expect(try ledger.job(waiting).job.volume?.cause == .person)
  }

  @Test func moreImagesMakeAnotherJob() throws {
    let job = try fixture.makeJob()
    try fixture.receive(.test(9))
    let next = try request()
    #expect(next.isNew && next.id != job)
  }

  @Test func theHigherPriorityAndTheEarlierTimeCount() throws {
    var slow = NewJob.test(model: "slow")
    (slow.priority, slow.delay) = (-1000, 3600)
    try fixture.makeJob()
    let job = try request(slow).id
    #expect(try ledger.claimJob()?.model == "m")
    #expect(try ledger.claimJob() == nil, "its time has not come")
    var soon = NewJob.test(model: "slow")
    soon.priority = 5
    #expect(try request(soon).id == job)
    #expect(try ledger.job(job).job.priority == 5)
    #expect(try ledger.claimJob()?.id == job)
  }

  /// Held for the same reason is waiting for the same.
  @Test func aHeldJobIsNotMadeTwice() throws {
    try fixture.makeJob(model: "other")
    let held = NewJob.test(start: .held(reason: "instances are missing"))
    let job = try request(held)
    #expect(job.isNew)
    #expect(try request(held) == RequestedJob(id: job.id, isNew: false))
    #expect(try request(.test(start: .held(reason: "another"))).isNew)
    #expect(try request().isNew)
  }

  private func selected(_ change: (inout ReprocessSelection) -> Void) throws -> [String] {
    var selection = ReprocessSelection()
    change(&selection)
    return try ledger.selectedSeries(selection).map(\.seriesInstanceUID)
  }

  @Test func seriesAreFoundByWhatIsKnownOfThem() throws {
    try fixture.makeJob(series: "1.2.3")
    let failed = try fixture.makeJob(series: "1.2.4", model: "liver")
    _ = try #require(try ledger.claimJob(id: failed))
    try ledger.holdJob(failed, reason: "no")
    let half = fixture.clock.now
    fixture.clock.advance(1)
    try fixture.receive(.test(1, series: "9.9.1", study: "9.9"))
    #expect(try selected { _ in } == ["1.2.3", "1.2.4", "9.9.1"])
    #expect(try selected { $0.uids = ["1.2"] } == ["1.2.3", "1.2.4"])
    #expect(try selected { $0.uids = ["9.9", "1.2.4", "5.5"] } == ["1.2.4", "9.9.1"])
    #expect(try selected { $0.receivedSince = half } == ["9.9.1"])
    #expect(try selected { $0.model = "liver" } == ["1.2.4"])
    #expect(try selected { $0.onlyFailed = true } == ["1.2.4"])
    #expect(
      try selected {
        $0.onlyFailed = true
        $0.uids = ["9.9"]
      } == [])
    #expect(try ledger.unknown(["1.2", "1.2.3", "5.5"]) == ["5.5"])
    // What a person holds has not failed, nor what was tried again.
    _ = try ledger.requestJob(series: "1.2.4", .test(model: "liver"))
    #expect(try selected { $0.onlyFailed = true } == [])
    var all = JobSelection()
    all.states = [.available]
    _ = try ledger.apply(.hold, to: all)
    #expect(try selected { $0.onlyFailed = true } == [])
  }

  @Test func progressCountsStatesAndWhatIsToBeSent() throws {
    let job = try fixture.makeJob()
    let other = try fixture.makeJob(series: "1.2.4")
    _ = try #require(try ledger.claimJob(id: job))
    try ledger.completeJob(job, result: .test(job), destinations: ["pacs"])
    let progress = try ledger.progress(ofJobs: [job, other])
    #expect(progress.text == "1 available, 1 completed")
    #expect(progress.ended == 1 && progress.undelivered == 1)
    try ledger.markDelivered(try #require(try ledger.claimDelivery()))
    #expect(try ledger.progress(ofJobs: [job]).undelivered == 0)
  }

  @Test func theResultThatCountsIsTheLastOne() throws {
    let job = try fixture.makeJob()
    #expect(try ledger.currentResult(series: "1.2.3", model: "m") == nil)
    _ = try #require(try ledger.claimJob(id: job))
    try ledger.completeJob(job, result: .test(job), destinations: [])
    let next = try request().id
    _ = try #require(try ledger.claimJob(id: next))
    try ledger.completeJob(next, sameAs: job, destinations: [])
    #expect(try ledger.currentResult(series: "1.2.3", model: "m")?.job == next)
  }
}
