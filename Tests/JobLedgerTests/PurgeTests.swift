import Clocks
import Foundation
import GRDB
import TestSupport
import Testing

@testable import JobLedger

/// Purges are transactions with what they remove, and what comes afterwards knows of them.
@Suite struct PurgeTests: KeptFilesSuite {
  let fixture: LedgerFixture

  init() throws { fixture = try LedgerFixture() }

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
