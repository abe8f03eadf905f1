import Foundation
import Testing

@testable import JobLedger

/// A series of several volumes is held until one is chosen, and the choice lasts.
@Suite struct ChosenVolumeTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  init() throws { fixture = try LedgerFixture() }

  private static let names = ["EchoTime=20", "EchoTime=80"]

  private func verdict(_ kind: SeriesVerdict.Kind = .accepted, names: [String] = Self.names)
    -> SeriesVerdict
  {
    SeriesVerdict(
      seriesInstanceUID: "1.2.3", kind: kind, reasons: ["the series holds \(names.count) volumes"],
      volumes: names.map { name in
        let parts = name.split(separator: "=").map(String.init)
        return .init(
          dims: [4, 4, 3], splitBy: parts.count == 2 ? [parts[0]: parts[1]] : [:], images: 3)
      })
  }

  /// A job that ran and was held for want of a choice.
  private func heldJob(_ verdict: SeriesVerdict? = nil) throws -> Int64 {
    let job = try fixture.makeJob()
    _ = try #require(try ledger.claimJob(id: job))
    try ledger.holdJob(
      job, reason: "nothing says which is meant", verdicts: [verdict ?? self.verdict()])
    return job
  }

  private func release(_ volume: Int, _ job: Int64, isDryRun: Bool = false) throws -> JobChange {
    var selection = JobSelection()
    selection.jobs = [job]
    return try #require(
      try ledger.apply(.releaseVolume(volume), to: selection, reason: "why", isDryRun: isDryRun)
        .first)
  }

  @Test func aPersonsChoiceRunsTheJob() throws {
    let job = try heldJob()
    let announced = try release(2, job, isDryRun: true)
    #expect(try fixture.state(job) == "held" && ledger.volume(job: job) == nil)
    let change = try release(2, job)
    #expect(change == announced && change.isChanged)
    #expect(change.outcome == "waits for its turn, with volume 2 of 2 (EchoTime=80)")
    #expect(try fixture.state(job) == "available")
    let volume = ChosenVolume("EchoTime=80", by: .person)
    #expect(try fixture.reopened().volume(job: job) == volume)
    #expect(try ledger.job(job).job.volume == volume)
    let event = try #require(
      try ledger.job(job).events.first { $0.kind == "volume chosen" })
    #expect(event.cause == .person)
    #expect(event.message == "volume 2 of 2 (EchoTime=80), by an administrator: why")
    #expect(try ledger.lastJobs(ofStudy: "1.2").volumes == ["1.2.3": ["m": "EchoTime=80"]])
    // A job that never ran says nothing else.
    _ = try ledger.requestJob(series: "1.2.3", .test(start: .held(reason: "a tie")))
    #expect(try ledger.lastJobs(ofStudy: "1.2").volumes == ["1.2.3": ["m": "EchoTime=80"]])
    #expect(try ledger.claimJob(id: job) != nil)
    #expect(try ledger.checkConsistency().findings == [])
  }

  struct Refusal: Sendable {
    var number: Int
    var kind = SeriesVerdict.Kind.accepted
    var names = ChosenVolumeTests.names
    var words: String
  }

  @Test(arguments: [
    Refusal(number: 3, words: "no choice of volume 3: its series has 2 volumes"),
    Refusal(number: 0, words: "no choice of volume 0"),
    Refusal(number: 1, names: ["EchoTime=20"], words: "its series has 1 volume"),
    Refusal(number: 1, kind: .held, words: "the geometry of its series is not accepted"),
    Refusal(
      number: 1, names: ["EchoTime=20", "EchoTime=20"], words: "nothing distinguishes volume 1"),
  ])
  func whatCannotBeChosenSaysWhy(refusal: Refusal) throws {
    let job = try heldJob(verdict(refusal.kind, names: refusal.names))
    let before = try ledger.job(job)
    let change = try release(refusal.number, job)
    #expect(!change.isChanged && change.outcome.contains(refusal.words), "\(change)")
    #expect(try ledger.job(job) == before)
  }

  /// A job that was held when it was made has no attempt, and its verdict is the series'.
  @Test func aChoiceBeforeTheFirstAttempt() throws {
    for number in 0..<3 { try fixture.receive(.test(number)) }
    fixture.clock.advance(60)
    let due = try #require(try ledger.seriesDue(quietPeriod: 30).first)
    try ledger.assembleSeries(
      due, jobs: [.test(start: .held(reason: "equally well"))], verdict: verdict())
    let job = try #require(try ledger.jobs().first?.id)
    #expect(try release(1, job).isChanged)
    #expect(try ledger.volume(job: job)?.name == "EchoTime=20")
  }

  /// The choice is in the note of the result, and with it in a ledger that is rebuilt.
  @Test func theChoiceSurvivesALostLedger() throws {
    let job = try heldJob()
    _ = try release(2, job)
    _ = try #require(try ledger.claimJob(id: job))
    try ledger.completeJob(job, result: .test(job), destinations: ["pacs"])
    let delivery = try #require(try ledger.claimDelivery())
    try ledger.markDelivered(delivery)
    let note = try #require(try ledger.resultNotes().first)
    #expect(note.volume == ChosenVolume("EchoTime=80", by: .person))
    let coded = try JSONDecoder().decode(ResultNote.self, from: JSONEncoder().encode(note))
    #expect(coded == note)

    let rebuilt = try LedgerFixture()
    for number in 0..<3 { try rebuilt.receive(.test(number)) }
    #expect(try rebuilt.ledger.takeUp(coded))
    let known = try rebuilt.ledger.job(job).job
    #expect(known.volume == note.volume)
    // What the destination has, object by object.
    #expect(
      known.deliveries.map { $0.objects.map(\.sopInstanceUID) } == [
        note.objects.compactMap(\.sopInstanceUID)
      ])
    #expect(known.deliveries.flatMap(\.objects).allSatisfy { $0.arrivedAt != nil })
    #expect(
      try rebuilt.ledger.lastJobs(ofStudy: "1.2").volumes == ["1.2.3": ["m": "EchoTime=80"]])
    let again = try #require(try rebuilt.ledger.makeAgain(job: job))
    #expect(try rebuilt.ledger.volume(job: again) == note.volume)
    #expect(try rebuilt.ledger.checkConsistency().findings == [])
  }

  /// A result of several channels that was taken up from a note is made again of the same series.
  @Test func theInputsSurviveALostLedger() throws {
    try fixture.makeJob(series: "1.2.4")
    var new = NewJob(model: "two")
    new.inputs = [
      .init(channel: "t1", seriesInstanceUID: "1.2.3"),
      .init(channel: "t2", seriesInstanceUID: "1.2.4"),
    ]
    try fixture.makeJob()
    let job = try ledger.reprocess(series: "1.2.3", job: new)
    _ = try #require(try ledger.claimJob(id: job))
    try ledger.completeJob(job, result: .test(job), destinations: [])
    let note = try #require(try ledger.resultNotes().first)
    let rebuilt = try LedgerFixture()
    for number in 0..<3 { try rebuilt.receive(.test(number)) }
    #expect(try rebuilt.ledger.takeUp(note))
    let again = try #require(try rebuilt.ledger.makeAgain(job: job))
    #expect(try rebuilt.ledger.channels(job: again).map(\.name) == ["t1", "t2"])
    #expect(
      try rebuilt.ledger.channels(job: again).map(\.instances.seriesInstanceUID)
        == ["1.2.3", "1.2.4"])

    // A note of an older version names none: the job that comes to its result does.
    var old = note
    (old.inputs, old.alternatives) = (nil, nil)
    let other = try LedgerFixture()
    for series in ["1.2.3", "1.2.4"] { try other.makeJob(series: series) }
    old.job = 70
    #expect(try other.ledger.takeUp(old))
    let same = try other.ledger.reprocess(series: "1.2.3", job: new)
    _ = try #require(try other.ledger.claimJob(id: same))
    try other.ledger.completeJob(same, sameAs: 70, destinations: [])
    let remade = try #require(try other.ledger.makeAgain(job: 70))
    #expect(try other.ledger.channels(job: remade).map(\.name) == ["t1", "t2"])
  }
}
