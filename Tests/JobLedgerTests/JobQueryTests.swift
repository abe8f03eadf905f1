import Foundation
import TestSupport
import Testing

@testable import JobLedger

/// Which jobs are listed, in which order, and in which pages.
@Suite struct JobQueryTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  /// Six jobs of six series in three studies: 1 and 2 completed (2 delivered to one of two destinations), 3
  /// held, 4 cancelled, 5 waits with priority, 6 waits.
  init() throws {
    fixture = try LedgerFixture()
    for number in 1...6 {
      try fixture.receive(
        .test(1, series: "1.\(number)", study: "\((number + 1) / 2)"))
      fixture.clock.advance(60)
      let due = try #require(try fixture.ledger.seriesDue(quietPeriod: 30).first)
      try fixture.ledger.assembleSeries(
        due, jobs: [NewJob(model: number % 2 == 0 ? "even" : "odd", priority: number == 5 ? 7 : 0)])
    }
    for id: Int64 in [2, 1] {
      _ = try fixture.ledger.claimJob(id: id)
      fixture.clock.advance(60)
      try fixture.ledger.completeJob(id, result: .test(id), destinations: ["pacs", "vna"])
    }
    let delivery = try #require(try fixture.ledger.claimDelivery(destination: "vna", job: 2))
    try fixture.ledger.markDelivered(delivery)
    _ = try fixture.ledger.claimJob(id: 3)
    try fixture.ledger.holdJob(3, reason: "a gap")
    try fixture.ledger.cancelJob(4, reason: "no need")
  }

  private func ids(_ set: (inout JobQuery) -> Void) throws -> [Int64] {
    var query = JobQuery()
    set(&query)
    #expect(try ledger.jobCount(query.selection) >= ledger.jobs(query).count)
    return try ledger.jobs(query).map(\.id)
  }

  @Test func eachConditionIsMet() throws {
    #expect(try ids { _ in } == [1, 2, 3, 4, 5, 6])
    #expect(try ids { $0.selection.states = [.held, .cancelled] } == [3, 4])
    #expect(try ids { $0.selection.study = "2" } == [3, 4])
    #expect(try ids { $0.selection.series = "1.5" } == [5])
    #expect(try ids { $0.selection.model = "even" } == [2, 4, 6])
    #expect(try ids { $0.selection.jobs = [6, 1, 99] } == [1, 6])
    #expect(try ids { $0.selection.destination = "vna" } == [1, 2])
    #expect(try ids { $0.selection.deliveryStates = [.delivered] } == [2])
    #expect(
      try ids {
        $0.selection.destination = "pacs"
        $0.selection.deliveryStates = [.delivered]
      } == [])
    let middle = try #require(try ledger.jobs().first { $0.id == 4 }?.createdAt)
    #expect(try ids { $0.selection.madeBefore = middle } == [1, 2, 3])
    #expect(try ids { $0.selection.madeAfter = middle } == [5, 6])
    #expect(
      try ids {
        $0.selection.model = "even"
        $0.selection.states = [.available]
      } == [6])
  }

  /// As the result of another job.
  @Test func aResultThatIsAnEarlierOneIsFoundByItsDeliveries() throws {
    let id = try ledger.reprocess(series: "1.2", job: .test(model: "even"))
    _ = try ledger.claimJob(id: id)
    try ledger.completeJob(id, sameAs: 2, destinations: ["pacs", "vna"])
    #expect(try ids { $0.selection.deliveryStates = [.delivered] } == [2, id])
    #expect(try ledger.jobs().last?.deliveries == ledger.jobs()[1].deliveries)
    #expect(try ledger.jobs().last?.objects.map(\.path) == ledger.jobs()[1].objects.map(\.path))
  }

  @Test func theyAreSorted() throws {
    #expect(try ids { $0.isDescending = true } == [6, 5, 4, 3, 2, 1])
    #expect(try ids { $0.order = .finished } == [5, 6, 2, 1, 3, 4])
    #expect(
      try ids {
        $0.order = .priority
        $0.isDescending = true
      } == [5, 6, 4, 3, 2, 1])
    #expect(try ids { $0.order = .state } == [5, 6, 4, 1, 2, 3])
    #expect(try ids { $0.order = .model } == [2, 4, 6, 1, 3, 5])
    #expect(try ids { $0.order = .created } == [1, 2, 3, 4, 5, 6])
  }

  @Test func pagesAreWhole() throws {
    var found: [Int64] = []
    var query = JobQuery()
    query.limit = 4
    while case let page = try ledger.jobs(query), let last = page.last {
      found += page.map(\.id)
      query.after = last.id
    }
    #expect(found == [1, 2, 3, 4, 5, 6])
    #expect(
      try ids {
        $0.limit = 2
        $0.offset = 3
      } == [4, 5])
    #expect(
      try ids {
        $0.isDescending = true
        $0.after = 3
      } == [2, 1])
    #expect(try ids { $0.offset = 9 } == [])
  }

  /// Series of which there is no job yet, and why.
  @Test func pendingSeriesSayWhatTheyWaitFor() throws {
    #expect(try ledger.pendingSeries() == [] && ledger.pendingSeriesCount() == 0)
    let association = fixture.association()
    _ = try ledger.recordInstance(.test(1, series: "9.1", study: "9"), association: association)
    try ledger.recordRefusal(.test(2, series: "9.1", study: "9"), association: association)
    try fixture.receive(.test(1, series: "9.2", study: "9"))
    fixture.clock.advance(60)
    let question = try #require(try ledger.completenessQuestions(quietPeriod: 30).first)
    try ledger.recordCompleteness(
      .unreachable(reason: "no answer"), of: question,
      policy: CompletenessPolicy(patience: 900, processesUnconfirmed: false, settleTime: 30))
    let pending = try ledger.pendingSeries()
    #expect(try ledger.pendingSeriesCount() == 2)
    #expect(pending.map(\.seriesInstanceUID) == ["9.1", "9.2"])
    #expect(pending.map(\.sender) == ["MODALITY at 10.0.0.5", nil])
    #expect(pending.map(\.refused) == [1, 0] && pending.map(\.instances) == [1, 1])
    #expect(pending.map(\.isAskedAbout) == [false, true])
    #expect(pending.map(\.waitsForMissing) == [true, false])
    #expect(pending[1].reason == "no answer" && pending[1].askedNextAt != nil)
    // A series that is known comes again.
    let again = fixture.association()
    _ = try ledger.recordInstance(.test(1, series: "1.6", study: "3"), association: again)
    #expect(try ledger.pendingSeries().map(\.seriesInstanceUID) == ["1.6", "9.1", "9.2"])
  }
}
