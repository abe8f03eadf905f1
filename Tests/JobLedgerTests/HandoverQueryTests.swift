import Testing

@testable import JobLedger

/// What a listener and a head ask every two seconds, and for each portion that is handed over: never all that was ever
/// handed over.
@Suite struct HandoverQueryTests {
  private let listener: LedgerFixture
  private let head: LedgerFixture
  private let sender: HandoverSender

  init() throws {
    listener = try LedgerFixture()
    head = try LedgerFixture()
    sender = HandoverSender(name: "ward-1", run: try listener.ledger.beginHandover())
  }

  /// Instances, a refusal and the end of an association wait at the listener.
  private func receive() throws {
    let association = listener.association(calling: "CT1")
    try listener.receive(1...3, over: association)
    try listener.ledger.recordRefusal(.test(4), association: association)
    try listener.ledger.endAssociation(association, .connectionLost)
  }

  @Test func atTheListener() throws {
    let ledger = listener.ledger
    let plans = QueryPlans(ledger: ledger)
    let made = try plans.statements {
      try receive()
      _ = try ledger.handoverRun()
      _ = try ledger.handoverBacklog()
      #expect(try ledger.handovers(after: 0, count: 128).count == 5)
      let last = try ledger.lastHandover()
      #expect(try !ledger.isOlder(than: HandoverPosition(number: 0, mark: nil)))
      try ledger.markNotHandedOver(reason: "no answer")
      try ledger.markHandedOver(upTo: last, refused: [2: "x"])
      #expect(try ledger.handoverState()?.backlog.waiting == 0)
      #expect(try ledger.handOverAgain(after: 3) > 0)
      try ledger.markHandedOver(after: 0, upTo: 3)
      try ledger.markHandedOver(after: 3, upTo: last)
      _ = try ledger.handoverState()
    }
    #expect(made.contains { $0.contains("INDEXED BY handovers_waiting SET handed_at") })
    try plans.expectNoScans(made, 15)
    // What is marked of a portion is found by its numbers, however much waits.
    let portion = try #require(made.first { $0.contains("NOT INDEXED SET handed_at") })
    #expect(
      try plans.steps(portion).first
        == "SEARCH handovers USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)")
  }

  @Test func atTheHead() throws {
    try receive()
    let entries = try listener.ledger.handovers(after: 0, count: 128)
    let backlog = try listener.ledger.handoverBacklog()
    let ledger = head.ledger
    let plans = QueryPlans(ledger: ledger)
    let made = try plans.statements {
      try ledger.record(backlog, of: sender)
      var previous = try ledger.lastTaken(of: sender)
      for entry in entries {
        var record = entry.instance?.record
        record?.spoolPath = "spool/\(entry.number).dcm"
        _ = try ledger.beginTaking(entry, as: record, after: previous, from: sender).wait()
        previous = entry.number
      }
      head.clock.advance(61)
      #expect(try ledger.markAwayListeners(patience: 60) == ["ward-1"])
      try ledger.record(HandoverBacklog(), of: sender)
      _ = try ledger.markAwayListeners(patience: 60)
      _ = try ledger.listeners()
      let anew = HandoverSender(name: sender.name, run: "another")
      try ledger.record(backlog, of: anew)
      head.clock.advance(60)
      _ = try ledger.seriesDue(quietPeriod: 30)
    }
    try plans.expectNoScans(made, 15)
  }
}
