import Testing

@testable import JobLedger

@Suite struct SeriesTests {
  @Test func aSeriesIsDueOnlyAfterItsQuietPeriod() throws {
    let fixture = try LedgerFixture()
    try fixture.receive(.test(1))
    fixture.clock.advance(29)
    #expect(try fixture.ledger.seriesDue(quietPeriod: 30).isEmpty)
    try fixture.receive(.test(2))
    fixture.clock.advance(29)
    #expect(try fixture.ledger.seriesDue(quietPeriod: 30).isEmpty)
    fixture.clock.advance(1)
    #expect(
      try fixture.ledger.seriesDue(quietPeriod: 30) == [
        SeriesDue(
          studyInstanceUID: "1.2", seriesInstanceUID: "1.2.3", modality: "CT", revision: 2,
          instanceCount: 2, isStudyQuiet: true)
      ])
  }

  @Test func aStudyIsQuietOnceAllItsSeriesAre() throws {
    let fixture = try LedgerFixture()
    try fixture.receive(.test(1))
    fixture.clock.advance(20)
    try fixture.receive(.test(1, series: "1.2.4"))
    try fixture.receive(.test(1, series: "9.9.1", study: "9.9"))
    fixture.clock.advance(20)
    #expect(try fixture.ledger.seriesDue(quietPeriod: 30).map(\.isStudyQuiet) == [false])
    fixture.clock.advance(20)
    let due = try fixture.ledger.seriesDue(quietPeriod: 30)
    #expect(due.map(\.studyInstanceUID).sorted() == ["1.2", "1.2", "9.9"])
    #expect(due.map(\.isStudyQuiet) == [true, true, true])
  }

  @Test func aSeriesThatIsPassedOverIsCancelledWithItsReason() throws {
    let fixture = try LedgerFixture()
    try fixture.receive(.test(1))
    fixture.clock.advance(60)
    let due = try #require(try fixture.ledger.seriesDue(quietPeriod: 30).first)
    try fixture.ledger.assembleSeries(
      due, jobs: [.test(model: "", start: .cancelled(reason: "another is better"))])
    let job = try #require(try fixture.ledger.jobs().first)
    #expect(job.state == "cancelled" && job.reason == "another is better")
    #expect(try fixture.ledger.claimJob() == nil)
  }

  /// Half a series, a broken connection, and the sender starts over: what is there already comes
  /// first, and must not make half a series look complete.
  @Test func aSenderThatStartsOverHoldsTheSeriesBack() throws {
    let fixture = try LedgerFixture()
    for number in 0..<3 { try fixture.receive(.test(number)) }
    fixture.clock.advance(29)
    for number in 0..<3 {
      #expect(try fixture.ledger.recordInstance(.test(number)) == .identical)
      fixture.clock.advance(20)
      #expect(try fixture.ledger.seriesDue(quietPeriod: 30).isEmpty)
    }
    fixture.clock.advance(10)
    #expect(try fixture.ledger.seriesDue(quietPeriod: 30).count == 1)
  }

  @Test func aRestartGivesSendersAWholeQuietPeriod() throws {
    let fixture = try LedgerFixture()
    try fixture.receive(.test(1))
    fixture.clock.advance(3600)
    try fixture.reopened().rescue()
    #expect(try fixture.ledger.seriesDue(quietPeriod: 30).isEmpty)
    fixture.clock.advance(30)
    #expect(try fixture.ledger.seriesDue(quietPeriod: 30).count == 1)
  }

  @Test func anAssembledSeriesIsNotDueAgainForTheSameInstances() throws {
    let fixture = try LedgerFixture()
    try fixture.makeJob()
    try fixture.receive(.test(1))
    fixture.clock.advance(60)
    #expect(try fixture.ledger.seriesDue(quietPeriod: 30).isEmpty)
  }

  @Test func anInstanceThatArrivesMeanwhileDefersTheSeries() throws {
    let fixture = try LedgerFixture()
    try fixture.receive(.test(1))
    fixture.clock.advance(60)
    let due = try #require(try fixture.ledger.seriesDue(quietPeriod: 30).first)
    try fixture.receive(.test(2))
    try fixture.ledger.assembleSeries(due, jobs: [.test()])
    #expect(try fixture.ledger.jobs().isEmpty)
    fixture.clock.advance(60)
    #expect(try fixture.ledger.seriesDue(quietPeriod: 30).first?.instanceCount == 2)
  }

  @Test func twoProcessesAssembleASeriesOnce() throws {
    let fixture = try LedgerFixture()
    try fixture.receive(.test(1))
    fixture.clock.advance(60)
    let other = try fixture.reopened()
    let due = try #require(try fixture.ledger.seriesDue(quietPeriod: 30).first)
    try fixture.ledger.assembleSeries(due, jobs: [.test()])
    try other.assembleSeries(due, jobs: [.test()])
    #expect(try fixture.ledger.jobs().count == 1)
  }

  @Test func aLateInstanceMakesAnotherJobOfAllInstances() throws {
    let fixture = try LedgerFixture()
    let first = try fixture.makeJob(instances: 0..<3)
    let running = try #require(try fixture.ledger.claimJob())
    #expect(running.id == first)
    let second = try fixture.makeJob(instances: 3..<4)
    #expect(second != first)
    // The running job continues with the instances it was made of.
    let all = try fixture.ledger.instances(series: "1.2.3").current
    #expect(try fixture.ledger.instances(job: first).current == Array(all.prefix(3)))
    #expect(try fixture.ledger.instances(job: second).current == all)
    #expect(try fixture.ledger.jobs().map(\.instances) == [3, 4])
  }

  @Test func aWaitingJobIsReplacedByThatOfTheLargerSeries() throws {
    let fixture = try LedgerFixture()
    let first = try fixture.makeJob(instances: 0..<3)
    let second = try fixture.makeJob(instances: 3..<4)
    #expect(try fixture.state(first) == "cancelled")
    #expect(try fixture.ledger.job(first).events.last?.kind == "cancelled")
    #expect(try fixture.ledger.claimJob()?.id == second)
    #expect(try fixture.ledger.claimJob() == nil)
  }

  @Test func aJobThatSomebodyAskedForSurvivesALateInstance() throws {
    let fixture = try LedgerFixture()
    try fixture.makeJob(instances: 0..<3)
    let wanted = try fixture.ledger.reprocess(series: "1.2.3", job: .test(model: "other"))
    try fixture.makeJob(instances: 3..<4)
    #expect(try fixture.state(wanted) == "available")
    #expect(try fixture.ledger.instances(job: wanted).current.count == 4)
  }

  @Test func aSeriesThatNoRuleMatchesIsHeldWithTheReason() throws {
    let fixture = try LedgerFixture()
    try fixture.receive(.test(1))
    fixture.clock.advance(60)
    let due = try #require(try fixture.ledger.seriesDue(quietPeriod: 30).first)
    try fixture.ledger.assembleSeries(
      due, jobs: [.test(model: "", start: .held(reason: "no rule"))])
    let job = try #require(try fixture.ledger.jobs().first)
    #expect(job.state == "held" && job.reason == "no rule" && job.finishedAt != nil)
    #expect(try fixture.ledger.claimJob() == nil)
    #expect(try fixture.ledger.series(ofStudy: "1.2").first?.models == [])
  }

  @Test func reprocessingNamesWhatWasNeverReceived() throws {
    let fixture = try LedgerFixture()
    try fixture.makeJob()
    #expect(throws: LedgerError.unknownSeries(series: "9.9", study: nil)) {
      try fixture.ledger.reprocess(series: "9.9", job: .test())
    }
    #expect(throws: LedgerError.unknownSeries(series: "9.9", study: "1.2")) {
      try fixture.ledger.series(ofStudy: "1.2", only: "9.9")
    }
    #expect(try fixture.ledger.jobs().count == 1)
  }

  @Test func reprocessingBesideAnotherProcessMakesAJobThatItSees() throws {
    let fixture = try LedgerFixture()
    try fixture.makeJob()
    let daemon = try fixture.reopened()
    _ = try daemon.claimJob()
    let before = try daemon.dataVersion()
    #expect(try daemon.dataVersion() == before)
    let job = try fixture.ledger.reprocess(series: "1.2.3", job: .test(model: "new"))
    #expect(try daemon.dataVersion() != before)
    #expect(try daemon.claimJob()?.id == job)
    #expect(try fixture.ledger.series(ofStudy: "1.2").first?.models == ["m", "new"])
  }
}
