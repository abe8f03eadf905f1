import Clocks
import Testing

@testable import JobLedger

extension AuditedRecords {
  fileprivate var isEmpty: Bool { transfers.isEmpty && actions.isEmpty }
}

/// What the ledger has for the audit log and for notifications.
@Suite struct AuditedRecordsTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  init() throws { fixture = try LedgerFixture() }

  private func next() throws -> AuditedRecords {
    let records = try ledger.audited()
    try ledger.markAudited(records.position)
    return records
  }

  @Test func associationsDeliveriesAndPersonsAreThereOnce() throws {
    let association = fixture.association()
    #expect(try next().isEmpty)
    try fixture.receive(1...3, over: association)
    let begun = try next()
    #expect(begun.transfers.map(\.stage) == [.began])
    #expect(begun.transfers.first?.callingAETitle == "MODALITY")
    #expect(begun.transfers.first?.peerAddress == "10.0.0.5")
    #expect(begun.transfers.first?.studies.map(\.studyInstanceUID) == ["1.2"])
    try ledger.endAssociation(association, .abortedByPeer, message: "x")
    let ended = try next()
    #expect(ended.transfers.map(\.stage) == [.ended(fault: "aborted by peer: x")])
    #expect(ended.transfers.first?.studies.first?.instances.values.map { $0 } == [3])

    let job = try fixture.makeJob(series: "1.2.9")
    _ = try ledger.claimJob(id: job)
    try ledger.completeJob(job, result: .test(job), destinations: ["pacs"])
    let delivery = try #require(try ledger.claimDelivery())
    #expect(try ledger.transfer(ofJob: job, to: "pacs")?.stage == .began)
    try ledger.markDeliveryFailed(delivery, .unreachable, error: "no answer")
    fixture.clock.advance(720)
    try ledger.markDelivered(try #require(try ledger.claimDelivery()))
    try ledger.pauseProcessing(interruptsRunning: false, by: "root", reason: nil)
    let sent = try next()
    let toPACS = sent.transfers.filter { $0.destination == "pacs" }
    #expect(toPACS.map(\.stage) == [.ended(fault: "no answer"), .ended(fault: nil)])
    #expect(toPACS.first?.studies.first?.instances == ["seg": 1])
    #expect(sent.actions.map(\.kind) == ["processing paused"])
    #expect(sent.actions.map(\.person) == ["root"])
    #expect(try next().isEmpty)
  }

  /// The account is not what somebody wrote as the reason.
  @Test func whoDidSomethingIsTold() throws {
    let job = try fixture.makeJob()
    _ = try next()
    var selection = JobSelection()
    selection.jobs = [job]
    let asOthers = "weekend [root]"
    _ = try ledger.apply(.hold, to: selection, reason: asOthers, by: "anna")
    _ = try ledger.apply(.release, to: selection, by: "[x]")
    let clock = fixture.clock
    let own = try Ledger(
      path: fixture.path, clock: TimeSource { clock.now }, account: "root (ben)")
    _ = try own.apply(.prioritize(3), to: selection, reason: "urgent")
    _ = try own.apply(.cancel, to: selection)
    let actions = try next().actions
    #expect(actions.map(\.kind) == ["held", "resumed", "prioritized", "cancelled"])
    #expect(actions.map(\.person) == ["anna", "(x)", "root (ben)", "root (ben)"])
    #expect(actions.first?.message == "held by an administrator: weekend [root]")
  }

  /// What a person has seen to meanwhile is not told.
  @Test func whatIsHeldIsToldWhileItIsHeld() throws {
    _ = try ledger.untold(to: "it", kinds: [.held])
    let job = try fixture.makeJob()
    _ = try ledger.claimJob(id: job)
    try ledger.holdJob(job, reason: "slices are missing")
    let untold = try ledger.untold(to: "it", kinds: [.held])
    #expect(untold.notices.map(\.reason) == ["slices are missing"])
    #expect(untold.notices.first?.study == "1.2" && untold.notices.first?.job == job)
    try ledger.markTold(to: "it", upTo: untold.upTo)
    #expect(try ledger.untold(to: "it", kinds: [.held]).notices.isEmpty)
    #expect(try ledger.untold(to: "it", kinds: [.held]).messagesInLastHour == 1)
    #expect(try ledger.study(ofJob: job) == "1.2")
  }
}
