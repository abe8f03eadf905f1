import Clocks
import Foundation
import JobLedger
import Synchronization
import TestSupport
import Testing

@testable import Explanation

/// The story of made-up studies.
@Suite struct StudyExplanationTests {
  /// A clock that a test sets.
  private final class Clock: Sendable {
    private let time = Mutex(Date(timeIntervalSince1970: 1_800_000_000))
    var now: Date { time.withLock { $0 } }
    func advance(_ seconds: TimeInterval) { time.withLock { $0 += seconds } }
  }

  private let folder: TemporaryFolder
  private let clock = Clock()
  private let ledger: Ledger
  private let times = WaitingTimes(quietPeriod: 30, patience: 900)

  init() throws {
    folder = try TemporaryFolder()
    let clock = clock
    ledger = try Ledger(
      path: folder.url.appendingPathComponent("ledger.sqlite").path, clock: TimeSource { clock.now }
    )
  }

  private func instance(_ number: Int, source: InstanceSource = .listener) -> InstanceRecord {
    InstanceRecord(
      studyInstanceUID: "1.2", seriesInstanceUID: "1.2.3", sopInstanceUID: "1.2.3.\(number)",
      sopClassUID: "1.2.840.10008.5.1.4.1.1.2", modality: "CT",
      transferSyntaxUID: "1.2.840.10008.1.2.1", spoolPath: "spool/\(number).dcm",
      byteCount: 500_000, contentHash: String(format: "%064x", number), source: source,
      callingAETitle: source == .listener ? "CT1" : nil)
  }

  private func association(_ key: String) -> ReceivingAssociation {
    ReceivingAssociation(
      key: "session/\(key)", callingAETitle: "CT1", calledAETitle: "SEGMENTD",
      peerAddress: "10.0.0.5", startedAt: SteadyTime(seconds: clock.now.timeIntervalSince1970))
  }

  private func receive(_ numbers: ClosedRange<Int>, _ end: AssociationOutcome?) throws {
    let association = association("\(numbers)")
    for number in numbers {
      clock.advance(1)
      _ = try ledger.recordInstance(instance(number), association: association)
    }
    if let end { try ledger.endAssociation(association, end, message: "connection reset") }
  }

  private func assemble(_ jobs: [NewJob], isHeld: Bool = false) throws {
    clock.advance(60)
    let due = try #require(try ledger.seriesDue(quietPeriod: 30).first)
    try ledger.assembleSeries(
      due, jobs: jobs,
      verdict: SeriesVerdict(
        seriesInstanceUID: "1.2.3", kind: isHeld ? .held : .repaired,
        reasons: ["two slices were swapped"],
        volumes: [.init(dims: [512, 512, 3], splitBy: [:], images: 3)]),
      rules: ["rule 1 chose model liver; modality is CT (CT)"], isHeldAsIncomplete: isHeld)
  }

  private func explain() throws -> StudyExplanation {
    StudyExplanation(try ledger.record(ofStudy: "1.2"), waiting: times)
  }

  private let result = JobResult(
    objects: [
      .segmentation(
        sopInstanceUID: "2.25.7", path: "results/1/segmentation.dcm",
        sha256: String(repeating: "a", count: 64)),
      .picture(path: "results/1/contours.png", sha256: String(repeating: "b", count: 64)),
    ], modelVersion: "1.4.0", summary: "liver 1500.00 ml")

  @Test func whereAClusterComputesIsTold() throws {
    try receive(1...3, .released)
    try assemble([NewJob(model: "liver")])
    let job = try #require(try ledger.claimJob())
    try ledger.note(
      JobPlace(
        cluster: "Slurm", name: "segmentd-1-1-2-1", number: 17, state: "RUNNING", node: "w1",
        partition: "batch"), of: job.id)
    #expect(
      try explain().waits.contains {
        $0.text.hasSuffix(": Slurm's segmentd-1-1-2-1 (job 17), RUNNING on w1, partition batch")
      })
    try ledger.completeJob(job.id, result: result, destinations: [])
    #expect(
      try explain().story.contains {
        $0.text.hasSuffix(
          "completed; by Slurm on w1, partition batch (segmentd-1-1-2-1)")
      })
  }

  @Test func aCompletedStudyIsToldFromBeginningToEnd() throws {
    try receive(1...3, .released)
    try assemble([NewJob(model: "liver")])
    let job = try #require(try ledger.claimJob())
    let hash = String(repeating: "c", count: 64)
    try ledger.identifyJob(
      job.id, JobIdentity(fingerprint: hash, modelSHA256: hash), seriesInstanceUID: "2.25.6",
      replaced: nil)
    clock.advance(50)
    try ledger.completeJob(
      job.id, result: result, destinations: ["pacs"],
      run: JobRun(
        seconds: ["network": 40.5, "reading": 0.25, "total": 50],
        predictedMemory: 1_900_000_000, peakMemory: 1_800_000_000))
    let delivery = try #require(try ledger.claimDelivery())
    try ledger.markDeliveryFailed(
      delivery, .unreachable, error: "PACS at 10.0.0.6: no answer",
      policy: RetryPolicy(firstPause: 2, longestPause: 2, maximumAttempts: nil))
    var explanation = try explain()
    #expect(
      explanation.waits.map(\.text) == [
        "the result of job 1 waits to be sent to pacs (attempt 2): PACS at 10.0.0.6: no answer"
      ])
    #expect(explanation.waits.first?.until == clock.now.addingTimeInterval(2))

    clock.advance(60)
    try ledger.markDelivered(try #require(try ledger.claimDelivery()))
    explanation = try explain()
    #expect(explanation.waits.isEmpty)
    let expected = [
      "CT1 at 10.0.0.5 opened an association to SEGMENTD, over which series 1.2.3 came",
      "the association of CT1 at 10.0.0.5 was released by the peer (connection reset): 3 instances "
        + "of series 1.2.3 stored, 0 refused",
      "the geometry gate assessed series 1.2.3 by its headers: repaired: two slices were swapped; "
        + "1 volume: 512x512x3",
      "rules on series 1.2.3: rule 1 chose model liver; modality is CT (CT)",
      "job 1 was made: job for model liver",
      "attempt 1 at job 1 began",
      "attempt 1 at job 1 ended, completed; 50.0 s: network 40.5, reading 0.2; 1800.0 MB of memory "
        + "at the peak of the process, 1900.0 MB predicted",
      "job 1 used model liver 1.4.0 (SHA-256 \(hash))",
      "the result of job 1 was read back from disk and proved equal to the labels and to the source "
        + "images: 1 segmentation (2.25.7) in series 2.25.6",
      "job 1 was completed: liver 1500.00 ml",
      "the result of job 1 is to be sent to pacs",
      "transfer of the result of job 1 to pacs (attempt 1) began",
      "the result of job 1 was not delivered to pacs: PACS at 10.0.0.6: no answer",
      "transfer of the result of job 1 to pacs (attempt 2) began",
      "the result of job 1 was delivered to pacs",
    ]
    #expect(explanation.story.map(\.text).sorted() == expected.sorted())
    #expect(explanation.story.map(\.at) == explanation.story.map(\.at).sorted())
    #expect(
      explanation.states == [
        "series 1.2.3 (CT), 3 instances: is assembled",
        "job 1, model liver: completed; pacs: delivered",
      ])
    for sentence in expected { #expect(explanation.text.contains("  \(sentence)\n")) }
    #expect(explanation.text.hasSuffix("nothing to wait for"))
    let coded = try JSONEncoder().encode(explanation)
    #expect(try JSONDecoder().decode(StudyExplanation.self, from: coded) == explanation)
  }

  /// Refused, held, and then sent again.
  @Test func aHeldStudySaysWhatItLacks() throws {
    try receive(1...2, .connectionLost)
    var refused = RefusedInstance(reason: "ends within (7FE0,0010) Pixel Data", source: .listener)
    refused.sopInstanceUID = "1.2.3.3"
    refused.seriesInstanceUID = "1.2.3"
    refused.studyInstanceUID = "1.2"
    refused.status = 0xC000
    try ledger.recordRefusal(refused, association: association("refused"))
    try ledger.endAssociation(association("refused"), .released)
    try assemble([NewJob(model: "", start: .held(reason: "instances are missing"))], isHeld: true)
    let text = try explain().text
    for sentence in [
      "series 1.2.3 (CT), 2 instances: is held because instances may be missing",
      "ended with a lost connection (connection reset): 2 instances of series 1.2.3 stored",
      "nothing has made up for that since",
      "instance 1.2.3.3 refused with 0xC000: ends within (7FE0,0010) Pixel Data, from CT1 at "
        + "10.0.0.5; it has not arrived since",
      "job 1 was held: instances are missing",
      "series 1.2.3 waits for what is missing: have it sent again",
    ] { #expect(text.contains(sentence), "\(sentence)\n\(text)") }
  }

  @Test func aPauseIsTold() throws {
    try receive(1...3, .released)
    try assemble([NewJob(model: "liver", priority: 5)])
    try ledger.pauseProcessing(by: "anna", reason: "new disk")
    let since = clock.now.formatted(.iso8601)
    #expect(
      try explain().waits.map(\.text) == [
        "job 1 waits for its turn, behind 0 jobs (priority 5), and processing is paused since "
          + "\(since) by anna: new disk"
      ])
    try ledger.resumeProcessing(by: "anna", reason: nil)
    #expect(
      try explain().waits.map(\.text) == [
        "job 1 waits for its turn, behind 0 jobs (priority 5)"
      ])
  }

  @Test func whatAnAdministratorDidIsTold() throws {
    try receive(1...3, .released)
    try assemble([NewJob(model: "liver")])
    var job = JobSelection()
    job.jobs = [1]
    for action in [JobAction.prioritize(4), .hold, .release] {
      clock.advance(1)
      _ = try ledger.apply(action, to: job, reason: "weekend")
    }
    _ = try #require(try ledger.claimJob())
    try ledger.completeJob(1, result: result, destinations: ["pacs"])
    let delivery = try #require(try ledger.claimDelivery())
    try ledger.markDeliveryFailed(
      delivery, .refused, error: "refused with 0xA900", isPermanent: true)
    let waits = try explain().waits.map(\.text)
    #expect(
      waits == [
        "the result of job 1 is held for pacs, and waits for a person: refused with 0xA900. "
          + "What to do: The destination does not accept such an object: see its log; allow SEG, "
          + "Comprehensive 3D SR and Multi-frame True Color Secondary Capture there, or leave one out "
          + "with takes; singleFrames: true sends captures as objects of one frame."
      ])
    _ = try ledger.apply(.retry, to: job)
    let text = try explain().text
    for sentence in [
      "job 1 was given priority 4, by an administrator: weekend",
      "job 1 was held: held by an administrator: weekend",
      "job 1 was released by an administrator: weekend",
      "the delivery of the result of job 1 was held to pacs: refused with 0xA900",
      "the delivery of the result of job 1 was tried again by an administrator",
    ] { #expect(text.contains(sentence), "\(sentence)\n\(text)") }
  }

  @Test func whatIsNotAssembledSaysUntilWhenItWaits() throws {
    try receive(1...2, nil)
    #expect(
      try explain().waits.map(\.text) == [
        "series 1.2.3 waits for CT1 at 10.0.0.5 to end its association"
      ])
    try receive(3...3, .released)
    try ledger.rescue()
    let question = try #require(try ledger.completenessQuestions(quietPeriod: 0).first)
    try ledger.recordCompleteness(
      .missing(listed: 5, reason: "2 of 5 instances are missing"), of: question,
      policy: CompletenessPolicy(patience: 900, processesUnconfirmed: false, settleTime: 60))
    let waits = try explain().waits
    #expect(
      waits.map(\.text) == [
        "series 1.2.3 waits for more, until nothing has come for 30 s",
        "the query source is asked again about series 1.2.3 (asked 1 time so far): "
          + "2 of 5 instances are missing",
        "series 1.2.3 waits no longer for the query source than 900 s",
      ])
    #expect(
      waits.map { $0.until?.timeIntervalSince(clock.now) } == [30, 5, 900])
  }

  /// A series that lacks instances waits longer, and what it waits for is told as such.
  @Test(arguments: [true, false]) func whatIsIncompleteWaitsLonger(isBroken: Bool) throws {
    try receive(1...2, isBroken ? .connectionLost : .released)
    if !isBroken {
      var refused = RefusedInstance(reason: "cut off", source: .listener)
      (refused.sopInstanceUID, refused.seriesInstanceUID) = ("1.2.3.9", "1.2.3")
      refused.studyInstanceUID = "1.2"
      try ledger.recordRefusal(refused)
    }
    let explanation = StudyExplanation(
      try ledger.record(ofStudy: "1.2"),
      waiting: WaitingTimes(quietPeriod: 30, missingPeriod: 300))
    #expect(
      explanation.waits.map(\.text) == [
        "series 1.2.3 waits for what is missing, until nothing has come for 300 s"
      ])
  }

  @Test func everyStateOfAJobIsTold() throws {
    try receive(1...3, .released)
    try assemble([NewJob(model: "liver")])
    #expect(try explain().waits.map(\.text) == ["job 1 waits for its turn, behind 0 jobs"])
    _ = try ledger.claimJob()
    #expect(
      try explain().waits.map(\.text) == [
        "job 1 is running since \(clock.now.formatted(.iso8601))"
      ])
    try ledger.failJob(1, reason: "out of memory", policy: .jobs)
    #expect(
      try explain().waits.map(\.text) == ["job 1 is tried again, behind 0 jobs: out of memory"])
    let until = try #require(try explain().waits[0].until)
    #expect((8.0...12).contains(until.timeIntervalSince(clock.now)))
    try ledger.cancelJob(1, reason: "not wanted")
    #expect(try explain().states.last == "job 1, model liver: cancelled; not wanted")

    // A result, the same one again, and one that takes its place.
    for number in 2...4 as ClosedRange<Int64> {
      #expect(try ledger.reprocess(series: "1.2.3", job: NewJob(model: "liver")) == number)
      _ = try ledger.claimJob(id: number)
      if number == 3 {
        try ledger.completeJob(number, sameAs: 2, destinations: [])
      } else {
        var other = result
        other.objects[0].sopInstanceUID = "2.25.\(number)"
        try ledger.completeJob(number, result: other, destinations: [])
      }
    }
    let explanation = try explain()
    #expect(
      explanation.states.suffix(3) == [
        "job 2, model liver: completed; superseded by job 4",
        "job 3, model liver: completed; with the result of job 2; superseded by job 4",
        "job 4, model liver: completed",
      ])
    #expect(
      explanation.story.map(\.text).contains(
        "images, model and settings were those of job 2: its result is that of job 3"))
  }

  @Test func filesAndCommitmentAreTold() throws {
    for number in 1...2 { _ = try ledger.recordInstance(instance(number, source: .watch)) }
    _ = try ledger.recordCommitment(
      transactionUID: "2.25.4", callingAETitle: "ARCHIVE", peerAddress: "10.0.0.9",
      references: [.init(sopClassUID: "1.2.840.10008.5.1.4.1.1.2", sopInstanceUID: "1.2.3.1")])
    let explanation = try explain()
    #expect(
      explanation.story.map(\.text) == [
        "2 instances of series 1.2.3 came from a watch folder (1.0 MB)",
        "ARCHIVE at 10.0.0.9 asked for storage commitment of 1 instance of the study (transaction "
          + "2.25.4)",
      ])
    #expect(
      explanation.waits.map(\.text).last
        == "the instances that ARCHIVE at 10.0.0.9 asked about are to be hashed")
  }
}
