import Clocks
import Foundation
import GRDB
import TestSupport
import Testing

@testable import JobLedger

/// What may be purged, and what never is.
@Suite struct RetentionTests: KeptFilesSuite {
  let fixture: LedgerFixture

  init() throws { fixture = try LedgerFixture() }

  // MARK: - Originals

  @Test func originalsOfAJobThatIsNotOverAreKept() throws {
    let job = try fixture.makeJob()
    #expect(try originals() == [:] && fixture.state(job) == "available")
    _ = try #require(try ledger.claimJob())
    #expect(try originals() == [:] && fixture.state(job) == "running")
    try ledger.failJob(job, reason: "x", policy: .jobs)
    #expect(try originals() == [:] && fixture.state(job) == "retryable")
  }

  @Test(arguments: DeliveryState.allCases)
  func originalsAndResultAreKeptUntilEachDeliveryIsOver(_ state: DeliveryState) throws {
    let job = try fixture.makeJob()
    try complete(job, to: ["pacs", "vna"])
    // The other one has it.
    let other = try #require(try ledger.claimDelivery(destination: "vna"))
    try ledger.markDelivered(other)
    let target = "pacs"
    if state != .waiting {
      if state == .superseded {
        _ = try fixture.reprocess()
        try complete(2, to: [])
      } else {
        let delivery = try #require(try ledger.claimDelivery(destination: target))
        switch state {
        case .sent: try ledger.markDelivered(delivery, awaitsProof: true)
        case .delivered: try ledger.markDelivered(delivery)
        case .held:
          try ledger.markDeliveryFailed(delivery, .refused, error: "no", isPermanent: true)
        case .waiting, .sending, .superseded: break
        }
      }
    }
    let states = try ledger.job(job).job.deliveries.map(\.state)
    #expect(states.sorted() == [state.rawValue, "delivered"].sorted())
    let isOver = state == .delivered || state == .superseded
    #expect(state.isOver == isOver)
    #expect(try originals() == (isOver ? ["1.2.3": .completed] : [:]))
    let expected: [Int64: KeptFiles.State] =
      switch state {
      case .delivered: [job: .current]
      case .superseded: [job: .superseded]
      default: [:]
      }
    // The newer one, which goes nowhere, is kept.
    #expect(try results() == expected)
  }

  @Test func heldAndCancelledOriginalsHaveAStateOfTheirOwn() throws {
    let job = try fixture.makeJob()
    _ = try ledger.claimJob()
    try ledger.holdJob(job, reason: "a gap")
    #expect(try originals() == ["1.2.3": .held])
    try apply(.cancel, job)
    #expect(try originals() == ["1.2.3": .unused])
  }

  /// The held job of before ends as cancelled and stays as a record.
  @Test func aHeldJobThatAnotherTookThePlaceOfDoesNotCount() throws {
    let job = try fixture.makeJob()
    _ = try ledger.claimJob()
    try ledger.holdJob(job, reason: "a gap")
    let next = try fixture.makeJob(instances: 3..<4)
    #expect(next == job + 1)
    try complete(next)
    try deliver()
    #expect(try fixture.state(job) == "cancelled" && originals() == ["1.2.3": .completed])
  }

  @Test func originalsOfAnOpenSeriesAndOfItsStudyAreKept() throws {
    try complete(try fixture.makeJob())
    try deliver()
    #expect(try originals() == ["1.2.3": .completed])
    // Another series of the study arrives, waits, and has a job.
    let association = fixture.association()
    try fixture.receive(.test(1, series: "1.2.4"))
    #expect(try originals() == [:])
    fixture.clock.advance(60)
    let due = try #require(try ledger.seriesDue(quietPeriod: 30).first)
    try ledger.assembleSeries(due, jobs: [.test()])
    #expect(try originals() == [:])
    try complete(2)
    try deliver()
    #expect(try originals().keys.sorted() == ["1.2.3", "1.2.4"])
    // The same once more, over an association that is open: nothing new, yet it may be aborted.
    _ = try ledger.recordInstance(.test(1, series: "1.2.4"), association: association)
    #expect(try originals() == [:])
    try ledger.endAssociation(association, .released)
    #expect(try originals().count == 2)
    // Of another study.
    try fixture.receive(.test(1, series: "5.6", study: "5"))
    #expect(try originals().count == 2)
  }

  /// A person decides what becomes of what is incomplete.
  @Test func originalsOfAnIncompleteSeriesAreKept() throws {
    let association = fixture.association()
    try fixture.receive(1...3, over: association)
    try ledger.endAssociation(association, .connectionLost)
    #expect(try fixture.assembleDue() == ["held"])
    #expect(try originals() == [:])
    try apply(.cancel, 1)
    #expect(try originals() == ["1.2.3": .unused])
  }

  @Test func originalsOfAChannelAreKeptForItsJob() throws {
    try fixture.receive(.test(1, series: "1.2.4"))
    fixture.clock.advance(60)
    let channel = try #require(try ledger.seriesDue(quietPeriod: 30).first)
    try ledger.assembleSeries(channel, jobs: [])
    #expect(try originals() == ["1.2.4": .unused])
    // In another study, as after an archive moved one of them.
    try fixture.receive(.test(1, series: "7.3", study: "7"))
    fixture.clock.advance(60)
    let main = try #require(try ledger.seriesDue(quietPeriod: 30).first)
    var job = NewJob.test()
    job.inputs = [.init(channel: "t2", seriesInstanceUID: "1.2.4")]
    try ledger.assembleSeries(main, jobs: [job])
    #expect(try originals() == [:])
    try complete(1)
    #expect(try originals() == [:])
    try deliver()
    #expect(try originals() == ["1.2.4": .completed, "7.3": .completed])
  }

  @Test func instancesOfACommitmentAreKeptUntilItIsAnswered() throws {
    try complete(try fixture.makeJob())
    try deliver()
    let id = try ledger.recordCommitment(
      transactionUID: "2.25.9", callingAETitle: "CT1", peerAddress: "10.0.0.5",
      references: [.init(sopClassUID: "1.2.840.10008.5.1.4.1.1.2", sopInstanceUID: "1.2.3.1")])
    #expect(try originals() == [:])
    try ledger.recordCommitmentOutcome(id, failureReasons: [nil])
    #expect(try originals() == [:], "the peer does not know yet")
    try ledger.markReported(id)
    #expect(try originals() == ["1.2.3": .completed])
  }

  @Test func theLastThingThatHappenedCounts() throws {
    let start = fixture.clock.now
    let job = try fixture.makeJob()
    fixture.clock.advance(100)
    try complete(job)
    fixture.clock.advance(1000)
    try deliver()
    let kept = try #require(try ledger.keptOriginals(after: .start).files.first)
    #expect(abs(kept.since.timeIntervalSince(start) - 1160) < 0.001)
    let result = try #require(try ledger.keptResults(after: 0).files.first)
    #expect(result.since == kept.since && result.seriesInstanceUID == "1.2.3")
  }

  @Test func portionsAreWhole() throws {
    for number in 1...5 {
      try complete(try fixture.makeJob(series: "1.2.\(number)"))
      try deliver()
    }
    var found: [String] = []
    var position: KeptPosition? = .start
    while let next = position {
      let portion = try ledger.keptOriginals(after: next, count: 2)
      found += portion.files.map(\.seriesInstanceUID)
      position = portion.next
    }
    #expect(found == (1...5).map { "1.2.\($0)" })
    var jobs: [Int64] = []
    var last: Int64? = 0
    while let next = last {
      let portion = try ledger.keptResults(after: next, count: 2)
      jobs += portion.files.compactMap(\.job)
      last = portion.next
    }
    #expect(jobs == [1, 2, 3, 4, 5])
  }

  // MARK: - Results

  @Test func aResultThatNoDestinationHasIsKept() throws {
    try complete(try fixture.makeJob(), to: [])
    #expect(try results() == [:] && originals() == ["1.2.3": .completed])
  }

  /// There is nothing to send.
  @Test func picturesOfAJobThatFoundNothingAreNotKept() throws {
    let job = try fixture.makeJob()
    try complete(job, .nothingFound)
    #expect(try results() == [job: .current])
  }

  @Test func aResultIsKeptForAJobThatMayComeToIt() throws {
    let job = try fixture.makeJob()
    try complete(job)
    try deliver()
    let next = try fixture.reprocess()
    #expect(try results() == [:])
    _ = try ledger.claimJob(id: next)
    #expect(try results() == [:])
    try ledger.completeJob(next, sameAs: job, destinations: ["pacs"])
    #expect(try results() == [job: .current])
  }
}
