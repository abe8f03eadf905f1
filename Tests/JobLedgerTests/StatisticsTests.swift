import Foundation
import GRDB
import Testing

@testable import JobLedger

@Suite struct StatisticsTests {
  @Test func anEmptyLedger() throws {
    let fixture = try LedgerFixture()
    #expect(try LedgerStatisticsReader(fixture.ledger).read() == LedgerStatistics())
  }

  /// The state of a study is that of its least finished series.
  @Test func studies() throws {
    let fixture = try LedgerFixture()
    let ledger = fixture.ledger
    let reader = LedgerStatisticsReader(ledger)
    try fixture.receive(.test(1, series: "1.2.3", study: "1.2"))
    #expect(try reader.read().studies == [.receiving: 1])
    let job = try fixture.makeJob(series: "1.2.3")
    #expect(try reader.read().studies == [.waiting: 1])
    #expect(try reader.read().oldestWaitingJob == fixture.clock.now)
    _ = try ledger.claimJob(id: job)
    #expect(try reader.read().studies == [.running: 1])
    try ledger.completeJob(job, result: .test(job), destinations: ["pacs"])
    #expect(try reader.read().studies == [.done: 1])
    #expect(try reader.read().oldestWaitingJob == nil)
    for number in 0..<3 { try fixture.receive(.test(number, series: "1.2.4", study: "1.2")) }
    #expect(try reader.read().studies == [.receiving: 1])
    fixture.clock.advance(60)
    for series in try ledger.seriesDue(quietPeriod: 30) {
      try ledger.assembleSeries(series, jobs: [.test(start: .held(reason: "no volume"))])
    }
    try fixture.receive(.test(9, series: "1.3.1", study: "1.3"))
    #expect(try reader.read().studies == [.held: 1, .receiving: 1])
    #expect(try reader.read().jobs == ["completed": 1, "held": 1])
    #expect(
      try reader.read().deliveries == [.init(destination: "pacs", state: "waiting"): 1])
    #expect(try reader.read().oldestUndelivered.keys.sorted() == ["pacs"])
    let delivery = try #require(try ledger.claimDelivery())
    try ledger.markDelivered(delivery)
    #expect(try reader.read().oldestUndelivered.isEmpty)
  }

  /// What was counted before is not counted again, by this reader or a new one.
  @Test func settledRowsAreCountedOnce() throws {
    let fixture = try LedgerFixture()
    let ledger = fixture.ledger
    let reader = LedgerStatisticsReader(ledger)
    for series in 0..<3 {
      let job = try fixture.makeJob(series: "1.2.\(series)")
      _ = try ledger.claimJob(id: job)
      #expect(
        try reader.read().attempts[.init(model: "m", outcome: "completed"), default: 0] == series)
      try ledger.completeJob(
        job, result: .test(job), destinations: [],
        run: JobRun(seconds: ["network": 2, "total": 4000]))
      let statistics = try reader.read()
      #expect(statistics.attempts == [.init(model: "m", outcome: "completed"): series + 1])
      #expect(
        statistics.instances == [
          "listener": .init(count: 3 * series + 3, bytes: 3000 * series + 3000)
        ])
      let network = try #require(statistics.stages[.init(model: "m", name: "network")])
      #expect(network.count == series + 1 && network.sum == Double(2 * series + 2))
      #expect(network.buckets[Histogram.bounds.firstIndex(of: 2.5) ?? 0] == series + 1)
      let total = try #require(statistics.stages[.init(model: "m", name: "total")])
      #expect(total.count == series + 1 && total.buckets.allSatisfy { $0 == 0 })
      #expect(try LedgerStatisticsReader(ledger).read() == statistics)
    }
  }

  /// What a reader has counted before and what a new one counts are the same, whatever happens.
  @Test func whatChangesIsCountedAnew() throws {
    let fixture = try LedgerFixture()
    let ledger = fixture.ledger
    let reader = LedgerStatisticsReader(ledger)
    func expectSame(_ what: String) throws {
      #expect(try reader.read() == LedgerStatisticsReader(ledger).read(), "\(what)")
    }
    let association = fixture.association()
    for number in [7, 8, 7] {
      try ledger.recordRefusal(
        .test(number, series: "1.3.1", study: "1.3"), association: association)
      try expectSame("refusal \(number)")
    }
    #expect(try reader.read().refusals == [0xC000: 3])
    try ledger.endAssociation(association, .released)
    try ledger.recordRefusal(.test(nil, source: .watch, file: "/in/a"))
    try expectSame("a file")
    try ledger.recordRefusal(.test(nil, status: nil, source: .watch, file: "/in/a"))
    try expectSame("the file again")
    try ledger.recordRefusal(
      .test(7, series: "1.3.1", study: "1.3", status: 0xA700), association: fixture.association())
    try expectSame("refused again with another status")
    for study in 1...3 {
      for number in 0..<3 {
        try fixture.receive(.test(number, series: "1.\(study).9", study: "1.\(study)"))
      }
    }
    try expectSame("three studies")
    fixture.clock.advance(60)
    for series in try ledger.seriesDue(quietPeriod: 30) where series.studyInstanceUID != "1.3" {
      try ledger.assembleSeries(series, jobs: [.test()])
    }
    try expectSame("assembled")
    let job = try #require(try ledger.claimJob()).id
    try expectSame("running")
    try ledger.completeJob(job, result: .test(job), destinations: ["pacs", "vna"])
    try expectSame("completed")
    let delivery = try #require(try ledger.claimDelivery(destination: "pacs"))
    try ledger.markDeliveryFailed(delivery, .refused, error: "x", isPermanent: true)
    try expectSame("a delivery is held")
    #expect(try reader.read().oldestUndelivered.keys.sorted() == ["pacs", "vna"])
    let next = try ledger.reprocess(series: "1.1.9", job: .test())
    _ = try ledger.claimJob(id: next)
    try ledger.completeJob(next, result: .test(next), destinations: ["pacs"])
    try expectSame("superseded")
    _ = try ledger.apply(.cancel, to: JobSelection())
    try expectSame("cancelled")
    // A series comes again as that of another study.
    try fixture.receive(.test(0, series: "1.2.9", study: "1.1", content: 50))
    fixture.clock.advance(90_000)
    try expectSame("the day after")
  }

  /// What was before the time does not count.
  @Test func throughput() throws {
    let fixture = try LedgerFixture()
    let ledger = fixture.ledger
    let old = try fixture.makeJob(series: "1.2.1")
    _ = try ledger.claimJob(id: old)
    try ledger.completeJob(old, result: .test(old), destinations: [])
    fixture.clock.advance(7200)
    let job = try fixture.makeJob(series: "1.2.2", instances: 0..<5)
    let hour = fixture.clock.now - 3600
    #expect(try ledger.throughput(since: hour) == .init(jobs: 0, instances: 5, bytes: 5000))
    _ = try ledger.claimJob(id: job)
    try ledger.completeJob(job, result: .test(job), destinations: [])
    #expect(try ledger.throughput(since: hour) == .init(jobs: 1, instances: 5, bytes: 5000))
    #expect(
      try ledger.throughput(since: hour - 7200) == .init(jobs: 2, instances: 8, bytes: 8000))
    #expect(
      try ledger.throughput(since: fixture.clock.now + 1)
        == .init(jobs: 0, instances: 0, bytes: 0))
  }

  /// The version of a segmentation of others that came last counts.
  @Test func quality() throws {
    let fixture = try LedgerFixture()
    let ledger = fixture.ledger
    for (number, dice) in [0.5, 0.9].enumerated() {
      let job = try fixture.makeJob(series: "1.2.\(number)")
      _ = try ledger.claimJob(id: job)
      try ledger.completeJob(job, result: .test(job), destinations: [])
      let record = InstanceRecord.test(100, series: "1.9.\(number)")
      try fixture.receive(record)
      let instance = try #require(
        try ledger.read { db in try Int64.fetchOne(db, sql: "SELECT max(id) FROM instances") })
      let external = ExternalSegmentation(
        instance: instance, sopInstanceUID: record.sopInstanceUID, spoolPath: record.spoolPath)
      try ledger.record(external, of: ["1.2.\(number)"], madeWith: "x", isOurs: false)
      let due = DueComparison(
        external: external, job: job, model: "m", seriesInstanceUID: "1.2.\(number)", paths: [])
      try ledger.beginComparison(due)
      let score = ComparisonScore(
        segment: "liver", dice: dice, hd95: nil, ourMillilitres: 1, theirMillilitres: 1)
      try ledger.record(due, scanner: "s", scores: [score])
    }
    let quality = try LedgerStatisticsReader(ledger).read().quality
    let found = try #require(quality.first)
    #expect(quality.count == 1 && found.model == "m" && found.structure == "liver")
    #expect(found.count == 2 && found.least == 0.5 && abs(found.mean - 0.7) < 1e-9)
  }

  /// One that is open keeps those after it from being taken as settled, and is counted once it ends.
  @Test func anOpenAssociationIsCountedWhenItEnds() throws {
    let fixture = try LedgerFixture()
    let ledger = fixture.ledger
    let reader = LedgerStatisticsReader(ledger)
    let associations = [fixture.association(), fixture.association()]
    for (number, association) in associations.enumerated() {
      try fixture.receive(number...number, over: association)
    }
    try ledger.endAssociation(associations[1], .released)
    #expect(try reader.read().associations == ["released": 1])
    #expect(try reader.read().openAssociations == 1)
    try ledger.endAssociation(associations[0], .abortedByPeer)
    for _ in 0..<2 {
      #expect(try reader.read().associations == ["released": 1, "aborted by peer": 1])
      #expect(try reader.read().openAssociations == 0)
    }
  }
}
