import Foundation
import JobLedger
import TestSupport
import Testing

/// `reprocess` of many studies, beside another one, and beside a daemon that starts.
@Suite(.serialized, .limitedConcurrency) struct ReprocessTests {
  private func start(_ setup: DaemonSetup, _ name: String, _ options: String...) throws
    -> ChildProcess
  {
    try ChildProcess(
      segmentdBinary, ["reprocess", "--config", setup.configuration] + options,
      log: setup.folder.url.appendingPathComponent("\(name).log"))
  }

  /// Series that have been received and have no job that ran, and no daemon.
  private func received(_ setup: DaemonSetup, _ count: Int, slices: Int, size: Int) async throws
    -> [String]
  {
    let made = try await setup.makeAllSeries(count, slices: slices, size: size)
    let daemon = try await setup.start()
    _ = try await segmentd("pause", "--config", setup.configuration)
    for folder in made.folders { #expect(try await setup.send(folder).status == 0) }
    try await waitUntil("the jobs") { try await setup.jobs().count == count }
    #expect(try await daemon.end() == 0)
    _ = try await segmentd(
      "jobs", "cancel", "--config", setup.configuration, "--state", "available")
    _ = try await segmentd("resume", "--config", setup.configuration)
    return made.uids
  }

  /// Whoever is faster: the command runs the first of three jobs and must wait a day for the next one, so that
  /// the daemon comes before its end. Whether the first job has ended by then is left to chance: it is
  /// interrupted, and resumed by the daemon, or it is not. Nothing is made twice.
  @Test func aDaemonThatStartsTakesOver() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let uids = try await received(setup, 3, slices: 60, size: 160)
    let command = try start(
      setup, "first", "--series", uids[0], uids[1], uids[2], "--rate", "1/day", "--wait")
    let ledger = try Ledger(reading: setup.state.appendingPathComponent("ledger.sqlite").path)
    try await waitUntil("the first job's start") {
      guard command.isRunning else { throw DaemonEnded(output: command.output) }
      return try ledger.jobs().contains { $0.attempts > 0 }
    }
    let daemon = try await setup.start()
    #expect(
      daemon.output.contains("waiting for segmentd reprocess (process \(command.pid))"),
      "\(daemon.output)")
    try await waitUntil("the handing over") {
      command.output.contains("a daemon has started: it gets the state directory")
    }
    // Asked for once more, what would wait for a day runs now. Which series come after the first is up to their
    // studies' UIDs.
    let waiting = try ledger.jobs().suffix(2).map(\.seriesInstanceUID)
    let again = try await segmentd(
      "reprocess", "--config", setup.configuration, "--series", waiting[0], waiting[1])
    #expect(
      again.status == 0 && again.output.contains("2 jobs wait for the same already"),
      "\(again.output)")
    try await waitUntil("the end of the command") { !command.isRunning }
    #expect(try await command.end() == 0, "\(command.output)")
    let made = try await setup.endedJobs(6).suffix(3)
    #expect(made.map(\.state) == ["completed", "completed", "completed"], "\(made)")
    #expect(try await setup.jobs().count == 6)
    let details = try made.map { try ledger.job($0.id) }
    let outcomes = details.map { $0.attempts.map { $0.outcome ?? "" } }
    // One that is stopped after a patch is released; of the others only the end.
    #expect([["completed"], ["released", "completed"]].contains(outcomes.first), "\(outcomes)")
    #expect(outcomes.dropFirst() == [["completed"], ["completed"]], "\(outcomes)")
    for detail in details {
      #expect(detail.events.count { $0.kind == "completed" } == 1, "\(detail.events)")
      #expect(detail.job.sameResultAs == nil && detail.job.supersededBy == nil)
    }
    let files = details.flatMap(\.job.objects).map(\.path)
    #expect(!files.isEmpty && Set(files).count == files.count, "\(files)")
    #expect(try await daemon.end() == 0)
  }

  /// Whoever is faster: both wait for one that has the directory, here this test, and then for each other.
  @Test func twoAtOnceRunOneAfterTheOther() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let uids = try await received(setup, 2, slices: 60, size: 160)
    let lock = try Lock(of: setup)
    let commands = [
      try start(setup, "first", "--series", uids[0]),
      try start(setup, "second", "--series", uids[1]),
    ]
    try await waitUntil("the messages") {
      commands.allSatisfy {
        $0.output.contains("waiting for segmentd reprocess (process \(getpid()))")
      }
    }
    lock.release()
    try await waitUntil("the end of both") { !commands.contains { $0.isRunning } }
    for command in commands { #expect(try await command.end() == 0, "\(command.output)") }
    let jobs = try await setup.jobs()
    #expect(
      jobs.map(\.state) == ["cancelled", "cancelled", "completed", "completed"], "\(jobs)")
    let ledger = try Ledger(reading: setup.state.appendingPathComponent("ledger.sqlite").path)
    let attempts = try jobs.suffix(2).map { try #require(try ledger.job($0.id).attempts.first) }
      .sorted { $0.startedAt < $1.startedAt }
    #expect(jobs.suffix(2).map(\.attempts) == [1, 1])
    let end = try #require(attempts.first?.finishedAt)
    #expect(attempts.count == 2 && attempts[1].startedAt >= end, "\(attempts)")
  }

  /// The lock of a state directory, as a `reprocess` holds it.
  private struct Lock {
    private let descriptor: Int32

    init(of setup: DaemonSetup) throws {
      descriptor = open(
        setup.state.appendingPathComponent("lock").path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
      try #require(descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) == 0)
      let holder = Array("reprocess \(getpid())\n".utf8)
      try #require(
        ftruncate(descriptor, 0) == 0
          && pwrite(descriptor, holder, holder.count, 0) == holder.count)
    }

    func release() { close(descriptor) }
  }

  @Test func aListWithAFaultDoesNothing() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    _ = try Ledger(path: stateWithLedger(setup))
    let list = setup.folder.url.appendingPathComponent("list")
    try "1.2.3  # a comment\n\nDOE^JOHN\n".write(to: list, atomically: true, encoding: .utf8)
    let result = try await segmentd(
      "reprocess", "--config", setup.configuration, "--from", list.path)
    #expect(result.status != 0 && result.output.contains("\(list.path):3: not a UID"))
    #expect(!result.output.contains("DOE"), "\(result.output)")
    try "\n# nothing\n".write(to: list, atomically: true, encoding: .utf8)
    let none = try await segmentd(
      "reprocess", "--config", setup.configuration, "--from", list.path)
    #expect(none.status != 0 && none.output.contains("no series meets these conditions"))
  }

  private func stateWithLedger(_ setup: DaemonSetup) throws -> String {
    try FileManager.default.createDirectory(at: setup.state, withIntermediateDirectories: true)
    return setup.state.appendingPathComponent("ledger.sqlite").path
  }

  private struct Preview: Decodable {
    struct Job: Decodable {
      var model: String
      var effect: String
      var currentJob: Int64?
      var missingOriginals: Int
    }
    var jobs: [Job]
    var unknown: [String]
  }

  /// A thousand studies in the ledger: what would change, and nothing does.
  @Test func aThousandStudiesAreForeseen() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let ledger = try Ledger(path: stateWithLedger(setup))
    let series = (1...1000).map { "1.2.\($0).1" }
    for (number, uid) in zip(1..., series) {
      _ = try ledger.recordInstance(
        InstanceRecord(
          studyInstanceUID: "1.2.\(number)", seriesInstanceUID: uid, sopInstanceUID: "\(uid).1",
          sopClassUID: "1.2.840.10008.5.1.4.1.1.2", modality: "CT",
          transferSyntaxUID: "1.2.840.10008.1.2.1", spoolPath: "spool/\(number).dcm", byteCount: 1,
          contentHash: String(format: "%064x", number), source: .command))
    }
    for due in try ledger.seriesDue(quietPeriod: 0) {
      try ledger.assembleSeries(due, jobs: [NewJob(model: "untrained-tiny")])
    }
    // Ten have a result.
    for _ in 0..<10 {
      let job = try #require(try ledger.claimJob())
      try ledger.completeJob(
        job.id, result: JobResult(objects: [], modelVersion: "0.9.0", summary: "x"),
        destinations: [])
    }
    var waiting = JobSelection()
    waiting.states = [.available]
    _ = try ledger.apply(.cancel, to: waiting)
    let before = try ledger.checkEvents().head

    let list = setup.folder.url.appendingPathComponent("list")
    let lines = series.map { String($0.dropLast(2)) } + ["# and one that never came", "9.9.9"]
    try lines.joined(separator: "\n").write(to: list, atomically: true, encoding: .utf8)
    let result = try await segmentd(
      "reprocess", "--config", setup.configuration, "--from", list.path, "--dry-run", "--json")
    #expect(result.status == 0)
    let preview = try JSONDecoder().decode(Preview.self, from: Data(result.output.utf8))
    #expect(preview.jobs.count == 1000 && preview.unknown == ["9.9.9"])
    #expect(preview.jobs.count { $0.effect == "supersedes" && $0.currentJob != nil } == 10)
    #expect(preview.jobs.count { $0.effect == "first" } == 990)
    #expect(preview.jobs.allSatisfy { $0.missingOriginals == 1 && $0.model == "untrained-tiny" })
    let text = try await segmentd(
      "reprocess", "--config", setup.configuration, "--model", "untrained-tiny", "--since", "1d",
      "--dry-run")
    #expect(
      text.output.contains("1000 new jobs (990 first results, 10 superseding)")
        && text.output.contains("nothing was changed"), "\(text.output.suffix(300))")
    #expect(try ledger.checkEvents().head == before)
  }

  /// A preview changes nothing, no bulk work begins while a clinical study waits, what is held stands still and goes on,
  /// and a daemon that is killed loses nothing and computes nothing twice. The script asserts that; with more studies it
  /// measures.
  @Test func anArchiveIsSegmentedBesideClinicalStudies() async throws {
    let result = try await runProcess(
      testPython,
      [
        TestFiles.package.appendingPathComponent("Scripts/bench-reprocess.py").path, "--segmentd",
        segmentdBinary, "--studies", "150", "--compute", "16", "--clinical", "3", "--threads", "1",
        // Other tests run beside it: what the study waited for counts, and not how long.
        "--allowance", "inf",
      ])
    #expect(result.status == 0, "\(result.output)")
  }

  /// Bulk work is made with the lowest priority and spread over time; what waits is found again.
  @Test func bulkWorkWaits() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let uids = try await received(setup, 2, slices: 5, size: 32)
    let daemon = try await setup.start()
    _ = try await segmentd("pause", "--config", setup.configuration)
    let options = ["reprocess", "--config", setup.configuration, "--since", "1d"]
    let slow = try await runProcess(segmentdBinary, options + ["--rate", "1/day"])
    #expect(slow.status == 0 && slow.output.contains("2 new jobs"), "\(slow.output)")
    #expect(slow.output.contains("a daemon is using this state directory and will run the 2 jobs"))
    let again = try await runProcess(segmentdBinary, options)
    #expect(again.output.contains("2 jobs wait for the same already"), "\(again.output)")
    let ledger = try Ledger(path: setup.state.appendingPathComponent("ledger.sqlite").path)
    let made = try ledger.jobs().suffix(2)
    #expect(
      made.map(\.priority) == [-1000, -1000] && Set(made.map(\.seriesInstanceUID)) == Set(uids))
    _ = try await segmentd("resume", "--config", setup.configuration)
    let jobs = try await setup.endedJobs(4)
    #expect(jobs.suffix(2).allSatisfy { $0.state == "completed" }, "\(jobs)")
    #expect(try await daemon.end() == 0)
  }
}
