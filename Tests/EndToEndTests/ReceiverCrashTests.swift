import Foundation
import TestSupport
import Testing

/// A crash of the process that receives takes neither what was acknowledged nor the daemon and its jobs.
@Suite(.serialized, .limitedConcurrency) struct ReceiverCrashTests {
  /// Waits until a process receives that is not `former`.
  private func nextReceiver(of daemon: ChildProcess, after former: Int32, _ setup: DaemonSetup)
    async throws -> Int32
  {
    var next: Int32?
    try await waitUntil("another receiving process") {
      next = daemon.receivingProcess
      return next != nil && next != former
    }
    try await setup.answers(daemon)
    return try #require(next)
  }

  @Test func inTheMiddleOfAnAssociationWhileAJobRuns() async throws {
    let setup = try DaemonSetup(more: JobGate.everyPatch, hasDestination: false)
    let gate = try await JobGate(setup)
    let daemon = try await setup.start(environment: gate.environment)
    let first = setup.folder.url.appendingPathComponent("first")
    let second = setup.folder.url.appendingPathComponent("second")
    try await makeSeries(at: first, "--slices", "60", "--size", "160")
    let interrupted = try await makeSeries(at: second, "--seed", "7").series
    let files = try FileManager.default.contentsOfDirectory(atPath: second.path).sorted()
      .prefix(6).map { second.appendingPathComponent($0) }
    let sender = try setup.leaving("silence", files)
    try await waitUntil("six instances") { sender.output.contains("ready") }
    #expect(try await setup.send(first).status == 0)
    try await gate.job()

    let receiver = try #require(daemon.receivingProcess)
    kill(receiver, SIGSEGV)
    _ = try await nextReceiver(of: daemon, after: receiver, setup)
    try await sender.end(SIGKILL)
    try gate.open()
    let jobs = try await setup.endedJobs(2)
    let finished = try #require(jobs.first { $0.seriesInstanceUID != interrupted })
    #expect(finished.state == "completed" && finished.attempts == 1, "\(finished)")
    let held = try #require(jobs.first { $0.seriesInstanceUID == interrupted })
    #expect(held.state == "held" && held.reason?.contains("was interrupted") == true, "\(held)")
    #expect(held.reason?.contains("after 6 instances") == true, "\(held)")
    #expect(try setup.kept(files, series: [interrupted]) == 6)
    for words in ["was ended by signal 11", "association interrupted"] {
      #expect(daemon.output.contains(words), "\(daemon.output)")
    }

    #expect(try await setup.send(second).status == 0)
    let last = try #require(try await setup.endedJobs(3).last)
    #expect(last.state == "completed" && last.instances == 16, "\(last)")
    #expect(try await daemon.end() == 0)
  }

  /// Again and again under eight associations: every slice that was acknowledged is there.
  @Test func severalTimesInARow() async throws {
    let setup = try DaemonSetup(assembly: "{quietSeconds: 60}", hasDestination: false)
    let daemon = try await setup.start()
    let (folders, series) = try await setup.makeAllSeries(8, slices: 30, size: 128)
    var acknowledged: Set<URL> = []
    var receiver = try #require(daemon.receivingProcess)
    for signal in [SIGSEGV, SIGABRT, SIGKILL] {
      let before = setup.spooledFiles().count
      async let sending = setup.sendTogether(folders)
      try await waitUntil("some instances") { setup.spooledFiles().count > before + 20 }
      kill(receiver, signal)
      acknowledged.formUnion(try await sending.filter(\.value.isSuccess).keys)
      receiver = try await nextReceiver(of: daemon, after: receiver, setup)
      #expect(try setup.kept(acknowledged, series: series) == acknowledged.count)
    }
    #expect(!acknowledged.isEmpty)
    let again = try await setup.sendTogether(folders)
    #expect(again.values.allSatisfy(\.isSuccess) && again.count == 240)
    #expect(try setup.kept(again.keys, series: series) == 240)
    #expect(try await daemon.end() == 0)
  }

  /// Nobody receives for a daemon that is gone, and the next one receives.
  @Test func itEndsWithTheDaemon() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let series = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: series)
    var daemon = try await setup.start()
    let receiver = try #require(daemon.receivingProcess)
    try await daemon.end(SIGKILL)
    daemon = try await setup.start()
    #expect(!isRunning(receiver))
    #expect(daemon.receivingProcess != receiver)
    #expect(try await setup.send(series).status == 0)
    #expect(try await setup.endedJobs().map(\.state) == ["completed"])
    let last = try #require(daemon.receivingProcess)
    #expect(try await daemon.end() == 0)
    #expect(!isRunning(last))
  }

  @Test func toldToEndItIsStartedAgain() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let daemon = try await setup.start()
    let receiver = try #require(daemon.receivingProcess)
    kill(receiver, SIGTERM)
    _ = try await nextReceiver(of: daemon, after: receiver, setup)
    #expect(daemon.isRunning && daemon.output.contains("ended with status 0"))
    #expect(try await daemon.end() == 0)
  }

  /// It neither ends nor answers. Another one takes its place, and what was acknowledged is there.
  @Test func aProcessThatHangsIsReplaced() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    let interrupted = try await makeSeries(at: series).series
    let files = try FileManager.default.contentsOfDirectory(atPath: series.path).sorted()
      .prefix(6).map { series.appendingPathComponent($0) }
    let sender = try setup.leaving("silence", files)
    try await waitUntil("six instances") { sender.output.contains("ready") }
    let receiver = try #require(daemon.receivingProcess)
    kill(receiver, SIGSTOP)
    let stopped = ContinuousClock.now
    _ = try await nextReceiver(of: daemon, after: receiver, setup)
    print("a receiving process that hangs is replaced after \(stopped.duration(to: .now))")
    #expect(!isRunning(receiver))
    #expect(
      daemon.output.contains("hung and was ended: it has not answered for 30 s"),
      "\(daemon.output)")
    try await sender.end(SIGKILL)
    #expect(try setup.kept(files, series: [interrupted]) == 6)
    let held = try #require(try await setup.endedJobs().first)
    #expect(held.state == "held" && held.reason?.contains("after 6 instances") == true, "\(held)")
    #expect(try await setup.send(series).status == 0)
    let last = try #require(try await setup.endedJobs(2).last)
    #expect(last.state == "completed" && last.instances == 16, "\(last)")
    #expect(try await daemon.end() == 0)
  }

  @Test func itIsNotStartedByHand() async throws {
    let result = try await segmentd("receive")
    #expect(result.status != 0 && result.output.contains("run segmentd serve"), "\(result)")
  }

  /// A file that crashes the process is refused with a reason, and the others are taken.
  @Test func aFileOfAWatchFolderThatCrashesIt() async throws {
    let watch = try TemporaryFolder()
    let setup = try DaemonSetup(watch: watch.url, hasDestination: false)
    let daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: series)
    let files = try FileManager.default.contentsOfDirectory(atPath: series.path).sorted()
      .map { series.appendingPathComponent($0) }
    // Long enough to be met while it is being read.
    let bad = watch.url.appendingPathComponent("bad.dcm")
    let size = try await runProcess(
      testPython,
      [
        "-c",
        """
        import sys, pydicom
        d = pydicom.dcmread(sys.argv[1])
        d.NumberOfFrames = 1500
        d.PixelData = d.PixelData[:2] * (100 << 20)
        d.save_as(sys.argv[2])
        """, files[0].path, setup.folder.url.appendingPathComponent("bad.dcm").path,
      ])
    try #require(size.status == 0, "\(size.output)")
    let receiver = try #require(daemon.receivingProcess)
    try FileManager.default.moveItem(
      at: setup.folder.url.appendingPathComponent("bad.dcm"), to: bad)
    let notes = setup.state.appendingPathComponent("receiving")
    try await waitUntil("the reading of the file") {
      guard try Data(contentsOf: notes).range(of: Data(bad.path.utf8)) != nil else { return false }
      // It stands still, so that the crash is certainly within the file.
      kill(receiver, SIGSTOP)
      if try Data(contentsOf: notes).first == UInt8(ascii: "F") { return true }
      kill(receiver, SIGCONT)
      return false
    }
    kill(receiver, SIGSEGV)
    kill(receiver, SIGCONT)

    let next = try await nextReceiver(of: daemon, after: receiver, setup)
    func refused() async throws -> String {
      try await segmentd("jobs", "--config", setup.configuration, "--refused", "--json").output
    }
    try await waitUntil("the refusal") { try await refused().contains("was ended by signal 11") }
    let listed = try await segmentd("jobs", "--config", setup.configuration, "--refused").output
    #expect(listed.contains("bad.dcm"), "\(listed)")
    for file in files.dropFirst() {
      try FileManager.default.copyItem(
        at: file, to: watch.url.appendingPathComponent(file.lastPathComponent))
    }
    let job = try #require(try await setup.endedJobs().first)
    #expect(job.instances == files.count - 1, "\(job)")
    #expect(daemon.receivingProcess == next)
    // It is mended.
    try FileManager.default.removeItem(at: bad)
    try FileManager.default.copyItem(at: files[0], to: bad)
    try await waitUntil("the last slice") {
      try await setup.jobs().contains { $0.instances == files.count }
    }
    #expect(try await !refused().contains("bad.dcm"))
    #expect(try await daemon.end() == 0)
  }
}
