import Foundation
import Testing

@testable import JobLedger

/// What the query source says of a series, and what becomes of it.
@Suite struct CompletenessTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }
  private var policy = CompletenessPolicy(
    patience: 100, processesUnconfirmed: false, settleTime: 20)

  init() throws { fixture = try LedgerFixture() }

  private func questions() throws -> [CompletenessQuestion] {
    try ledger.completenessQuestions(quietPeriod: 30)
  }

  private func due() throws -> [SeriesDue] {
    try ledger.seriesDue(quietPeriod: 30, onlyConfirmed: true)
  }

  private func answer(_ finding: CompletenessFinding) throws {
    for question in try questions() {
      try ledger.recordCompleteness(finding, of: question, policy: policy)
    }
  }

  private func receive(_ numbers: Range<Int>, series: String = "1.2.3") throws {
    for number in numbers { try fixture.receive(.test(number, series: series)) }
    fixture.clock.advance(60)
  }

  @Test func aSeriesWaitsUntilItIsConfirmed() throws {
    try receive(0..<3)
    #expect(try questions().map(\.seriesInstanceUID) == ["1.2.3"])
    #expect(try due().isEmpty)
    #expect(try ledger.seriesDue(quietPeriod: 30).count == 1)
    try answer(.complete(listed: 3))
    #expect(try questions().isEmpty)
    #expect(try due().map(\.instanceCount) == [3])
  }

  /// The source may know less than we do, or nothing.
  @Test(arguments: [0, 2]) func fewerAtTheSourceAreNoReasonToWait(listed: Int) throws {
    try receive(0..<3)
    try answer(.complete(listed: listed))
    #expect(try due().count == 1)
  }

  @Test func noSeriesIsAskedAboutBeforeItIsQuiet() throws {
    try fixture.receive(.test(0))
    #expect(try questions().isEmpty)
    let open = fixture.association()
    try fixture.receive(1...2, over: open)
    fixture.clock.advance(60)
    #expect(try questions().isEmpty)
    try ledger.endAssociation(open, .released)
    #expect(try questions().count == 1)
  }

  @Test func aStudyIsNotQuietWhileOneOfItsSeriesIsUnconfirmed() throws {
    try receive(0..<3)
    try answer(.complete(listed: 3))
    #expect(try due().map(\.isStudyQuiet) == [true])
    try receive(0..<2, series: "1.2.4")
    #expect(try due().map(\.isStudyQuiet) == [false])
    try answer(.complete(listed: 2))
    #expect(try due().map(\.isStudyQuiet) == [true, true])
  }

  /// What arrived while the source was asked makes the answer void.
  @Test func anAnswerAboutFewerInstancesDoesNotCount() throws {
    try receive(0..<3)
    let question = try #require(try questions().first)
    try receive(3..<4)
    try ledger.recordCompleteness(.complete(listed: 3), of: question, policy: policy)
    #expect(try due().isEmpty)
    #expect(try questions().count == 1)
  }

  @Test func missingInstancesHoldTheSeriesAfterSomePatience() throws {
    try receive(0..<3)
    try answer(.missing(listed: 4, reason: "1 is missing"))
    #expect(try due().isEmpty)
    #expect(try questions().isEmpty)
    // Asked again after pauses, which grow.
    var asked = 0
    for _ in 0..<100 where try due().isEmpty {
      fixture.clock.advance(1)
      if try !questions().isEmpty { asked += 1 }
      try answer(.missing(listed: 4, reason: "1 is missing"))
    }
    #expect((3...8).contains(asked), "\(asked)")
    let series = try #require(try due().first)
    #expect(try ledger.incompleteness(series: "1.2.3").reasons == ["1 is missing"])
    try fixture.assemble(series)
    #expect(try ledger.jobs().map(\.state) == ["held"])
    #expect(try ledger.jobs().map(\.reason) == ["1 is missing"])
    #expect(try questions().isEmpty)

    // Once the source gives it, or no longer lists it, there is a new job.
    fixture.clock.advance(1000)
    #expect(try questions().count == 1)
    try answer(.complete(listed: 3))
    fixture.clock.advance(60)
    #expect(try questions().isEmpty)
    try fixture.assemble(try #require(try due().first))
    #expect(try ledger.jobs().map(\.state).sorted() == ["available", "held"])
  }

  /// A restart changes nothing: all of it is in the ledger.
  @Test func aSourceThatIsAwayHoldsTheSeries() throws {
    try receive(0..<3)
    try answer(.unreachable(reason: "no association"))
    let reopened = try fixture.reopened()
    #expect(try reopened.completenessQuestions(quietPeriod: 30).isEmpty)
    fixture.clock.advance(101)
    #expect(try reopened.completenessQuestions(quietPeriod: 30).count == 1)
    try answer(.unreachable(reason: "no association"))
    try fixture.assemble(try #require(try due().first))
    #expect(try ledger.jobs().map(\.state) == ["held"])
  }

  @Test func aSourceThatIsAwayMayBeDoneWithout() throws {
    var policy = policy
    policy.processesUnconfirmed = true
    policy.patience = 0
    try receive(0..<3)
    let question = try #require(try questions().first)
    try ledger.recordCompleteness(
      .unreachable(reason: "no association"), of: question, policy: policy)
    let incompleteness = try ledger.incompleteness(series: "1.2.3")
    #expect(incompleteness.isEmpty && incompleteness.unchecked == "no association")
    try fixture.assemble(try #require(try due().first))
    #expect(try ledger.jobs().map(\.state) == ["available"])
    fixture.clock.advance(100_000)
    #expect(try questions().isEmpty)
  }

  /// Whoever broke off here may have broken off there too: the source has to list the same twice.
  @Test func afterABrokenAssociationTheSourceConfirmsTwice() throws {
    let broken = fixture.association()
    try fixture.receive(0...2, over: broken)
    try ledger.endAssociation(broken, .connectionLost)
    fixture.clock.advance(60)
    try answer(.complete(listed: 3))
    #expect(try due().isEmpty && questions().isEmpty)
    fixture.clock.advance(21)
    try answer(.complete(listed: 3))
    #expect(try ledger.incompleteness(series: "1.2.3").isEmpty)
    try fixture.assemble(try #require(try due().first))
    #expect(try ledger.jobs().map(\.state) == ["available"])
  }

  @Test func afterABrokenAssociationASourceWithLessConfirmsNothing() throws {
    let broken = fixture.association()
    try fixture.receive(0...2, over: broken)
    try ledger.endAssociation(broken, .abortedByPeer)
    fixture.clock.advance(60)
    for _ in 0..<60 where try due().isEmpty {
      try answer(.complete(listed: 2))
      fixture.clock.advance(5)
    }
    try fixture.assemble(try #require(try due().first))
    #expect(try ledger.jobs().map(\.state) == ["held"])
    let reason = try #require(try ledger.jobs().first?.reason)
    #expect(reason.contains("lists 2 instances"), "\(reason)")
    #expect(reason.contains("aborted by the peer"), "\(reason)")
  }

  @Test func unassembledSeriesAreNamed() throws {
    try receive(0..<3)
    #expect(try ledger.unassembledSeries(ofStudy: "1.2") == ["1.2.3"])
    try answer(.complete(listed: 3))
    try fixture.assemble(try #require(try due().first))
    #expect(try ledger.unassembledSeries(ofStudy: "1.2").isEmpty)
  }
}
