import Clocks
import Foundation
import GRDB
import TestSupport
import Testing

@testable import JobLedger

/// What may be purged, and what never is.
@Suite struct RetentionTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  init() throws { fixture = try LedgerFixture() }

  private func originals() throws -> [String: KeptFiles.State] {
    let found = try ledger.keptOriginals(after: .start)
    #expect(found.next == nil)
    return Dictionary(
      uniqueKeysWithValues: found.files.map { ($0.seriesInstanceUID, $0.state) })
  }

  private func results() throws -> [Int64: KeptFiles.State] {
    Dictionary(
      uniqueKeysWithValues: try ledger.keptResults(after: 0).files.map { ($0.job ?? 0, $0.state) })
  }

  private func complete(
    _ job: Int64, _ result: JobResult? = nil, to destinations: [DeliveryTarget] = ["pacs"]
  ) throws {
    _ = try #require(try ledger.claimJob(id: job))
    try ledger.completeJob(job, result: result ?? .test(job), destinations: destinations)
  }

  private func deliver() throws {
    while let delivery = try ledger.claimDelivery() { try ledger.markDelivered(delivery) }
  }

  private func apply(_ action: JobAction, _ job: Int64) throws {
    var selection = JobSelection()
    selection.jobs = [job]
    #expect(try ledger.apply(action, to: selection).first?.isChanged == true)
  }

  private func purge(_ series: String = "1.2.3") throws -> PurgedFiles? {
    let files = try ledger.keptOriginals(after: .start).files
    return try ledger.purge(
      try #require(files.first { $0.seriesInstanceUID == series }), reason: "a test")
  }

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

  // MARK: - Purging

  @Test func aPurgeIsNotedWithItsFiles() throws {
    let paths = try (0..<3).map { number in
      let record = InstanceRecord.test(number)
      try fixture.receive(record)
      return record.spoolPath
    }
    let job = try fixture.makeJob(instances: 0..<0)
    try complete(job)
    try deliver()
    #expect(try ledger.keptOriginals(ofSeries: "1.2.3") == (3, 3000))
    #expect(try ledger.bytesOfOriginals() == 3000)
    let purged = try #require(try purge())
    #expect(purged.files == 3 && purged.bytes == 3000 && purged.paths.sorted() == paths.sorted())
    #expect(try ledger.filesToRemove() == paths.sorted())
    #expect(try ledger.bytesOfOriginals() == 0 && originals() == [:])
    // Until they are gone they are known.
    #expect(try ledger.spoolPaths(inFolder: "spool") == Set(paths))
    try ledger.forgetRemoved(Array(paths.prefix(2)))
    #expect(try ledger.spoolPaths(inFolder: "spool").count == 1)
    try ledger.forgetRemoved(paths)
    #expect(try ledger.filesToRemove() == [])

    let record = try ledger.record(ofStudy: "1.2")
    #expect(record.series[0].purgedAt != nil && record.series[0].purgedInstances == 3)
    #expect(record.series[0].instances == 3)
    let event = try #require(record.events.last)
    #expect(event.kind == "purged" && event.cause == .rule)
    #expect(event.message == "its originals were purged, 3 files, 0.0 MB: a test")
    #expect(try ledger.recordedInstances(after: 0, count: 10).isEmpty)
    #expect(try ledger.instances(series: "1.2.3").current.map(\.isPurged) == [true, true, true])
    #expect(try ledger.checkConsistency().findings == [])

    // A command of a person.
    let clock = fixture.clock
    let own = try Ledger(path: fixture.path, clock: TimeSource { clock.now }, account: "anna")
    let result = try #require(try ledger.keptResults(after: 0).files.first)
    let files = try #require(try own.purge(result, reason: "a test"))
    let order = try #require(try ledger.job(job).events.last)
    #expect(order.kind == "purged" && order.cause == .person)
    #expect(order.message.hasSuffix(": a test [anna]"))
    #expect(files.paths == ["results/\(job)"] && files.files == 2)
    #expect(try ledger.job(job).job.purgedAt != nil && results() == [:])
    #expect(try ledger.resultPaths() == [] && ledger.recordedResults() == [])
    #expect(try ledger.resultNotes() == [])
  }

  /// Between the look and the purge.
  @Test func whatSomethingHappenedToIsKept() throws {
    let job = try fixture.makeJob()
    try complete(job)
    try deliver()
    let originals = try #require(try ledger.keptOriginals(after: .start).files.first)
    let result = try #require(try ledger.keptResults(after: 0).files.first)
    let next = try fixture.reprocess()
    #expect(try ledger.purge(originals, reason: "x") == nil)
    #expect(try ledger.purge(result, reason: "x") == nil)
    fixture.clock.advance(1)
    try complete(next)
    try deliver()
    #expect(try ledger.purge(originals, reason: "x") == nil)
    #expect(try ledger.purge(result, reason: "x") == nil)
    #expect(try ledger.filesToRemove() == [])
    #expect(try results() == [job: .superseded, next: .current])
  }

  /// The same instances once more are taken, and kept as long as new ones.
  @Test func purgedOriginalsThatComeAgainAreKept() throws {
    try complete(try fixture.makeJob())
    try deliver()
    _ = try #require(try purge())
    try ledger.forgetRemoved(try ledger.filesToRemove())
    let reasons = try ledger.incompleteness(series: "1.2.3").reasons
    #expect(reasons.count == 1 && reasons[0].hasPrefix("the originals of 3 instances were purged"))
    fixture.clock.advance(1000)
    for number in 0..<3 {
      let again = InstanceRecord.test(number)
      #expect(try ledger.recordInstance(again) == .identical)
      #expect(try ledger.spoolPath(of: again) == nil)
      try ledger.replaceFile(with: again)
      #expect(try ledger.spoolPath(of: again) == again.spoolPath)
    }
    #expect(try ledger.incompleteness(series: "1.2.3").isEmpty)
    #expect(try ledger.instances(series: "1.2.3").current.allSatisfy { !$0.isPurged })
    let record = try ledger.record(ofStudy: "1.2")
    #expect(record.series[0].purgedAt == nil && record.series[0].purgedInstances == 0)
    #expect(record.events.map(\.kind).filter { $0 == "returned" }.count == 1)
    let kept = try #require(try ledger.keptOriginals(after: .start).files.first)
    #expect(abs(kept.since.timeIntervalSince(fixture.clock.now)) < 1)
    // No job is made of what is known.
    #expect(try ledger.seriesDue(quietPeriod: 0).isEmpty && ledger.jobs().count == 1)
  }

  /// More of a purged series is held until the rest comes too.
  @Test func aSeriesOfWhichTheRestIsPurgedIsHeld() throws {
    try complete(try fixture.makeJob())
    try deliver()
    _ = try #require(try purge())
    try fixture.receive(.test(9))
    #expect(try fixture.assembleDue() == ["completed", "held"])
    #expect(try originals() == [:])
    for number in 0..<3 { try ledger.replaceFile(with: .test(number)) }
    #expect(try fixture.assembleDue() == ["completed", "held", "available"])
    #expect(try ledger.instances(job: 3).current.count == 4)
  }

  /// An archive has the current version alone.
  @Test func aPurgedVersionThatWasReplacedIsNotNeededAgain() throws {
    try fixture.receive(.test(1, content: 10))
    try fixture.receive(.test(1, content: 11))
    let job = try fixture.makeJob(instances: 0..<0)
    #expect(try ledger.instances(job: job).replaced.count == 1)
    try complete(job)
    try deliver()
    #expect(try purge()?.files == 2)
    #expect(try ledger.instances(job: job).replaced.isEmpty)
    try ledger.replaceFile(with: .test(1, content: 11))
    #expect(try ledger.incompleteness(series: "1.2.3").isEmpty)
    #expect(try ledger.instances(job: job).all.map(\.isPurged) == [false])
  }

  /// Nothing that was acknowledged leaves the ledger.
  @Test func purgedInstancesAreNotInDoubt() throws {
    let association = fixture.association()
    try fixture.receive(0...2, over: association)
    try ledger.endAssociation(association, .released)
    try complete(try fixture.makeJob(instances: 0..<0))
    try deliver()
    _ = try purge()
    let again = fixture.association()
    _ = try ledger.recordInstance(.test(1), association: again)
    #expect(try ledger.instancesInDoubt().isEmpty)
    #expect(try ledger.instances(series: "1.2.3").current.count == 3)
  }

  @Test func aResultThatIsMadeAgainIsKept() throws {
    let job = try fixture.makeJob()
    try complete(job)
    try deliver()
    let result = try #require(try ledger.keptResults(after: 0).files.first)
    _ = try #require(try ledger.purge(result, reason: "x"))
    let next = try fixture.reprocess()
    // The very objects, in another folder.
    var again = JobResult.test(job)
    for index in again.objects.indices {
      again.objects[index].path = again.objects[index].path.replacing(
        "results/\(job)/", with: "results/\(next)/")
    }
    try complete(next, again)
    #expect(try ledger.job(job).job.purgedAt == nil && ledger.job(next).job.purgedAt == nil)
    #expect(try ledger.claimDelivery() == nil)
    #expect(try results() == [job: .current])
    #expect(try ledger.placesOfResult(job) == ["results/\(next)"])
  }

  // MARK: - Events

  @Test func eventsAreKeptAsLongAsWhatTheyAreAbout() throws {
    let job = try fixture.makeJob()
    try complete(job)
    try deliver()
    let count = try ledger.checkEvents().events
    fixture.clock.advance(100)
    let later = fixture.clock.now
    func removable() throws -> RemovableEvents { try ledger.removableEvents(before: later) }
    #expect(try removable().last == nil)
    #expect(try removable().kept?.contains("series 1.2.3, whose originals are kept") == true)
    _ = try purge()
    #expect(try removable().kept?.contains("whose result is kept") == true)
    _ = try ledger.purge(#require(try ledger.keptResults(after: 0).files.first), reason: "x")
    #expect(try removable() == RemovableEvents(count: count, last: Int64(count)))
    // Those that are newer are kept, and so is the last one.
    #expect(try ledger.removableEvents(before: fixture.clock.now + 1).count == count + 1)
    #expect(try ledger.removableEvents(before: later - 101).count == 0)

    #expect(try ledger.purgeEvents(before: later, reason: "a test") == count)
    let report = try ledger.checkEvents()
    #expect(report.findings == [] && report.events == 2)
    #expect(report.removals.map(\.reason) == ["a test"])
    #expect(try ledger.purgeEvents(before: later, reason: "a test") == 0)
    #expect(try ledger.record(ofStudy: "1.2").jobs.map(\.job.state) == ["completed"])
    #expect(try ledger.checkConsistency().findings == [])
  }

  @Test func eventsOfWhatIsNotOverAreKept() throws {
    let association = fixture.association()
    try ledger.recordRefusal(.test(4), association: association)
    try ledger.endAssociation(association, .connectionLost)
    #expect(try fixture.assembleDue() == ["held"])
    fixture.clock.advance(100)
    let found = try ledger.removableEvents(before: fixture.clock.now)
    #expect(found.kept?.contains("which is held as incomplete") == true)
    try apply(.cancel, 1)
    fixture.clock.advance(1)
    #expect(try ledger.removableEvents(before: fixture.clock.now).kept == nil)
  }
}

extension LedgerFixture {
  func reprocess() throws -> Int64 { try ledger.reprocess(series: "1.2.3", job: .test()) }
}
