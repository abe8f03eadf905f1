import Foundation
import JobLedger
import TestSupport
import Testing

/// The port opens at once, whatever has to be looked at first; nothing is processed before.
@Suite(.serialized, .limitedConcurrency) struct StartTests {
  private let setup: DaemonSetup
  private var ledgerFile: URL { setup.state.appendingPathComponent("ledger.sqlite") }

  init() throws { setup = try DaemonSetup(hasDestination: false) }

  private func send(slices: String = "16") async throws -> String {
    let folder = setup.folder.url.appendingPathComponent(UUID().uuidString)
    let uids = try await makeSeries(at: folder, "--slices", slices)
    #expect(try await setup.send(folder).status == 0)
    return uids.series
  }

  /// The second half of the ledger is overwritten while no daemon runs. Nothing of it may be left in the write-ahead
  /// log, as by a process that had no time to close the ledger: its pages would be read from there.
  private func damageLedger() async throws {
    let vacuumed = try await segmentd("ledger", "vacuum", "--config", setup.configuration)
    try #require(vacuumed.status == 0, "\(vacuumed.output)")
    let log =
      (try? Data(contentsOf: setup.state.appendingPathComponent("ledger.sqlite-wal"))) ?? Data()
    try #require(log.isEmpty)
    let handle = try FileHandle(forUpdating: ledgerFile)
    defer { try? handle.close() }
    let pages = try handle.seekToEnd() / 4096
    for page in pages / 2..<pages {
      try handle.seek(toOffset: page * 4096)
      try handle.write(contentsOf: Data(repeating: 0xA5, count: 4096))
    }
  }

  @Test func aDamagedLedgerEndsTheDaemonAndNothingIsRemoved() async throws {
    var daemon = try await setup.start()
    _ = try await send(slices: "40")
    _ = try await setup.endedJobs()
    #expect(try await daemon.end() == 0, "\(daemon.output)")
    let before = try spooled()
    try #require(before.count == 40)
    try await damageLedger()
    daemon = try ChildProcess(
      segmentdBinary, ["serve", "--config", setup.configuration], log: setup.log)
    try await waitUntil("the end of the daemon") { !daemon.isRunning }
    #expect(try await daemon.end() == 1, "\(daemon.output)")
    for words in ["ledger.sqlite: the ledger is damaged", "segmentd ledger repair --rebuild"] {
      #expect(daemon.output.contains(words), "\(words): \(daemon.output)")
    }
    #expect(try spooled() == before)
  }

  private func spooled() throws -> [String] {
    let spool = setup.state.appendingPathComponent("spool")
    return try FileManager.default.subpathsOfDirectory(atPath: spool.path)
      .filter { $0.hasSuffix(".dcm") }
      .filter { try !Data(contentsOf: spool.appendingPathComponent($0)).isEmpty }.sorted()
  }

  /// As `Scripts/bench-start.sh` prints it.
  private struct Start: Decodable {
    struct Figures: Decodable {
      var secondsToPort: Double
      var secondsToJob: Double
      /// Of the daemon and its receiving process.
      var megabytes: [Double]
      var instances: Int
    }
    var empty: Figures
    var full: Figures
    var linesOnSpool: [String]
  }

  /// A small one of `Scripts/bench-start.sh`: nothing of what is there is touched, and memory does not grow
  /// with it. A name of each file and each row would be 20 MB here.
  @Test func aStartOnManyFilesTakesNoMemoryForThem() async throws {
    let script = TestFiles.package.appendingPathComponent("Scripts/ingest/start.py")
    let result = try await runProcess(
      testPython, [script.path, "--segmentd", segmentdBinary, "--files", "50000"])
    try #require(result.status == 0, "\(result.output)")
    let json = result.output[try #require(result.output.firstIndex(of: "{"))...]
    let start = try JSONDecoder().decode(Start.self, from: Data(json.utf8))
    print("a start on 50,000 files: \(start.full), on none: \(start.empty)")
    #expect(start.linesOnSpool.isEmpty && start.full.instances == 50_002)
    for (full, empty) in zip(start.full.megabytes, start.empty.megabytes) {
      #expect(full < empty + 20, "\(full) and \(empty) MB")
    }
  }

  /// Another process holds the ledger's lock when the daemon starts: what was interrupted cannot be written
  /// down, so that no job may run, but the port is open and answers.
  @Test func thePortIsOpenWhileTheLedgerIsLocked() async throws {
    var daemon = try await setup.start()
    try await daemon.end()
    let lock = try ChildProcess(
      testPython,
      [
        "-c",
        """
        import sqlite3, sys, time
        ledger = sqlite3.connect(sys.argv[1], isolation_level=None)
        ledger.execute("BEGIN IMMEDIATE")
        print("locked", flush=True)
        time.sleep(600)
        """, ledgerFile.path,
      ], log: setup.folder.url.appendingPathComponent("lock.log"))
    try await waitUntil("the lock") { lock.output.contains("locked") }

    daemon = try await setup.start()
    let (folders, _) = try await setup.makeAllSeries(3, slices: 1, size: 48)
    // In eight seconds, not the thirty of the checks at the start. A busy machine may be slower, now and then.
    var seconds = Double.infinity
    for _ in 1...20 where seconds >= 20 {
      let refused = try await setup.sendTogether(folders)
      #expect(
        refused.count == 3 && refused.values.allSatisfy { $0.status == "0xa700" }, "\(refused)")
      seconds = refused.values.map(\.seconds).max() ?? .infinity
    }
    #expect(seconds < 20)

    try await lock.end(SIGKILL)
    let taken = try await setup.sendTogether(folders)
    #expect(taken.count == 3 && taken.values.allSatisfy(\.isSuccess), "\(taken)")
    #expect(try await setup.endedJobs(3).count >= 3)
    try await daemon.end()
  }
}
