import FileSystem
import Foundation
import TestSupport
import Testing

/// `segmentd ledger` on the state directory of a real daemon.
@Suite(.serialized, .limitedConcurrency) struct LedgerCommandTests {
  private struct Report: Decodable {
    struct Finding: Decodable {
      var kind: String
      var text: String
    }
    struct Events: Decodable {
      struct Mark: Decodable {
        var event: Int
        var sha256: String
      }
      var head: Mark
    }
    var findings: [Finding]
    var instances: Int
    var resultFiles: Int
    var events: Events
  }

  private func ledger(_ setup: DaemonSetup, _ arguments: String...) async throws -> ProcessResult {
    try await runProcess(
      segmentdBinary, ["ledger"] + arguments + ["--config", setup.configuration])
  }

  /// Of a ledger and its files, while the daemon works on them and after it.
  @Test func checkBackupAndRepair() async throws {
    let setup = try DaemonSetup()
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: series)
    async let sending = setup.send(series)
    // While it receives, and while the job runs.
    for _ in 0..<3 {
      let result = try await ledger(setup, "check")
      #expect(result.status == 0 && result.output.contains("nothing is wrong"), "\(result.output)")
    }
    #expect(try await sending.status == 0)
    _ = try await setup.endedJobs()
    try await setup.delivered()
    let sound = try await ledger(setup, "check", "--json")
    #expect(sound.status == 0, "\(sound.output)")
    let report = try JSONDecoder().decode(Report.self, from: Data(sound.output.utf8))
    #expect(report.instances == 16 && report.resultFiles == 2 && report.findings.isEmpty)

    let backup = setup.folder.url.appendingPathComponent("backup.sqlite").path
    #expect(try await ledger(setup, "backup", backup).status == 0)
    let mode = try FileManager.default.attributesOfItem(atPath: backup)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    let again = try await ledger(setup, "backup", backup)
    #expect(again.status == 1 && again.output.contains("is not replaced"), "\(again.output)")
    for command in ["vacuum", "repair"] {
      let refused = try await ledger(setup, command)
      #expect(refused.status == 1 && refused.output.contains("stop it first"), "\(refused.output)")
    }
    #expect(try await daemon.end() == 0)

    #expect(try await ledger(setup, "vacuum").status == 0)
    // One instance is lost.
    try FileManager.default.removeItem(at: try #require(setup.spooledFiles().first))
    let lost = try await ledger(
      setup, "check", "--quick", "--head",
      "\(report.events.head.event):\(report.events.head.sha256)")
    #expect(lost.status == 2 && lost.output.contains("is missing"), "\(lost.output)")
    let repaired = try await ledger(setup, "repair")
    #expect(
      repaired.status == 2 && repaired.output.contains("marked as lost"), "\(repaired.output)")

    // The copy is put in the place of a ledger that is gone.
    for suffix in ["", "-wal", "-shm"] {
      try? FileManager.default.removeItem(
        atPath: setup.state.appendingPathComponent("ledger.sqlite").path + suffix)
    }
    try FileManager.default.copyItem(
      atPath: backup, toPath: setup.state.appendingPathComponent("ledger.sqlite").path)
    let restored = try await ledger(setup, "check", "--quick", "--json")
    #expect(restored.status == 2)
    let found = try JSONDecoder().decode(Report.self, from: Data(restored.output.utf8))
    #expect(found.findings.map(\.kind) == ["spool file"], "\(restored.output)")
    try await pacs.stop()
  }

  /// The ledger is gone: the next daemon makes it anew, and the PACS gets nothing again.
  @Test func aLostLedgerIsMadeAnew() async throws {
    let setup = try DaemonSetup()
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    var daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: series)
    #expect(try await setup.send(series).status == 0)
    let first = try #require(try await setup.endedJobs().first)
    try await setup.delivered()
    let note = setup.state.appendingPathComponent("results/1/result.json")
    try await waitUntil("the note of the result") {
      guard let text = try? String(contentsOf: note, encoding: .utf8) else { return false }
      return text.contains("\"destination\":\"pacs\"")
    }
    #expect(try await daemon.end() == 0)
    for suffix in ["", "-wal", "-shm"] {
      try? FileManager.default.removeItem(
        atPath: setup.state.appendingPathComponent("ledger.sqlite").path + suffix)
    }
    try await pacs.stop()

    daemon = try await setup.start()
    let jobs = try await setup.endedJobs(2)
    #expect(jobs.map(\.state) == ["completed", "completed"])
    #expect(jobs.map(\.sopInstanceUID) == [first.sopInstanceUID, first.sopInstanceUID])
    // The PACS is not there, and nothing waits for it.
    #expect(jobs.flatMap(\.deliveries).map(\.state) == ["delivered", "delivered"])
    let check = try await ledger(setup, "check")
    #expect(check.status == 0, "\(check.output)")
    #expect(try await daemon.end() == 0)

    // The same by hand.
    let rebuilt = try await ledger(setup, "repair", "--rebuild")
    #expect(rebuilt.status == 0, "\(rebuilt.output)")
    #expect(rebuilt.output.contains("took up the result of job 1"), "\(rebuilt.output)")
    let names = try FileManager.default.contentsOfDirectory(atPath: setup.state.path)
    #expect(names.contains { $0.hasPrefix("ledger.sqlite.replaced-") })
  }
}
