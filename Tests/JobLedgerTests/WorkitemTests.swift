import Testing

@testable import JobLedger

/// A workitem of a worklist server goes from one state to those alone that its type has; each transition is an event.
@Suite struct WorkitemTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  init() throws { fixture = try LedgerFixture() }

  /// Moves a workitem to a state that follows on its present one.
  private func change(_ uid: String, to state: ClaimedWorkitem.State) throws {
    switch state {
    case .claiming: break
    case .performing: try ledger.performWorkitem(uid)
    case .ending: try ledger.endWorkitem(uid, cancelled: nil)
    case .completed, .cancelled:
      let item = try ledger.workitem(uid)
      var ended = try #require(item)
      ended.reason = state == .cancelled ? "no job" : nil
      try ledger.finishWorkitem(ended)
    case .lost: try ledger.loseWorkitem(uid, reason: "gone")
    }
  }

  /// A new workitem in a state.
  private func make(_ uid: String, in state: ClaimedWorkitem.State) throws {
    #expect(try ledger.beginWorkitem(uid, transactionUID: "2.25.\(uid)", inputs: []))
    let way: [ClaimedWorkitem.State] =
      switch state {
      case .claiming: []
      case .performing: [.performing]
      case .ending: [.performing, .ending]
      case .completed, .cancelled: [.performing, .ending, state]
      case .lost: [.lost]
      }
    for step in way { try change(uid, to: step) }
  }

  @Test(arguments: ClaimedWorkitem.State.allCases)
  func anIllegalTransitionIsAnError(start: ClaimedWorkitem.State) throws {
    for (number, next) in ClaimedWorkitem.State.allCases.enumerated() where next != .claiming {
      let uid = "1.\(number)"
      try make(uid, in: start)
      let events = try ledger.checkEvents().events
      if start.next.contains(next) {
        try change(uid, to: next)
        #expect(try ledger.checkEvents().events == events + 1)
        #expect(try ledger.workitem(uid)?.state == next)
        continue
      }
      if start == next {
        // Two that see the same at once, as the request to cancel it while it ends.
        try change(uid, to: next)
      } else {
        #expect(
          throws: LedgerError.wrongWorkitemState(uid: uid, state: start.rawValue, next: next)
        ) { try change(uid, to: next) }
      }
      #expect(try ledger.checkEvents().events == events)
      #expect(try ledger.workitem(uid)?.state == start)
    }
    #expect(throws: LedgerError.wrongWorkitemState(uid: "9", state: nil, next: .performing)) {
      try ledger.performWorkitem("9")
    }
  }

  /// What the ledger's triggers refuse is what the type has not.
  @Test(arguments: ClaimedWorkitem.State.allCases)
  func theFileRefusesEveryOtherChangeOfState(start: ClaimedWorkitem.State) throws {
    for (number, next) in ClaimedWorkitem.State.allCases.enumerated() where next != start {
      let uid = "1.\(number)"
      try make(uid, in: start)
      let change = {
        try ledger.write { db in
          try db.execute(
            sql: "UPDATE workitems SET state = ?, ended_at = ?, reason = 'x' WHERE uid = ?",
            arguments: [next.rawValue, next.next.isEmpty ? 1.0 : nil, uid])
        }
      }
      if start.next.contains(next) {
        try change()
      } else {
        #expect(throws: LedgerError.self, "\(start) to \(next)") { try change() }
      }
    }
  }
}
