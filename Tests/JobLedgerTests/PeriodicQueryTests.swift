import Foundation
import Testing

@testable import JobLedger

/// What a daemon asks at an interval, whether anything has happened or not: each loop, and whoever watches.
@Suite struct PeriodicQueryTests {
  private let fixture: LedgerFixture
  private let plans: QueryPlans
  private var ledger: Ledger { fixture.ledger }

  init() throws {
    fixture = try LedgerFixture()
    plans = QueryPlans(ledger: fixture.ledger)
  }

  /// A study of each state, refusals, open and ended associations, deliveries, and a comparison.
  private func fill() throws {
    let association = fixture.association()
    try ledger.recordRefusal(.test(7, series: "1.3.1", study: "1.3"), association: association)
    try fixture.receive(1...3, over: association)
    try ledger.endAssociation(association, .released)
    let job = try fixture.makeJob(series: "1.2.4")
    _ = try ledger.claimJob(id: job)
    try ledger.completeJob(job, result: .test(job), destinations: ["pacs", "vna"])
    try ledger.markDelivered(try #require(try ledger.claimDelivery(destination: "pacs")))
    try receiveSegmentation(of: "1.2.4")
    _ = try fixture.makeJob(series: "1.2.5")
    let open = fixture.association()
    try fixture.receive(8...9, over: open)
  }

  /// A segmentation of somebody else, compared as far as there is something to compare it with.
  private func receiveSegmentation(of series: String) throws {
    var record = InstanceRecord.test(1, series: "1.9.\(series)")
    record.sopClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    try fixture.receive(record)
    var labelMaps: Int64 = 0
    let next = try ledger.nextExternalSegmentation(unindexedAfter: &labelMaps)
    let external = try #require(next)
    try ledger.beginReading(external)
    try ledger.record(external, of: [series], madeWith: "x", isOurs: false)
    var position = ComparisonPosition.start
    guard let due = try ledger.nextComparison(after: &position) else { return }
    try ledger.beginComparison(due)
    let score = ComparisonScore(
      segment: "liver", dice: 0.9, hd95: nil, ourMillilitres: 1, theirMillilitres: 1)
    try ledger.record(due, scanner: "s", scores: [score])
  }

  /// `/metrics`, `/readyz` and the numbers of the dashboard: nothing happened since, and something did.
  @Test func metricsAndHealth() throws {
    try fill()
    let reader = LedgerStatisticsReader(ledger)
    _ = try reader.read()
    let made = try plans.statements {
      _ = try reader.read()
      _ = try #require(try ledger.claimJob())
      try ledger.markDeliveryFailed(
        try #require(try ledger.claimDelivery(destination: "vna")), .unreachable, error: "x")
      try ledger.recordRefusal(
        .test(7, series: "1.3.1", study: "1.3"), association: fixture.association())
      _ = try reader.read()
      _ = try ledger.throughput(since: fixture.clock.now - 3600)
      _ = try ledger.lastChange()
      _ = try ledger.dataVersion()
    }
    try plans.expectNoScans(made, 24)
    // Not what the statements say, but what they find.
    #expect(try reader.read() == LedgerStatisticsReader(ledger).read())
  }

  @Test func comparing() throws {
    try fill()
    var position = ComparisonPosition.start
    var due = try ledger.nextComparison(after: &position)
    #expect(due == nil)
    var labelMaps: Int64 = 0
    var external = try ledger.nextExternalSegmentation(unindexedAfter: &labelMaps)
    #expect(external == nil && labelMaps > 0)
    let before = position
    let made = try plans.statements {
      external = try ledger.nextExternalSegmentation(unindexedAfter: &labelMaps)
      due = try ledger.nextComparison(after: &position)
    }
    #expect(external == nil && due == nil && position == before)
    #expect(made.filter { $0.contains("FROM events") }.count == 1)
    try plans.expectNoScans(made, 5)
  }

  /// Another segmentation of a series with a result, up to its scores.
  @Test func aComparisonThatIsMade() throws {
    try fill()
    let made = try plans.statements {
      var record = InstanceRecord.test(2, series: "1.9.1.2.4")
      record.sopClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
      try fixture.receive(record)
      var labelMaps: Int64 = 0
      let next = try ledger.nextExternalSegmentation(unindexedAfter: &labelMaps)
      let external = try #require(next)
      try ledger.beginReading(external)
      try ledger.record(external, of: ["1.2.4"], madeWith: "x", isOurs: false)
      var position = ComparisonPosition.start
      let found = try ledger.nextComparison(after: &position)
      let due = try #require(found)
      try ledger.beginComparison(due)
      try ledger.abandonComparison(due)
      try ledger.beginComparison(due)
      let score = ComparisonScore(
        segment: "liver", dice: 0.9, hd95: nil, ourMillilitres: 1, theirMillilitres: 1)
      try ledger.record(due, scanner: "s", scores: [score])
      _ = try ledger.resultObject("2.25.1")
    }
    #expect(made.contains { $0.contains("comparison_scores") })
    // From the start, as this is asked once: all segmentations of others.
    try plans.expectNoScans(
      made.filter { !$0.contains("external_segmentations.instance_id > ?1") }, 8)
  }

  /// The outbox, proofs, and storage commitment on both sides.
  @Test func outbox() throws {
    try fill()
    let id = try ledger.recordCommitment(
      transactionUID: "1.9", callingAETitle: "CT1", peerAddress: "10.0.0.5",
      references: [.init(sopClassUID: "1.2", sopInstanceUID: "1.2.3.1")])
    let made = try plans.statements {
      _ = try ledger.claimDelivery(destination: "none")
      _ = try ledger.claimProof(destination: "none", policy: .queries)
      try ledger.holdDeliveries(toOthersThan: ["pacs", "vna"]) { "no \($0)" }
      _ = try ledger.failingDestinations()
      _ = try ledger.requestedCommitment()
      try ledger.recordCommitmentOutcome(id, failureReasons: [nil])
      _ = try ledger.dueCommitments()
      try ledger.markNotReported(id, error: "no association")
      try ledger.markReported(id)
    }
    try plans.expectNoScans(made, 15)
  }

  /// Each hour, and while the disk is short: what is kept is read in portions.
  @Test func retention() throws {
    try fill()
    let made = try plans.statements {
      var position: KeptPosition? = .start
      while let next = position { position = try ledger.keptOriginals(after: next).next }
      var last: Int64? = 0
      while let next = last { last = try ledger.keptResults(after: next).next }
      _ = try ledger.bytesOfOriginals()
      _ = try ledger.removableEvents(before: .distantPast)
      _ = try ledger.purgeEvents(before: .distantPast, reason: "x")
    }
    try plans.expectNoScans(made, 4)
  }

  /// Golden checks, workitems of a worklist server, and the hours of processing.
  @Test func checksAndWorkitems() throws {
    try fill()
    let made = try plans.statements {
      _ = try ledger.nextGoldenCheck()
      _ = try ledger.lastGoldenChecks()
      _ = try ledger.lastScheduledGoldenCheck()
      _ = try ledger.hasWork()
      _ = try ledger.openWorkitems()
      _ = try ledger.beginWorkitem("1.7", transactionUID: "1.8", inputs: [])
      try ledger.performWorkitem("1.7")
      try ledger.endWorkitem("1.7", cancelled: nil)
      let workitem = try ledger.workitem("1.7")
      try ledger.finishWorkitem(try #require(workitem))
      _ = try ledger.resultsChanged(after: 1)
      try ledger.noteTime()
    }
    try plans.expectNoScans(made, 7)
  }

  /// Where traces are sent: every few seconds, what has ended since.
  @Test func traces() throws {
    try fill()
    let job = try #require(try ledger.claimJob())
    try ledger.failJob(job.id, reason: "no luck", policy: .jobs)
    let made = try plans.statements {
      let position = try ledger.tracePosition()
      let page = try ledger.finishedWork(after: 0)
      #expect(page.work.count >= 8)
      try ledger.markTraced(upTo: page.upTo)
      #expect(try ledger.finishedWork(after: page.upTo).work.isEmpty)
      #expect(try ledger.tracePosition() >= position)
    }
    try plans.expectNoScans(made, 12)
  }
}
