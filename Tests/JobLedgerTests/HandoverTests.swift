import Foundation
import Testing

@testable import JobLedger

/// What a listener's ledger hands over to a head's: in order, each thing once, and as if it had come there.
@Suite struct HandoverTests {
  private let listener: LedgerFixture
  private let head: LedgerFixture
  private let sender: HandoverSender

  init() throws {
    listener = try LedgerFixture()
    head = try LedgerFixture()
    sender = HandoverSender(name: "ward-1", run: try listener.ledger.beginHandover())
  }

  private func entries() throws -> [HandoverEntry] {
    try listener.ledger.handovers(after: try head.ledger.lastTaken(of: sender), count: 1000)
  }

  @discardableResult
  private func take(_ entry: HandoverEntry, after previous: Int64? = nil) throws
    -> HandoverOutcome
  {
    var record = entry.instance?.record
    record?.spoolPath = "spool/\(UUID().uuidString).dcm"
    return try head.ledger.beginTaking(
      entry, as: record,
      after: try previous ?? head.ledger.lastTaken(of: sender), from: sender
    ).wait()
  }

  /// Everything that waits, as the head and the listener do it.
  private func handOver() throws {
    listener.clock.advance(1)
    head.clock.advance(1)
    _ = try head.ledger.record(try listener.ledger.handoverBacklog(), of: sender)
    for entry in try entries() { try take(entry) }
    try listener.ledger.markHandedOver(upTo: try head.ledger.lastTaken(of: sender))
    _ = try head.ledger.record(try listener.ledger.handoverBacklog(), of: sender)
  }

  /// After a quiet time in which the listener was heard.
  private func due() throws -> [SeriesDue] {
    head.clock.advance(60)
    return try head.ledger.seriesDue(quietPeriod: 30)
  }

  @Test func aLedgerThatIsNoListenersHandsNothingOver() throws {
    let association = head.association()
    try head.receive(1...3, over: association)
    try head.ledger.recordRefusal(.test(4), association: association)
    try head.ledger.endAssociation(association, .released)
    #expect(try head.ledger.lastHandover() == 0)
    #expect(try head.ledger.handoverState() == nil)
  }

  @Test func aSeriesIsAssembledOnceItsAssociationHasEnded() throws {
    let association = listener.association(calling: "CT1")
    try listener.receive(1...3, over: association)
    try handOver()
    #expect(try due().isEmpty, "the association is open")
    try listener.ledger.endAssociation(association, .released)
    try handOver()
    let due = try due()
    #expect(due.map(\.instanceCount) == [3])
    #expect(try head.ledger.incompleteness(series: "1.2.3").isEmpty)
    let came = try head.ledger.record(ofStudy: "1.2").series.flatMap(\.associations)
    #expect(came.map(\.callingAETitle) == ["CT1"] && came.map(\.stored) == [3])
    #expect(came.map(\.peerAddress) == ["10.0.0.5"] && came.map(\.outcome) == [.released])
    let records = try head.ledger.instances(series: "1.2.3").current
    #expect(records.map(\.callingAETitle) == ["MODALITY", "MODALITY", "MODALITY"])
  }

  /// The answer was lost: the listener does not know that the head has it.
  @Test func whatComesAgainIsKnown() throws {
    try listener.receive(.test(1))
    try listener.receive(.test(2))
    let all = try entries()
    #expect(try all.map { try take($0) } == [.taken(.added), .taken(.added)])
    #expect(try all.map { try take($0, after: 0) } == [.repeated, .repeated])
    #expect(try head.ledger.instances(series: "1.2.3").all.count == 2)
    #expect(try listener.ledger.handoverBacklog().waiting == 2)
    try handOver()
    #expect(try listener.ledger.handoverBacklog().waiting == 0)
    #expect(try head.ledger.instances(series: "1.2.3").all.count == 2)
  }

  @Test func nothingIsLeftOut() throws {
    try listener.receive(.test(1))
    try listener.receive(.test(2))
    let all = try entries()
    #expect(throws: LedgerError.self) { try take(all[1], after: all[0].number) }
    #expect(try head.ledger.lastTaken(of: sender) == 0)
    // Of several that are on their way together, none behind one that fails.
    let pending = [all[1], all[1]].map {
      head.ledger.beginTaking($0, as: $0.instance?.record, after: all[0].number, from: sender)
    }
    for one in pending { #expect(throws: LedgerError.self) { try one.wait() } }
    #expect(try head.ledger.instances(series: "1.2.3").all.isEmpty)
  }

  @Test func anInstanceThatIsWithdrawnIsNotHandedOver() throws {
    let record = InstanceRecord.test(1)
    try listener.receive(record)
    try listener.receive(.test(2))
    try listener.ledger.withdraw(record)
    #expect(try entries().map(\.instance?.record.sopInstanceUID) == ["1.2.3.2"])
    try handOver()
    #expect(try head.ledger.instances(series: "1.2.3").current.count == 1)
  }

  @Test func aRefusalHoldsTheSeriesUntilItsInstanceComes() throws {
    let association = listener.association()
    try listener.receive(1...2, over: association)
    try listener.ledger.recordRefusal(.test(3), association: association)
    try listener.ledger.endAssociation(association, .released)
    try handOver()
    #expect(try due().count == 1)
    let lacks = try head.ledger.incompleteness(series: "1.2.3")
    #expect(lacks.refused.map(\.instance.sopInstanceUID) == ["1.2.3.3"])
    #expect(lacks.refused.map(\.callingAETitle) == ["MODALITY"])
    let again = listener.association()
    try listener.receive(3...3, over: again)
    try listener.ledger.endAssociation(again, .released)
    try handOver()
    #expect(try head.ledger.incompleteness(series: "1.2.3").isEmpty)
  }

  /// As where a modality sends over two listeners, of which one is behind.
  @Test func aSeriesOfWhichInstancesWaitAtAListenerIsNotAssembled() throws {
    try listener.receive(.test(2))
    let other = HandoverSender(name: "ward-2", run: "r")
    _ = try head.ledger.record(HandoverBacklog(), of: other)
    try head.receive(.test(1))
    let backlog = try listener.ledger.handoverBacklog()
    #expect(backlog.waiting == 1 && backlog.series == ["1.2.3"])
    _ = try head.ledger.record(backlog, of: sender)
    #expect(try due().isEmpty)
    try handOver()
    #expect(try due().map(\.instanceCount) == [2])
  }

  @Test func aListenerThatGoesAwayLeavesItsSeriesIncomplete() throws {
    let association = listener.association(calling: "CT1")
    try listener.receive(1...2, over: association)
    try handOver()
    try listener.receive(3...3, over: association)
    _ = try head.ledger.record(try listener.ledger.handoverBacklog(), of: sender)
    #expect(try head.ledger.markAwayListeners(patience: 60) == [])
    head.clock.advance(61)
    #expect(try head.ledger.markAwayListeners(patience: 60) == ["ward-1"])
    #expect(try head.ledger.markAwayListeners(patience: 60) == [])
    #expect(try head.assembleDue() == ["held"])
    let reasons = try head.ledger.incompleteness(series: "1.2.3").reasons
    #expect(
      reasons.contains { $0.contains("wait at listener ward-1, which is away") }, "\(reasons)")
    #expect(reasons.contains { $0.contains("of CT1 at 10.0.0.5 is open at listener ward-1") })
    #expect(try head.ledger.listeners().map { $0.awaySince != nil } == [true])

    // It is back, with the rest.
    try listener.ledger.endAssociation(association, .released)
    try handOver()
    #expect(try head.ledger.listeners().map { $0.awaySince != nil } == [false])
    #expect(try head.ledger.incompleteness(series: "1.2.3").isEmpty)
    #expect(try head.assembleDue() == ["held", "available"])
    #expect(try head.ledger.checkConsistency().findings == [])
  }

  /// The head's own start interrupts its own associations, and none of a listener's.
  @Test func theStartOfTheHeadLeavesAssociationsOfListenersOpen() throws {
    let association = listener.association()
    try listener.receive(1...2, over: association)
    try handOver()
    _ = try head.ledger.rescue(daemon: "new")
    #expect(try due().isEmpty)
    try listener.receive(3...3, over: association)
    try listener.ledger.endAssociation(association, .released)
    try handOver()
    #expect(try due().map(\.instanceCount) == [3])
    #expect(try head.ledger.incompleteness(series: "1.2.3").isEmpty)
  }

  @Test func theStartOfTheListenerInterruptsItsAssociations() throws {
    let association = listener.association("old/0/1")
    try listener.receive(1...2, over: association)
    try handOver()
    _ = try listener.ledger.rescue(daemon: "new")
    try handOver()
    #expect(try due().count == 1)
    #expect(
      try head.ledger.incompleteness(series: "1.2.3").associations.map(\.outcome)
        == [.interrupted])
  }

  /// Its files may be purged only once the head has them.
  @Test func aSeriesIsFinishedAtTheListenerOnceItIsHandedOver() throws {
    try listener.receive(.test(1))
    #expect(try listener.ledger.keptOriginals(after: .start).files.isEmpty)
    try handOver()
    #expect(try listener.ledger.keptOriginals(after: .start).files.map(\.state) == [.unused])
    // The same comes again: it waits again.
    try listener.receive(.test(1))
    #expect(try listener.ledger.keptOriginals(after: .start).files.isEmpty)
    #expect(try listener.ledger.handoverBacklog().waiting == 1)
    try handOver()
    let kept = try #require(try listener.ledger.keptOriginals(after: .start).files.first)
    _ = try listener.ledger.purge(kept, reason: "age")
    try listener.ledger.forgetHandedOver()
    #expect(try listener.ledger.handovers(after: 0, count: 10).isEmpty)
    #expect(try listener.ledger.lastHandover() == 2)
  }

  @Test func whatTheHeadDoesNotTakeIsKept() throws {
    try listener.receive(.test(1))
    try listener.ledger.markHandedOver(upTo: 1, refused: [1: "not an image"])
    let state = try #require(try listener.ledger.handoverState())
    #expect(state.refused == 1 && state.backlog.waiting == 0)
    #expect(try listener.ledger.keptOriginals(after: .start).files.isEmpty)
  }

  @Test func aHeadThatDoesNotAnswerIsNoted() throws {
    try listener.receive(.test(1))
    #expect(try listener.ledger.markNotHandedOver(reason: "no answer"))
    listener.clock.advance(10)
    #expect(try !listener.ledger.markNotHandedOver(reason: "no answer"))
    let state = try #require(try listener.ledger.handoverState())
    #expect(state.lastError == "no answer")
    #expect(state.failingSince.map { listener.clock.now.timeIntervalSince($0).rounded() } == 10)
    try handOver()
    #expect(try listener.ledger.handoverState()?.failingSince == nil)
  }

  /// A portion is marked without a look at what else waits.
  @Test func aPortionIsMarkedByItsNumbers() throws {
    for number in 1...4 { try listener.receive(.test(number)) }
    try listener.ledger.markHandedOver(after: 0, upTo: 2)
    #expect(try listener.ledger.handoverBacklog().waiting == 2)
    try listener.ledger.markHandedOver(after: 2, upTo: 4, refused: [3: "not an image"])
    let state = try #require(try listener.ledger.handoverState())
    #expect(state.backlog.waiting == 0 && state.refused == 1)
  }

  /// The head's ledger is older than what it answered for.
  @Test func whatTheHeadHasLostComesAgain() throws {
    for number in 1...3 { try listener.receive(.test(number)) }
    try listener.ledger.markHandedOver(upTo: 3)
    #expect(try listener.ledger.handOverAgain(after: 1) == 2)
    #expect(try listener.ledger.handoverBacklog().waiting == 2)
    #expect(try listener.ledger.handOverAgain(after: 1) == 0)
  }

  /// Its disk is lost: what it had told of does not come any more.
  @Test func aListenerThatBeginsAnewInterruptsWhatItHadBegun() throws {
    let association = listener.association(calling: "CT1")
    try listener.receive(1...2, over: association)
    try handOver()
    try listener.receive(3...3, over: association)
    _ = try head.ledger.record(try listener.ledger.handoverBacklog(), of: sender)
    let anew = HandoverSender(name: sender.name, run: "another")
    #expect(try head.ledger.record(HandoverBacklog(), of: anew).number == 0)
    #expect(try head.ledger.markAwayListeners(patience: 60) == [])
    #expect(try head.assembleDue() == ["held"])
    let lacks = try head.ledger.incompleteness(series: "1.2.3")
    #expect(lacks.associations.map(\.outcome) == [.interrupted] && lacks.awayListeners.isEmpty)
    #expect(try head.ledger.listeners().map(\.awaySince) == [nil])
    // It is sent again, to the head itself.
    let again = head.association(calling: "CT1")
    try head.receive(1...3, over: again)
    try head.ledger.endAssociation(again, .released)
    #expect(try head.ledger.incompleteness(series: "1.2.3").isEmpty)
  }

  /// Nobody brings the machine back: the series is sent again, past it.
  @Test func whatWasOnItsWayAtAListenerThatIsAwayIsMadeUpFor() throws {
    let association = listener.association(calling: "CT1")
    try listener.receive(1...2, over: association)
    try handOver()
    head.clock.advance(61)
    #expect(try head.ledger.markAwayListeners(patience: 60) == ["ward-1"])
    #expect(try head.assembleDue() == ["held"])
    let again = head.association(calling: "CT1")
    try head.receive(1...3, over: again)
    try head.ledger.endAssociation(again, .released)
    #expect(try head.ledger.incompleteness(series: "1.2.3").isEmpty)
    #expect(try head.assembleDue().last == "available")
  }

  /// A ledger that was restored from a copy gives numbers again: they are other entries.
  @Test func numbersThatAreGivenAgainAreKnown() throws {
    for number in 1...2 { try listener.receive(.test(number)) }
    for entry in try entries() { try take(entry) }
    let position = try head.ledger.record(HandoverBacklog(), of: sender)
    #expect(position.number == 2 && position.mark != nil)
    #expect(try !listener.ledger.isOlder(than: position))
    #expect(try !listener.ledger.isOlder(than: HandoverPosition(number: 0, mark: nil)))
    #expect(try listener.ledger.isOlder(than: HandoverPosition(number: 3, mark: "x")))
    #expect(try listener.ledger.isOlder(than: HandoverPosition(number: 2, mark: "x")))
  }

  /// The listener's ledger is older than what the head has: its numbers mean something else now.
  @Test func anOlderLedgerOfAListenerBeginsAnew() throws {
    for number in 1...3 { try listener.receive(.test(number)) }
    try handOver()
    let run = try listener.ledger.beginHandoverAnew()
    #expect(run != sender.run)
    let anew = HandoverSender(name: sender.name, run: run)
    #expect(try head.ledger.lastTaken(of: anew) == 0)
    var previous: Int64 = 0
    for entry in try listener.ledger.handovers(after: 0, count: 10) {
      let outcome = try head.ledger.beginTaking(
        entry, as: entry.instance?.record, after: previous, from: anew
      ).wait()
      #expect(outcome == .taken(.identical))
      previous = entry.number
    }
    #expect(try head.ledger.instances(series: "1.2.3").all.count == 3)
  }
}
