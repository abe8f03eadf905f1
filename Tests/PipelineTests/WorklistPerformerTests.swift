import DICOMweb
import Foundation
import JobLedger
import Logging
import TestSupport
import Testing

@testable import Pipeline

/// Workitems of a worklist server, from the claim to their end.
@Suite(.serialized) struct WorklistPerformerTests {
  /// A worklist server; see `ups_server.py`.
  private final class Worklist: Sendable {
    struct Event: Decodable {
      var uid: String
      var state: String?
      var percent: Int?
      var reason: String?
      var outputs: [String]?
      var subscriber: String?
    }

    let client: DICOMwebClient
    private let process: ChildProcess

    /// - Parameters:
    ///   - items: UID, label, study and series of each.
    ///   - certificate: files of the certificate and key of its events.
    ///   - security: of the client.
    init(
      _ items: [(uid: String, label: String, study: String, series: String)], in folder: URL,
      certificate: [String] = [], security: DICOMwebClient.Security? = nil
    ) async throws {
      let port = try freePort()
      let list = items.map {
        """
        {"00080018": {"vr": "UI", "Value": ["\($0.uid)"]},
         "00741204": {"vr": "LO", "Value": ["\($0.label)"]},
         "00404021": {"vr": "SQ", "Value": [{"0020000D": {"vr": "UI", "Value": ["\($0.study)"]},
           "0020000E": {"vr": "UI", "Value": ["\($0.series)"]}}]}}
        """
      }
      let file = folder.appendingPathComponent("workitems.json")
      try "[\(list.joined(separator: ","))]".write(to: file, atomically: true, encoding: .utf8)
      process = try ChildProcess(
        testPython,
        [
          TestFiles.package.appendingPathComponent("Scripts/test-support/peers/ups_server.py").path,
          "\(port)", file.path,
        ] + certificate, log: folder.appendingPathComponent("worklist.log"))
      client = DICOMwebClient(
        url: try #require(URL(string: "http://127.0.0.1:\(port)")), security: security)
      try await waitUntil("the worklist server", within: 900) { [process] in
        guard process.isRunning else { throw Ended(output: process.output) }
        return try await runProcess(
          "/bin/bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(port)"]
        ).status == 0
      }
    }

    struct Ended: Error { var output: String }

    func events(of uid: String) -> [Event] {
      process.output.split(separator: "\n").compactMap {
        try? JSONDecoder().decode(Event.self, from: Data($0.utf8))
      }.filter { $0.uid == uid }
    }

    func stop() async throws { try await process.end(SIGKILL) }
  }

  private func performer(
    _ job: SmallJob, _ worklist: Worklist, interval: Double = 30, patience: Double = 900
  ) -> WorklistPerformer {
    WorklistPerformer(
      client: worklist.client, ledger: job.ledger, state: job.state, source: nil,
      settings: .init(station: nil, name: "SEGMENTD", interval: interval, patience: patience),
      logger: Logger(label: "test"))
  }

  private func study(_ job: SmallJob) throws -> String {
    try #require(try job.ledger.study(ofJob: job.id))
  }

  @Test func aWorkitemIsClaimedPerformedAndCompleted() async throws {
    let job = try await SmallJob()
    let study = try study(job)
    let worklist = try await Worklist(
      [("2.25.1", "", study, job.series), ("2.25.2", "taken", study, job.series)],
      in: job.folder.url)
    let performer = performer(job, worklist)
    try await performer.step()
    #expect(try job.ledger.workitem("2.25.1")?.state == .performing)
    // Somebody else was faster.
    #expect(try job.ledger.workitem("2.25.2")?.state == .lost)
    try await performer.step()
    #expect(worklist.events(of: "2.25.1").compactMap(\.percent).count == 1)
    _ = try await job.runner.runNext { _ in }
    try await performer.step()
    #expect(try job.ledger.workitem("2.25.1")?.state == .completed)
    let events = worklist.events(of: "2.25.1")
    #expect(events.compactMap(\.state) == ["IN PROGRESS", "COMPLETED"])
    let made = try job.ledger.jobs().flatMap(\.objects).compactMap(\.sopInstanceUID)
    #expect(!made.isEmpty && events.compactMap(\.outputs).last == made)
    // It is not asked for again.
    try await performer.step()
    #expect(worklist.events(of: "2.25.1").count == events.count)
    try await worklist.stop()
  }

  /// Each change is made and its answer lost: what is written first tells the next step what is ours.
  @Test func lostAnswersLoseNothing() async throws {
    let job = try await SmallJob()
    let worklist = try await Worklist(
      [("2.25.1", "lossy", try study(job), job.series)], in: job.folder.url)
    _ = try await job.runner.runNext { _ in }
    var failures = 0
    for _ in 0..<20 where try job.ledger.workitem("2.25.1")?.state != .completed {
      // As after a crash: nothing but the ledger is known.
      do { try await performer(job, worklist).step() } catch is DICOMwebError { failures += 1 }
    }
    #expect(try job.ledger.workitem("2.25.1")?.state == .completed && failures == 3)
    #expect(
      worklist.events(of: "2.25.1").compactMap(\.state) == ["IN PROGRESS", "COMPLETED"])
    try await worklist.stop()
  }

  /// The job goes on: others may have asked for it.
  @Test func whatItsRequesterCancelledIsLeftAlone() async throws {
    let job = try await SmallJob()
    let worklist = try await Worklist(
      [("2.25.1", "withdrawn", try study(job), job.series)], in: job.folder.url)
    let performer = performer(job, worklist)
    try await performer.step()
    let claimed = try #require(try job.ledger.workitem("2.25.1"))
    #expect(claimed.state == .performing)
    let told = worklist.events(of: "2.25.1").count
    try await performer.step()
    let lost = try #require(try job.ledger.workitem("2.25.1"))
    #expect(lost.state == .lost && lost.reason == "the server has it as CANCELED")
    #expect(worklist.events(of: "2.25.1").count == told)
    #expect(try job.ledger.job(job.id).job.state == "available")
    try await worklist.stop()
  }

  /// A request to cancel that the server only passes on, over a WebSocket.
  @Test(arguments: [false, true]) func whatItsRequesterAsksToCancelIsCancelled(isSecured: Bool)
    async throws
  {
    let job = try await SmallJob()
    let worklist = try await Worklist(
      [("2.25.1", "recalled", try study(job), job.series)], in: job.folder.url,
      certificate: isSecured
        ? [try await Certificates.file("server.pem"), try await Certificates.file("server.key")]
        : [],
      security: .init(trusted: try await Certificates.file("ca.pem")))
    let performer = performer(job, worklist, interval: 0.2)
    let run = Task { try await performer.run() }
    try await waitUntil("the end of the workitem", within: 900) {
      try job.ledger.workitem("2.25.1")?.state == .cancelled
    }
    run.cancel()
    _ = await run.result
    let events = worklist.events(of: "2.25.1")
    #expect(events.compactMap(\.subscriber) == ["SEGMENTD"])
    #expect(events.compactMap(\.state) == ["IN PROGRESS", "CANCELED"])
    // What the requester writes may name a patient.
    #expect(events.compactMap(\.reason) == ["its requester asked for it"])
    #expect(try job.ledger.job(job.id).job.state == "available")
    try await worklist.stop()
  }

  /// Events of a server whose certificate is not trusted are not followed, and the workitem is performed all the same.
  @Test func eventsOfAServerThatIsNotTrusted() async throws {
    let job = try await SmallJob()
    let worklist = try await Worklist(
      [("2.25.1", "recalled", try study(job), job.series)], in: job.folder.url,
      certificate: [
        try await Certificates.file("server.pem"), try await Certificates.file("server.key"),
      ], security: .init(trusted: try await Certificates.file("other-ca.pem")))
    let place = try #require(try await worklist.client.subscribe(to: "2.25.1", as: "SEGMENTD"))
    let failure = await #expect(throws: DICOMwebError.self) {
      try await worklist.client.events(at: place) { _ in }
    }
    #expect(failure?.isPassing == true, "\(String(describing: failure))")
    let performer = performer(job, worklist, interval: 0.2)
    let run = Task { try await performer.run() }
    _ = try await job.runner.runNext { _ in }
    try await waitUntil("the end of the workitem", within: 900) {
      try job.ledger.workitem("2.25.1")?.state == .completed
    }
    run.cancel()
    _ = await run.result
    try await worklist.stop()
  }

  /// A series that no rule takes keeps nobody waiting.
  @Test func aWholeStudyEndsWithASeriesWithoutAJob() async throws {
    let job = try await SmallJob()
    let study = try study(job)
    let other = InstanceRecord(
      studyInstanceUID: study, seriesInstanceUID: "1.2.3.4", sopInstanceUID: "1.2.3.4.1",
      sopClassUID: "1.2.840.10008.5.1.4.1.1.2", modality: "CT",
      transferSyntaxUID: "1.2.840.10008.1.2.1", spoolPath: "spool/none.dcm", byteCount: 1,
      contentHash: String(repeating: "0", count: 64), source: .listener)
    _ = try job.ledger.recordInstance(other)
    let worklist = try await Worklist([("2.25.1", "", study, "")], in: job.folder.url)
    let performer = performer(job, worklist)
    _ = try await job.runner.runNext { _ in }
    try await performer.step()
    #expect(try job.ledger.workitem("2.25.1")?.state == .performing, "it is not assembled yet")
    for due in try job.ledger.seriesDue(quietPeriod: 0) {
      try job.ledger.assembleSeries(due, jobs: [])
    }
    try await performer.step()
    #expect(try job.ledger.workitem("2.25.1")?.state == .completed)
    try await worklist.stop()
  }

  @Test func whatIsHeldOrDoesNotComeIsCancelled() async throws {
    let job = try await SmallJob()
    let study = try study(job)
    let worklist = try await Worklist(
      [("2.25.1", "", study, job.series), ("2.25.2", "", study, "1.2.3.4.5")],
      in: job.folder.url)
    let claimed = try #require(try job.ledger.claimJob())
    try job.ledger.holdJob(claimed.id, reason: "slices are missing")
    try await performer(job, worklist).step()
    let held = worklist.events(of: "2.25.1")
    #expect(held.compactMap(\.state) == ["IN PROGRESS", "CANCELED"])
    #expect(held.compactMap(\.reason) == ["held: slices are missing"])
    #expect(try job.ledger.workitem("2.25.1")?.state == .cancelled)
    // The other one waits for its series, for as long as it is patient.
    #expect(try job.ledger.workitem("2.25.2")?.state == .performing)
    try await performer(job, worklist, patience: -1).step()
    #expect(
      worklist.events(of: "2.25.2").compactMap(\.reason)
        == ["its inputs are not here: series 1.2.3.4.5 has not come"])
    #expect(try job.ledger.openWorkitems().isEmpty)
    try await worklist.stop()
  }
}
