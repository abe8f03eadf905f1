import Foundation
import JobLedger
import TestSupport
import Testing

/// A disk that is full for a while, or that becomes read-only, is not a bad study: everything waits
/// and resumes by itself.
@Suite(
  .serialized, .limitedConcurrency,
  .enabled(if: SmallFileSystem.isPossible, "\(SmallFileSystem.isImpossible)"))
struct FullDiskTests {
  private let setup: DaemonSetup
  private var series: URL { setup.folder.url.appendingPathComponent("series") }

  init() async throws {
    setup = try DaemonSetup(hasDestination: false)
    try await makeSeries(at: series)
  }

  /// The job once it waits.
  private func waitingJob() async throws -> JobRow {
    var waiting: JobRow?
    try await waitUntil("a waiting job", within: 900) {
      waiting = try await setup.jobs().first { $0.state == "retryable" }
      return waiting != nil
    }
    return try #require(waiting)
  }

  @Test(arguments: ["No space left on device", "Read-only file system"])
  func resultsWaitForTheirFileSystem(error: String) async throws {
    let disk = try SmallFileSystem(
      at: setup.state.appendingPathComponent("results"), kilobytes: 1024)
    let isFull = error.contains("space")
    if isFull { try disk.fill() } else { try disk.remount(readOnly: true) }
    let daemon = try await (isFull ? setup.start() : startBeforeRemount(disk))
    #expect(try await setup.send(series).status == 0)
    let waiting = try await waitingJob()
    #expect(waiting.reason?.lowercased().hasPrefix(error.lowercased() + ": ") == true)
    #expect(waiting.reason?.contains("/results") == true, "\(waiting.reason ?? "")")
    // Longer than three attempts take, of which none is counted while nothing changes.
    try await Task.sleep(for: .seconds(20))
    let still = try #require(try await setup.jobs().first)
    #expect(still.state == "retryable" && still.attempts <= 2, "\(still)")
    if isFull { try disk.free() } else { try disk.remount() }
    let job = try #require(try await setup.endedJobs(within: 900).first)
    #expect(job.state == "completed", "\(job.reason ?? "")")
    let text = try await segmentd("jobs", "--config", setup.configuration, "--job", "1")
    #expect(!text.output.contains("failed"), "\(text.output)")
    try await daemon.end()
  }

  /// A daemon refuses to start where it cannot write.
  private func startBeforeRemount(_ disk: SmallFileSystem) async throws -> ChildProcess {
    try disk.remount()
    let daemon = try await setup.start()
    try disk.remount(readOnly: true)
    return daemon
  }

  /// Spool and ledger: what cannot be stored is refused as out of resources, further associations are
  /// rejected for now, and all is taken later.
  @Test func theSpoolRefusesAndTakesLater() async throws {
    let disk = try SmallFileSystem(at: setup.state, kilobytes: 8192)
    let daemon = try await setup.start()
    let files = try FileManager.default.contentsOfDirectory(atPath: series.path).sorted()
    let log = setup.folder.url.appendingPathComponent("sender.log")
    let sender = try ChildProcess(
      testPython,
      [
        TestFiles.package.appendingPathComponent("Scripts/test-support/peers/network_peers.py")
          .path, "slowly", "\(setup.port)", "SEGMENTD", "1",
      ] + files.map { series.appendingPathComponent($0).path }, log: log)
    try await waitUntil("an image", within: 900) { sender.output.contains("0x0000") }
    try disk.fill()
    try await waitUntil("a refusal", within: 900) { sender.output.contains("0xa700") }
    let rejected = try await setup.send(series)
    #expect(rejected.output.contains("Local Limit Exceeded"), "\(rejected.output)")
    try await sender.end(SIGKILL)
    #expect(try await setup.jobs().isEmpty)
    try disk.free()
    #expect(try await setup.send(series).status == 0)
    let job = try #require(try await setup.endedJobs().last)
    #expect(job.state == "completed" && job.instances == 16, "\(job.reason ?? "")")
    try await daemon.end()
  }

  /// The disk is full in the middle of eight associations: each slice is either stored and acknowledged or
  /// refused, and those that were stored stay.
  @Test func onlyWhatFindsNoSpaceIsRefused() async throws {
    let disk = try SmallFileSystem(at: setup.state, kilobytes: 6144)
    let daemon = try await setup.start()
    let (folders, series) = try await setup.makeAllSeries(8, slices: 30, size: 128)
    let answers = try await setup.sendTogether(folders)
    #expect(answers.count == 240)
    #expect(Set(answers.values.map(\.status)) == ["0x0000", "0xa700"])
    let stored = answers.filter(\.value.isSuccess).keys
    #expect(try setup.kept(stored, series: series) == stored.count)
    #expect(daemon.isRunning)

    try disk.remount(kilobytes: 32_768)
    let again = try await setup.sendTogether(folders)
    #expect(again.values.allSatisfy(\.isSuccess) && again.count == 240)
    #expect(try setup.kept(again.keys, series: series) == 240)
    try await daemon.end()
  }

  /// The ledger was closed, and there is no room to open it again.
  @Test func theStartWaitsForSpace() async throws {
    let disk = try SmallFileSystem(at: setup.state, kilobytes: 8192)
    try await setup.start().end()
    // Whoever closes the ledger last removes its index. The receiving process may still have it open; and a daemon
    // that is ended while it checks the ledger does not close it.
    let ledger = setup.state.appendingPathComponent("ledger.sqlite").path
    try await waitUntil("the ledger closed") {
      _ = try Ledger(path: ledger)
      return !FileManager.default.fileExists(atPath: ledger + "-shm")
    }
    try disk.fill()
    let daemon = try ChildProcess(
      segmentdBinary, ["serve", "--config", setup.configuration], log: setup.log)
    try await waitUntil("the fault in the log", within: 900) {
      daemon.output.contains("trying again")
    }
    #expect(daemon.isRunning && daemon.output.contains("ledger.sqlite"), "\(daemon.output)")
    try disk.free()
    try await waitUntil("the listener", within: 900) {
      try await setup.send(series).status == 0
    }
    let job = try #require(try await setup.endedJobs().last)
    #expect(job.state == "completed", "\(job.reason ?? "")")
    try await daemon.end()
  }

  /// Full from the moment when everything has arrived: neither the assembly nor the job can be
  /// written in the ledger.
  @Test func theLedgerGoesOnWhenThereIsSpace() async throws {
    let disk = try SmallFileSystem(at: setup.state, kilobytes: 8192)
    let daemon = try await setup.start()
    #expect(try await setup.send(series).status == 0)
    try disk.fill()
    try await Task.sleep(for: .seconds(12))
    #expect(daemon.isRunning)
    try disk.free()
    let job = try #require(try await setup.endedJobs(within: 900).last)
    #expect(job.state == "completed", "\(job.reason ?? "")")
    try await daemon.end()
  }
}
