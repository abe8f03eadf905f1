import Foundation
import GRDB
import Testing

@testable import JobLedger

/// Every statement that a daemon makes again and again is recorded as it is made, and SQLite is asked how it
/// would find the rows: never by reading a table of millions from one end to the other. What is asked at an
/// interval is in ``PeriodicQueryTests``.
@Suite struct QueryPlanTests {
  private let fixture: LedgerFixture
  private let plans: QueryPlans
  private var ledger: Ledger { fixture.ledger }

  init() throws {
    fixture = try LedgerFixture()
    plans = QueryPlans(ledger: fixture.ledger)
  }

  /// Receiving: an instance, one that is known, a refusal, the end of an association.
  @Test func receiving() throws {
    let made = try plans.statements {
      let association = fixture.association()
      try fixture.receive(1...3, over: association)
      try fixture.receive(1...1, over: association)
      _ = try ledger.recordInstance(.test(2, content: 20), association: association)
      _ = try ledger.recordInstance(.test(2), association: association)
      try ledger.recordRefusal(.test(4), association: association)
      try ledger.recordRefusal(.test(nil, series: nil, study: nil), association: association)
      _ = try ledger.recordInstance(.test(4), file: "/in/4.dcm")
      _ = try ledger.spoolPath(of: .test(1))
      try ledger.replaceFile(with: .test(1))
      try ledger.endAssociation(association, .connectionLost)
      let again = fixture.association()
      try fixture.receive(1...4, over: again)
      try ledger.endAssociation(again, .released)
      _ = try ledger.crashSuspicion(ofFile: "/in/1.dcm", version: "1")
      _ = try ledger.spoolPaths(inFolder: "spool/00/01")
      try ledger.noteTime()
    }
    try plans.expectNoScans(made, 25)
  }

  /// Assembling, with and without a query source.
  @Test func assembling() throws {
    let made = try plans.statements {
      let association = fixture.association()
      try fixture.receive(1...3, over: association)
      #expect(try fixture.due().isEmpty)
      try ledger.endAssociation(association, .connectionLost)
      fixture.clock.advance(60)
      let questions = try ledger.completenessQuestions(quietPeriod: 30)
      let policy = CompletenessPolicy(patience: 60, processesUnconfirmed: false, settleTime: 30)
      for question in questions {
        try ledger.recordCompleteness(.unreachable(reason: "x"), of: question, policy: policy)
      }
      _ = try ledger.seriesDue(quietPeriod: 30, onlyConfirmed: true)
      _ = try ledger.waitsForMissing(series: "1.2.3")
      #expect(try fixture.assembleDue() == ["held"])
      _ = try ledger.series(ofStudy: "1.2")
      _ = try ledger.unassembledSeries(ofStudy: "1.2")
      let again = fixture.association()
      try fixture.receive(1...3, over: again)
      try ledger.endAssociation(again, .released)
      #expect(try fixture.assembleDue().last == "available")
    }
    try plans.expectNoScans(made, 20)
  }

  /// Notifications and the audit log.
  @Test func tellingAndAuditing() throws {
    let job = try fixture.makeJob()
    let association = fixture.association()
    try fixture.receive(1...3, over: association)
    try ledger.endAssociation(association, .connectionLost)
    let made = try plans.statements {
      try ledger.markAudited(
        AuditPosition(event: 0, association: 0, endedAt: 0, endedAssociation: 0))
      try ledger.markTold(to: "it", upTo: 0)
      _ = try ledger.audited()
      _ = try ledger.untold(to: "it", kinds: Set(Notice.Kind.allCases))
      _ = try ledger.failingDestinations()
      try ledger.watch(.destination, "pacs", fault: "x", patience: 0)
      _ = try ledger.alarms(.destination)
      try ledger.watch(.destination, "pacs", fault: nil, patience: 0)
      _ = try ledger.transfer(ofJob: job, to: "pacs")
      _ = try ledger.study(ofJob: job)
    }
    try plans.expectNoScans(made, 12)
  }

  /// Running and delivering: what each loop asks while there is nothing, and what a job comes to.
  @Test func runningAndDelivering() throws {
    let job = try fixture.makeJob()
    let made = try plans.statements {
      _ = try ledger.processingState()
      _ = try ledger.recordDrained()
      _ = try ledger.jobsWithoutFuture(among: [job])
      _ = try #require(try ledger.claimJob())
      _ = try ledger.reasonToYield(job: job)
      _ = try ledger.instances(job: job)
      _ = try ledger.channels(job: job)
      _ = try ledger.stackedSeries(job: job)
      let identity = JobIdentity(
        fingerprint: String(repeating: "1", count: 64),
        modelSHA256: String(repeating: "2", count: 64))
      _ = try ledger.earlierResults(job: job, identity)
      try ledger.identifyJob(job, identity, seriesInstanceUID: "2.25.1", replaced: nil)
      let verdict = SeriesVerdict(seriesInstanceUID: "1.2.3", kind: .accepted, reasons: [])
      try ledger.completeJob(
        job, result: .test(job), destinations: ["pacs", "vna"], verdicts: [verdict],
        run: JobRun(seconds: ["total": 1]))
      let failed = try #require(try ledger.claimDelivery(destination: "vna"))
      try ledger.markDeliveryFailed(failed, .unreachable, error: "x")
      let sent = try #require(try ledger.claimDelivery(destination: "pacs", job: job))
      try ledger.markDelivered(sent, awaitsProof: true)
      _ = try ledger.claimDelivery(job: job)
      let policy = RetryPolicy.deliveries
      let proof = try #require(try ledger.claimProof(destination: "pacs", policy: policy))
      try ledger.recordTransaction("2.25.8", of: proof)
      _ = try ledger.recordReport("2.25.8", kept: ["2.25.\(job)"], missing: [])
      try ledger.holdDeliveries(toOthersThan: ["pacs"]) { "no \($0)" }
      let next = try ledger.reprocess(series: "1.2.3", job: .test())
      _ = try ledger.claimJob(id: next)
      try ledger.completeJob(next, sameAs: job, destinations: ["pacs"])
      let third = try ledger.reprocess(series: "1.2.3", job: .test())
      _ = try ledger.claimJob()
      try ledger.failJob(third, reason: "x", policy: .jobs)
      _ = try ledger.resultsChanged(after: 1)
      _ = try ledger.resultNotes(ofJobs: [job])
      _ = try ledger.requestedCommitment()
      _ = try ledger.dueCommitments()
    }
    try plans.expectNoScans(made, 40)
  }

  /// An archive of as many series as there are jobs of the model: each is found by its series.
  @Test func reprocessing() throws {
    let job = try fixture.makeJob()
    let made = try plans.statements {
      var selection = ReprocessSelection()
      selection.model = "m"
      #expect(try ledger.selectedSeries(selection).count == 1)
      _ = try ledger.series(ofStudy: "1.2")
      _ = try ledger.groupsWithResults(ofStudy: "1.2")
      _ = try ledger.lastJobs(ofStudy: "1.2")
      _ = try ledger.unassembledSeries(ofStudy: "1.2")
      _ = try ledger.currentResult(series: "1.2.3", model: "m")
      _ = try ledger.waitingJob(like: .test(), series: "1.2.3")
      let asked = try ledger.requestJobs([(series: "1.2.3", job: NewJob.test())])
      #expect(asked == [RequestedJob(id: job, isNew: false)])
      _ = try ledger.claimJob()
      let identity = JobIdentity(
        fingerprint: String(repeating: "1", count: 64),
        modelSHA256: String(repeating: "2", count: 64))
      _ = try ledger.earlierResults(job: job, identity)
      try ledger.record(submission: "a-1-b-1", of: job)
      #expect(try ledger.submission(ofJob: job) == "a-1-b-1")
      try ledger.completeJob(job, result: .test(job), destinations: [])
    }
    // Which series are meant is asked of all of them, once.
    try plans.expectNoScans(made.filter { !$0.contains("AS failed") }, 15)
    for sql in made { #expect(try plans.detours(sql) == [], "\(sql)") }
  }

  /// After a crash.
  @Test func starting() throws {
    let job = try fixture.makeJob()
    _ = try ledger.claimJob(id: job)
    let made = try plans.statements {
      _ = try ledger.isEmpty()
      _ = try ledger.filesToRemove(count: 1000)
      _ = try ledger.instancesInDoubt()
      #expect(try ledger.rescue() == 1)
      _ = try ledger.lostInstances()
      _ = try ledger.recordedInstances(after: 0, count: 1000)
    }
    try plans.expectNoScans(made.filter { !$0.contains("purge_files") }, 10)
  }

  @Test func purging() throws {
    let job = try fixture.makeJob()
    _ = try ledger.claimJob(id: job)
    try ledger.completeJob(job, result: .test(job), destinations: ["pacs"])
    try ledger.markDelivered(try #require(try ledger.claimDelivery()))
    let made = try plans.statements {
      let originals = try #require(try ledger.keptOriginals(after: .start).files.first)
      let result = try #require(try ledger.keptResults(after: 0).files.first)
      _ = try ledger.keptOriginals(ofSeries: "1.2.3")
      _ = try ledger.placesOfResult(job)
      _ = try ledger.purge(originals, reason: "x")
      _ = try ledger.purge(result, reason: "x")
      try ledger.forgetRemoved(try ledger.filesToRemove(count: 1000))
      _ = try ledger.removableEvents(before: .distantPast)
    }
    try plans.expectNoScans(made.filter { !$0.contains("ORDER BY path") }, 12)
  }

  /// What people ask: a page of jobs by each condition, one job, what is pending, a study.
  @Test func listing() throws {
    _ = try fixture.makeJob()
    var queries = [JobQuery()]
    queries[0].selection.study = "1.2"
    for condition in [\JobSelection.series, \.model] {
      queries.append(JobQuery())
      queries[queries.count - 1].selection[keyPath: condition] = "1.2.3"
    }
    queries.append(JobQuery())
    queries[queries.count - 1].selection.states = [.held, .retryable]
    queries.append(JobQuery())
    queries[queries.count - 1].selection.jobs = [1, 2]
    let made = try plans.statements {
      for query in queries { _ = try ledger.jobs(query) }
      _ = try ledger.job(1)
      _ = try ledger.pendingSeries()
      _ = try ledger.pendingSeriesCount()
      _ = try ledger.refusals()
      _ = try ledger.record(ofStudy: "1.2")
      _ = try ledger.studies(since: Date(), limit: 50)
      _ = try ledger.studies(uid: "1.2", limit: 1)
      _ = try ledger.results(ofModel: "m", limit: 5)
      _ = try ledger.results(ofModel: "m", jobs: [1, 2])
      _ = try ledger.completedJobs(after: 1)
      _ = try ledger.files(ofStudy: "1.2")
      _ = try ledger.lastChange()
    }
    try plans.expectNoScans(made, 24)
  }

  /// Without a condition a page is read in the order of the numbers, up to its end.
  @Test func aPageIsReadInTheOrderOfNumbers() throws {
    var query = JobQuery()
    query.limit = 100
    query.after = 5
    for isDescending in [false, true] {
      query.isDescending = isDescending
      let (sql, arguments) = query.statement { _ in 0 }
      let steps = try ledger.read { db in
        try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN \(sql)", arguments: arguments)
          .map { $0["detail"] as String }
      }
      #expect(steps.count == 1 && steps[0].hasPrefix("SEARCH jobs USING INTEGER PRIMARY KEY"))
    }
  }
}
