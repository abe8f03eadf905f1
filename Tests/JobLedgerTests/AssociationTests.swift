import GRDB
import Testing

@testable import JobLedger

/// How associations ended, and what makes up for an interrupted one.
@Suite struct AssociationTests {
  @Test func nothingIsAssembledWhileAnAssociationIsOpen() throws {
    let fixture = try LedgerFixture()
    let association = fixture.association()
    try fixture.receive(1...3, over: association)
    #expect(try fixture.due().isEmpty)
    // Another series of the study is complete, the study is not.
    try fixture.receive(.test(1, series: "1.2.4"))
    #expect(try fixture.due().map(\.isStudyQuiet) == [false])
    try fixture.ledger.endAssociation(association, .released)
    #expect(try fixture.due().count == 2)
  }

  @Test(arguments: AssociationOutcome.allCases)
  func everyEndButAReleaseLeavesTheSeriesIncomplete(outcome: AssociationOutcome) throws {
    let fixture = try LedgerFixture()
    let association = fixture.association()
    try fixture.receive(1...3, over: association)
    try fixture.ledger.endAssociation(association, outcome, message: "so")
    let incomplete = try fixture.ledger.incompleteness(series: "1.2.3")
    #expect(incomplete.isEmpty == (outcome == .released))
    #expect(try fixture.assembleDue() == [outcome == .released ? "available" : "held"])
    guard outcome != .released else { return }
    let reason = try #require(try fixture.ledger.jobs().first?.reason)
    #expect(reason.contains("MODALITY at 10.0.0.5") && reason.contains("after 3 instances"))
    let record = try #require(try fixture.ledger.job(1).associations.first)
    #expect(record.outcome == outcome && record.isUnresolved && record.message == "so")
  }

  @Test func anAssociationThatAKilledProcessLeftOpenIsInterrupted() throws {
    let fixture = try LedgerFixture()
    try fixture.receive(1...3, over: fixture.association())
    try fixture.reopened().rescue()
    #expect(try fixture.assembleDue() == ["held"])
    #expect(try fixture.ledger.job(1).associations.map(\.outcome) == [.interrupted])
  }

  /// The rest comes by a new association: what came first was acknowledged and is not sent again.
  @Test func theRestFromTheSamePeerMakesUpForIt() throws {
    let fixture = try LedgerFixture()
    let broken = fixture.association()
    try fixture.receive(1...3, over: broken)
    try fixture.ledger.endAssociation(broken, .connectionLost)
    #expect(try fixture.assembleDue() == ["held"])
    let again = fixture.association()
    try fixture.receive(4...5, over: again)
    #expect(try !fixture.ledger.incompleteness(series: "1.2.3").isEmpty)
    try fixture.ledger.endAssociation(again, .released)
    #expect(try fixture.ledger.incompleteness(series: "1.2.3").isEmpty)
    #expect(try fixture.assembleDue() == ["held", "available"])
    #expect(try fixture.ledger.job(1).associations.map(\.isUnresolved) == [false, false])
  }

  @Test func oneInstanceIsToldInTheSingular() throws {
    let fixture = try LedgerFixture()
    let broken = fixture.association()
    try fixture.receive(1...1, over: broken)
    try fixture.ledger.endAssociation(broken, .connectionLost)
    let reasons = try fixture.ledger.incompleteness(series: "1.2.3").reasons
    #expect(
      reasons.count == 1 && reasons[0].contains(" after 1 instance of the series: more may be"))
  }

  /// Everything had come before the association was interrupted: nothing new arrives.
  @Test func theSameInstancesAgainMakeUpForItToo() throws {
    let fixture = try LedgerFixture()
    let broken = fixture.association()
    try fixture.receive(1...3, over: broken)
    try fixture.ledger.endAssociation(broken, .abortedByPeer)
    #expect(try fixture.assembleDue() == ["held"])
    let again = fixture.association(calling: "PACS")
    try fixture.receive(1...3, over: again)
    try fixture.ledger.endAssociation(again, .released)
    #expect(try fixture.assembleDue() == ["held", "available"])
    #expect(try fixture.assembleDue() == ["held", "available"])
  }

  @Test func partOfItFromAnotherPeerDoesNot() throws {
    let fixture = try LedgerFixture()
    let broken = fixture.association()
    try fixture.receive(1...3, over: broken)
    try fixture.ledger.endAssociation(broken, .abortedByPeer)
    let other = fixture.association(calling: "PACS")
    try fixture.receive(2...3, over: other)
    try fixture.ledger.endAssociation(other, .released)
    #expect(try fixture.assembleDue() == ["held"])
  }

  /// A sender that spreads a series over several associations at once.
  @Test func anAssociationAtTheSameTimeDoesNot() throws {
    let fixture = try LedgerFixture()
    let (first, second) = (fixture.association(), fixture.association())
    try fixture.receive(1...3, over: first)
    try fixture.receive(4...6, over: second)
    try fixture.ledger.endAssociation(first, .abortedByPeer)
    try fixture.ledger.endAssociation(second, .released)
    #expect(try fixture.assembleDue() == ["held"])
  }

  /// The sender restarts at once, and the lost connection is noticed long after.
  @Test func aLossThatIsNoticedLateIsMadeUpFor() throws {
    let fixture = try LedgerFixture()
    let lost = fixture.association()
    try fixture.receive(1...3, over: lost)
    fixture.clock.advance(1)
    let again = fixture.association()
    try fixture.receive(1...6, over: again)
    try fixture.ledger.endAssociation(again, .released)
    #expect(try fixture.due().isEmpty)
    try fixture.ledger.endAssociation(lost, .timedOut)
    #expect(try fixture.assembleDue() == ["available"])
  }

  /// The ledger was slow with the last instance: the sender gave up, and started anew meanwhile.
  @Test func anInstanceCountsFromWhenItBeganToCome() throws {
    let fixture = try LedgerFixture()
    let lost = fixture.association()
    let began = fixture.clock.steady
    fixture.clock.advance(30)
    let again = fixture.association()
    fixture.clock.advance(1)
    _ = try fixture.ledger.recordInstance(.test(1), association: lost, beganAt: began)
    try fixture.receive(1...6, over: again)
    try fixture.ledger.endAssociation(again, .released)
    try fixture.ledger.endAssociation(lost, .abortedByPeer)
    #expect(try fixture.assembleDue() == ["available"])
  }

  @Test func aReleasedAssociationWithRefusalsDoesNotResolveThem() throws {
    let fixture = try LedgerFixture()
    let broken = fixture.association()
    try fixture.receive(1...3, over: broken)
    try fixture.ledger.recordRefusal(.test(4, status: nil), association: broken)
    try fixture.ledger.endAssociation(broken, .connectionLost)
    let next = fixture.association()
    try fixture.receive(5...6, over: next)
    try fixture.ledger.endAssociation(next, .released)
    let incomplete = try fixture.ledger.incompleteness(series: "1.2.3")
    #expect(incomplete.associations.isEmpty && incomplete.refused.count == 1)
  }

  @Test func anAssociationWithoutInstancesLeavesNoRow() throws {
    let fixture = try LedgerFixture()
    try fixture.ledger.endAssociation(fixture.association(), .connectionLost)
    let rows = try fixture.ledger.read { db in
      try Int.fetchOne(db, sql: "SELECT count(*) FROM associations")
    }
    #expect(rows == 0)
  }

  /// The evidence goes away between assessment and assembly.
  @Test func nothingIsHeldForWhatIsResolvedMeanwhile() throws {
    let fixture = try LedgerFixture()
    let broken = fixture.association()
    try fixture.receive(1...3, over: broken)
    try fixture.ledger.endAssociation(broken, .abortedByPeer)
    let due = try #require(try fixture.due().first)
    let again = fixture.association()
    try fixture.receive(1...3, over: again)
    try fixture.ledger.endAssociation(again, .released)
    try fixture.ledger.assembleSeries(
      due, jobs: [.test(start: .held(reason: "aborted"))], isHeldAsIncomplete: true)
    #expect(try fixture.ledger.jobs().isEmpty)
    #expect(try fixture.assembleDue() == ["available"])
  }
}
