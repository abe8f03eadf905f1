import Foundation
import Testing

@testable import JobLedger

/// Of series that a rule compares, one job has the place, and one result counts.
@Suite struct AlternativesTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }
  private let best = "1.2.1"
  private let second = "1.2.2"
  private let third = "1.2.3"

  init() throws { fixture = try LedgerFixture() }

  /// A job of a series of which something came, with the series that it was compared with.
  private func assemble(
    _ series: String, start: NewJob.Start = .available, over others: [(String, Bool)],
    isNew: Bool = true
  ) throws -> Int64 {
    if isNew { try fixture.receive(.test(Int.random(in: 0..<1_000_000), series: series)) }
    fixture.clock.advance(60)
    let due = try #require(
      try ledger.seriesDue(quietPeriod: 30).first { $0.seriesInstanceUID == series })
    var job = NewJob.test(start: start)
    job.alternatives = others.map { .init(seriesInstanceUID: $0.0, isBetter: $0.1) }
    try ledger.assembleSeries(due, jobs: [job])
    return try #require(try ledger.jobs().last).id
  }

  /// A series that was passed over.
  private func passOver(_ series: String) throws {
    try fixture.receive(.test(0, series: series))
    fixture.clock.advance(60)
    let due = try #require(
      try ledger.seriesDue(quietPeriod: 30).first { $0.seriesInstanceUID == series })
    try ledger.assembleSeries(
      due, jobs: [.test(model: "", start: .cancelled(reason: "passed over"))])
  }

  private func complete(_ job: Int64) throws {
    _ = try #require(try ledger.claimJob(id: job))
    try ledger.completeJob(job, result: .test(job), destinations: ["pacs"])
  }

  private func hold(_ job: Int64) throws {
    _ = try #require(try ledger.claimJob(id: job))
    let series = try ledger.job(job).job.seriesInstanceUID
    try ledger.holdJob(
      job, reason: "no pixels",
      verdicts: [.init(seriesInstanceUID: series, kind: .held, reasons: ["no pixels"])])
  }

  private func supersededBy(_ job: Int64) throws -> Int64? {
    try ledger.job(job).job.supersededBy
  }

  private func due() throws -> [String] {
    fixture.clock.advance(60)
    return try ledger.seriesDue(quietPeriod: 30).map(\.seriesInstanceUID)
  }

  @Test func aBetterSeriesCancelsWhatWaits() throws {
    let first = try assemble(second, over: [])
    let better = try assemble(best, over: [(second, false)])
    let row = try ledger.job(first).job
    #expect(row.state == "cancelled")
    #expect(row.reason == "the rule takes series \(best) in its place: job \(better)")
    #expect(try ledger.job(first).events.last?.cause == .rule)
    #expect(try ledger.series(ofStudy: "1.2", only: second)[0].outdoneModels == ["m"])
    #expect(try ledger.series(ofStudy: "1.2", only: best)[0].outdoneModels == [])
  }

  @Test func aBetterSeriesSupersedesWhatIsDone() throws {
    let first = try assemble(second, over: [])
    try complete(first)
    let better = try assemble(best, over: [(second, false)])
    #expect(try supersededBy(first) == nil)
    try complete(better)
    #expect(try supersededBy(first) == better && supersededBy(better) == nil)
    #expect(try ledger.job(first).job.deliveries.map(\.state) == ["superseded"])
    #expect(try ledger.checkConsistency().findings == [])
  }

  /// It runs on, and its result is not sent.
  @Test func whatRunsIsSupersededFromTheStart() throws {
    let first = try assemble(second, over: [])
    _ = try #require(try ledger.claimJob(id: first))
    let better = try assemble(best, over: [(second, false)])
    try complete(better)
    try ledger.completeJob(first, result: .test(first), destinations: ["pacs"])
    #expect(try supersededBy(first) == better)
    #expect(try ledger.job(first).job.deliveries == [])
    #expect(try ledger.checkConsistency().findings == [])
  }

  /// The next best is assembled once more, then the one after that, and none twice.
  @Test func theNextBestIsTriedWhereTheBestIsHeld() throws {
    try passOver(second)
    try passOver(third)
    let first = try assemble(best, over: [(second, false), (third, false)])
    #expect(try due() == [])
    try hold(first)
    #expect(try due() == [second])
    let event = try #require(
      try ledger.record(ofStudy: "1.2").events.last { $0.kind == "alternative" })
    #expect(event.cause == .rule && event.seriesInstanceUID == second && event.job == first)
    #expect(try ledger.lastJobs(ofStudy: "1.2").heldReasons == [best: ["m": "no pixels"]])

    let next = try assemble(second, over: [(best, true), (third, false)], isNew: false)
    try hold(next)
    #expect(try due() == [third])
    let last = try assemble(third, over: [(best, true), (second, true)], isNew: false)
    try hold(last)
    #expect(try due() == [])
  }

  @Test func aSeriesThatIsHeldWhenItIsAssembledGivesWayToo() throws {
    try passOver(second)
    _ = try assemble(best, start: .held(reason: "slices are missing"), over: [(second, false)])
    #expect(try due() == [second])
  }

  /// An alternative that has a job or a result that counts is not tried again.
  @Test(arguments: [false, true]) func whatIsThereIsEnough(isDone: Bool) throws {
    let first = try assemble(second, over: [])
    if isDone { try complete(first) }
    _ = try assemble(best, start: .held(reason: "slices are missing"), over: [(second, false)])
    #expect(try due() == [])
    #expect(try fixture.state(first) == (isDone ? "completed" : "available"))
  }

  /// The best, released by a person, takes the place of the one that was made instead, whose number is higher.
  @Test func theBestTakesItsPlaceAgain() throws {
    try passOver(second)
    let first = try assemble(best, over: [(second, false)])
    try hold(first)
    _ = try due()
    let next = try assemble(second, over: [(best, true)], isNew: false)
    try complete(next)
    var selection = JobSelection()
    selection.jobs = [first]
    #expect(try ledger.apply(.retry, to: selection).map(\.isChanged) == [true])
    try complete(first)
    #expect(try supersededBy(next) == first && supersededBy(first) == nil)
    #expect(try ledger.checkConsistency().findings == [])
  }

  /// The same where the one that was made instead ends last.
  @Test func whatEndsLastDoesNotTakeThePlaceOfTheBest() throws {
    try passOver(second)
    let first = try assemble(best, over: [(second, false)])
    try hold(first)
    _ = try due()
    let next = try assemble(second, over: [(best, true)], isNew: false)
    _ = try #require(try ledger.claimJob(id: next))
    var selection = JobSelection()
    selection.jobs = [first]
    _ = try ledger.apply(.retry, to: selection)
    try complete(first)
    try ledger.completeJob(next, result: .test(next), destinations: ["pacs"])
    #expect(try supersededBy(next) == first && supersededBy(first) == nil)
    #expect(try ledger.job(next).job.deliveries == [])
  }

  /// Images of the best come again, and are held: the result of the old ones gives way to the second best.
  @Test func anOutdatedResultOfTheBestIsSuperseded() throws {
    try passOver(second)
    let old = try assemble(best, over: [(second, false)])
    try complete(old)
    let held = try assemble(best, over: [(second, false)])
    try hold(held)
    #expect(try due() == [second])
    let next = try assemble(second, over: [(best, true)], isNew: false)
    try complete(next)
    #expect(try supersededBy(old) == next && supersededBy(next) == nil)
  }

  @Test func aRebuiltLedgerKnowsWhichCounts() throws {
    let first = try assemble(second, over: [])
    try complete(first)
    let better = try assemble(best, over: [(second, false)])
    try complete(better)
    let notes = try ledger.resultNotes()
    let rebuilt = try LedgerFixture()
    for series in [best, second] { try rebuilt.receive(.test(0, series: series)) }
    for note in notes { #expect(try rebuilt.ledger.takeUp(note)) }
    #expect(try rebuilt.ledger.job(first).job.supersededBy == better)
    #expect(try rebuilt.ledger.job(better).job.supersededBy == nil)
  }
}
