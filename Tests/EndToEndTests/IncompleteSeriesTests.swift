import Foundation
import TestSupport
import Testing

/// A series with refused instances or an interrupted association is never segmented as if it were
/// complete.
@Suite(.serialized, .limitedConcurrency) struct IncompleteSeriesTests {
  private static let slices = 8

  private func series(_ setup: DaemonSetup, _ options: String...) async throws -> [URL] {
    let folder = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: folder, "--slices", "\(Self.slices)")
    return try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil
    ).sorted { $0.path < $1.path }
  }

  private func peer(_ setup: DaemonSetup, _ command: String, _ option: String, _ files: [URL])
    -> [String]
  {
    [peerScript, command, "\(setup.port)", "SEGMENTD", option] + files.map(\.path)
  }

  private var peerScript: String {
    TestFiles.package.appendingPathComponent("Scripts/test-support/peers/network_peers.py").path
  }

  private func send(_ setup: DaemonSetup, _ command: String, _ option: String, _ files: [URL])
    async throws -> [String]
  {
    let sent = try await runProcess(testPython, peer(setup, command, option, files))
    return sent.output.split(separator: "\n").map(String.init)
  }

  private func sopInstanceUID(of file: URL) async throws -> String {
    let script = "import sys, pydicom; print(pydicom.dcmread(sys.argv[1]).SOPInstanceUID, end='')"
    return try await runProcess(testPython, ["-c", script, file.path]).output
  }

  /// The one job so far is held, with words that its reason has.
  private func expectHeld(_ setup: DaemonSetup, _ words: String...) async throws {
    let jobs = try await setup.endedJobs()
    #expect(jobs.map(\.state) == ["held"])
    #expect(jobs.first?.verdict == "held")
    let reason = try #require(jobs.first?.reason)
    for words in words { #expect(reason.contains(words), "\(reason)") }
  }

  /// Once there is a job of so many instances: every job so far is held, with words that its reason has. On a busy
  /// machine what comes from a folder makes more than one.
  ///
  /// - Returns: how many jobs there are.
  private func expectAllHeld(_ setup: DaemonSetup, instances: Int, _ words: String...) async throws
    -> Int
  {
    var jobs: [JobRow] = []
    try await waitUntil("a job of \(instances) instances") {
      jobs = try await setup.endedJobs()
      return jobs.last?.instances == instances
    }
    #expect(jobs.allSatisfy { $0.state == "held" && $0.verdict == "held" }, "\(jobs)")
    for job in jobs {
      let reason = try #require(job.reason)
      for words in words { #expect(reason.contains(words), "\(reason)") }
    }
    return jobs.count
  }

  private func expectCompleted(_ setup: DaemonSetup, after held: Int = 1) async throws {
    let jobs = try await setup.endedJobs(held + 1)
    #expect(jobs.last?.state == "completed", "\(jobs.last?.reason ?? "")")
    #expect(jobs.last?.instances == Self.slices)
  }

  @Test func refusedInstancesAreNamedUntilTheyArrive() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let files = try await series(setup)
    let daemon = try await setup.start()
    let statuses = try await send(setup, "cut", "2", files)
    #expect(
      statuses.suffix(2) == ["0xc000", "0xc000"]
        && statuses.dropLast(2).allSatisfy { $0 == "0x0000" })
    let last = try await sopInstanceUID(of: files[Self.slices - 1])
    try await expectHeld(setup, "\(last) refused with 0xC000", "from RAW at 127.0.0.1")
    let table = try await segmentd("jobs", "--config", setup.configuration, "--refused")
    #expect(table.output.contains(last) && table.output.contains("RAW@127.0.0.1"))
    let detail = try await segmentd("jobs", "--config", setup.configuration, "--job", "1")
    #expect(detail.output.contains("released, 6 stored, 2 refused"), "\(detail.output)")
    #expect(detail.output.contains("has not arrived since"))
    // What was asked for by hand has to wait as well.
    let study = try await runProcess(
      testPython,
      [
        "-c", "import sys, pydicom; print(pydicom.dcmread(sys.argv[1]).StudyInstanceUID, end='')",
        files[0].path,
      ])
    let reprocessed = try await segmentd(
      "reprocess", "--config", setup.configuration, "--study", study.output, "--model",
      "untrained-tiny")
    #expect(reprocessed.output.contains("held") && reprocessed.output.contains(last))
    #expect(reprocessed.output.contains("1 job waits for the same already"))

    #expect(try await send(setup, "cut", "0", files.suffix(2)) == ["0x0000", "0x0000"])
    try await expectCompleted(setup)
    let none = try await segmentd("jobs", "--config", setup.configuration, "--refused")
    #expect(none.output.contains("no refused instances"))
    #expect(try await daemon.end() == 0)
  }

  @Test(arguments: [
    ("abort", "was aborted by the peer"), ("close", "ended with a lost connection"),
    ("reset", "ended with a lost connection"),
  ])
  func anAssociationThatBreaksOffBetweenInstances(how: String, words: String) async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let files = try await series(setup)
    let daemon = try await setup.start()
    #expect(try await send(setup, "leave", how, Array(files.prefix(6))).count == 6)
    try await expectHeld(setup, words, "after 6 instances", "send the series again")
    // The peer sends the rest.
    #expect(try await send(setup, "leave", "release", Array(files.suffix(2))).count == 2)
    try await expectCompleted(setup)
    #expect(try await daemon.end() == 0)
  }

  /// A sender that begins again soon finds nothing held: what is incomplete waits longer than the quiet period.
  @Test func whatIsMissingComesBeforeTheSeriesIsHeld() async throws {
    let setup = try DaemonSetup(
      assembly: "{quietSeconds: 1, incompleteSeconds: 3600}", hasDestination: false)
    let files = try await series(setup)
    let daemon = try await setup.start()
    #expect(try await send(setup, "leave", "abort", Array(files.prefix(6))).count == 6)
    // Several quiet periods.
    try await Task.sleep(for: .seconds(4))
    #expect(try await setup.jobs().isEmpty)
    let pending = try await segmentd("jobs", "--config", setup.configuration, "--pending")
    #expect(pending.output.contains("what is missing, until nothing has come"), "\(pending.output)")
    #expect(try await send(setup, "leave", "release", Array(files.suffix(2))).count == 2)
    try await expectCompleted(setup, after: 0)
    #expect(try await setup.jobs().count == 1)
    #expect(try await daemon.end() == 0)
  }

  /// Instances that nobody can send again: a person decides.
  @Test func aPersonReleasesWhatIsIncomplete() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let files = try await series(setup)
    let daemon = try await setup.start()
    #expect(try await send(setup, "leave", "abort", Array(files.prefix(6))).count == 6)
    try await expectHeld(setup, "was aborted by the peer")
    func held(_ action: String...) async throws -> ProcessResult {
      try await runProcess(
        segmentdBinary, ["jobs"] + action + ["--config", setup.configuration, "--state", "held"])
    }
    let retried = try await held("retry")
    #expect(retried.status == 0 && retried.output.contains("assembled anew"), "\(retried.output)")
    var jobs = try await setup.endedJobs(2)
    #expect(jobs.map(\.state) == ["cancelled", "held"], "it still lacks instances")

    let announced = try await held("release", "--dry-run")
    #expect(announced.output.contains("would be changed"), "\(announced.output)")
    let released = try await held("release", "--reason", "short scan")
    #expect(released.status == 0, "\(released.output)")
    jobs = try await setup.endedJobs(3)
    #expect(jobs.map(\.state) == ["cancelled", "cancelled", "completed"])
    #expect(jobs.last?.instances == 6)
    let detail = try await segmentd("jobs", "--config", setup.configuration, "--job", "3")
    #expect(detail.output.contains("released by an administrator at"), "\(detail.output)")
    #expect(detail.output.contains("was aborted by the peer after 6 instances"))
    let none = try await held("cancel")
    #expect(none.status == 1 && none.output.contains("no job meets these conditions"))
    #expect(try await segmentd("jobs", "retry", "--config", setup.configuration).status != 0)
    #expect(try await daemon.end() == 0)
  }

  @Test func anAssociationThatBreaksOffWithinAnInstance() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let files = try await series(setup)
    let daemon = try await setup.start()
    #expect(try await send(setup, "leave", "half-close", Array(files.prefix(5))).count == 4)
    let missing = try await sopInstanceUID(of: files[4])
    try await expectHeld(setup, "instance \(missing) refused", "lost connection")
    // The peer continues with the next one, as if nothing had happened.
    #expect(try await send(setup, "leave", "release", Array(files.suffix(3))).count == 3)
    let jobs = try await setup.endedJobs(2)
    #expect(jobs.last?.state == "held" && jobs.last?.reason?.contains(missing) == true)
    #expect(try await send(setup, "leave", "release", [files[4]]).count == 1)
    try await expectCompleted(setup, after: 2)
    #expect(try await daemon.end() == 0)
  }

  /// `kill -9`, or SIGTERM, while the association is open.
  @Test(arguments: [(SIGKILL, "was interrupted"), (SIGTERM, "because segmentd was stopping")])
  func theDaemonEndsWhileAnAssociationIsOpen(signal: Int32, words: String) async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let files = try await series(setup)
    let daemon = try await setup.start()
    let sender = try ChildProcess(
      testPython, peer(setup, "leave", "silence", Array(files.prefix(6))),
      log: setup.folder.url.appendingPathComponent("sender.log"))
    try await waitUntil("six instances") { sender.output.contains("ready") }
    // Longer than the quiet period: the association may still bring more.
    try await Task.sleep(for: .seconds(3))
    #expect(try await setup.jobs().isEmpty)
    try await daemon.end(signal)
    try await sender.end(SIGKILL)
    let second = try await setup.start()
    try await expectHeld(setup, words, "after 6 instances")
    // From another peer, everything.
    #expect(try await setup.send(files[0].deletingLastPathComponent()).status == 0)
    try await expectCompleted(setup)
    #expect(try await second.end() == 0)
  }

  @Test func aSlowSenderGivesOneJob() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let files = try await series(setup)
    let daemon = try await setup.start()
    #expect(try await send(setup, "slowly", "1.5", files).filter { $0 == "0x0000" }.count == 8)
    let jobs = try await setup.endedJobs()
    #expect(jobs.map(\.state) == ["completed"], "\(jobs.first?.reason ?? "")")
    #expect(jobs.map(\.instances) == [Self.slices])
    #expect(try await daemon.end() == 0)
  }

  @Test func aFileOfAWatchFolderThatIsCutOff() async throws {
    let watch = try TemporaryFolder()
    let setup = try DaemonSetup(
      assembly: "{quietSeconds: 3, incompleteSeconds: 3}", watch: watch.url, hasDestination: false)
    let files = try await series(setup)
    let daemon = try await setup.start()
    let whole = try Data(contentsOf: files[Self.slices - 1])
    let missing = try await sopInstanceUID(of: files[Self.slices - 1])
    // Refused before any other comes: however slowly those are read, each job knows of it.
    let cut = watch.url.appendingPathComponent("last.dcm")
    try whole.dropLast(500).write(to: cut)
    try await waitUntil("the refusal") {
      try await segmentd("jobs", "--config", setup.configuration, "--refused").output
        .contains(missing)
    }
    for file in files.dropLast() {
      try FileManager.default.copyItem(
        at: file, to: watch.url.appendingPathComponent(file.lastPathComponent))
    }
    let held = try await expectAllHeld(
      setup, instances: Self.slices - 1, "\(missing) refused", "ends within (7FE0,0010)")
    // Read again by the next process, and refused no second time.
    #expect(try await daemon.end() == 0)
    let second = try await setup.start()
    try await Task.sleep(for: .seconds(5))
    #expect(try await setup.endedJobs().count == held)
    try whole.write(to: cut)
    try await expectCompleted(setup, after: held)
    #expect(try await second.end() == 0)
  }

  /// One transfer syntax among others that is not decoded: the same verdict at every entrance.
  @Test func aTransferSyntaxThatIsNotDecoded() async throws {
    let watch = try TemporaryFolder()
    let setup = try DaemonSetup(watch: watch.url, hasDestination: false)
    let files = try await series(setup)
    let change = """
      import sys, pydicom, pydicom.encaps
      d = pydicom.dcmread(sys.argv[1])
      d.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
      d.PixelData = pydicom.encaps.encapsulate([bytes(100)])
      d["PixelData"].VR, d["PixelData"].is_undefined_length = "OB", True
      d.save_as(sys.argv[1])
      """
    // The first by its name, and so the first that is read: however slowly the others follow, each job knows of it.
    let changed = try await runProcess(testPython, ["-c", change, files[0].path])
    try #require(changed.status == 0, "\(changed.output)")
    let folder = files[0].deletingLastPathComponent()
    try FileManager.default.copyItem(at: folder, to: watch.url.appendingPathComponent("in"))
    let daemon = try await setup.start()
    let words = "transfer syntax 1.2.840.10008.1.2.4.100 is not supported"
    _ = try await expectAllHeld(setup, instances: Self.slices - 1, words)
    #expect(try await daemon.end() == 0)
    let inspected = try await segmentd("inspect", folder.path)
    #expect(inspected.output.contains(": held") && inspected.output.contains(words))
    let ran = try await segmentd(
      "run", "--model", "untrained-tiny", "--models", TestFiles.fixtures.path + "/models",
      "--output", setup.folder.url.path + "/out", folder.path)
    #expect(ran.status != 0 && ran.output.contains(": held") && ran.output.contains(words))
    let tried = try await segmentd("rules", "test", "--config", setup.configuration, folder.path)
    #expect(tried.output.contains(words), "\(tried.output)")
  }

  @Test func theConfigurationMaySayThatItIsProcessed() async throws {
    let setup = try DaemonSetup(
      assembly: "{quietSeconds: 1, incompleteSeconds: 1, incompleteSeries: process}",
      hasDestination: false)
    let files = try await series(setup)
    let daemon = try await setup.start()
    _ = try await send(setup, "cut", "2", files)
    let jobs = try await setup.endedJobs()
    #expect(jobs.map(\.state) == ["completed"], "\(jobs.first?.reason ?? "")")
    // Also once the job has assessed the series again.
    let reasons = try #require(jobs.first?.verdictReasons)
    #expect(reasons.contains { $0.contains("refused with 0xC000") }, "\(reasons)")
    let detail = try await segmentd("jobs", "--config", setup.configuration, "--job", "1")
    #expect(detail.output.contains("refused with 0xC000"), "\(detail.output)")
    #expect(try await daemon.end() == 0)
  }

  /// No instance arrived completely: the series is held, and listed.
  @Test func aSeriesOfRefusedInstancesAlone() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let files = try await series(setup)
    let daemon = try await setup.start()
    _ = try await send(setup, "cut", "8", files)
    try await expectHeld(setup, "refused with 0xC000", "3 more instances were refused")
    #expect(try await send(setup, "cut", "0", files).count == 8)
    try await expectCompleted(setup)
    #expect(try await daemon.end() == 0)
  }
}
