import Foundation
import TestSupport
import Testing

/// `segmentd doctor` on machines with and without faults.
@Suite(.limitedConcurrency) struct DoctorTests {
  private struct Finding: Decodable {
    var subject: String
    var level: String
    var text: String
    var advice: String?
  }

  private func diagnosed(_ setup: DaemonSetup) async throws -> (
    status: Int32, findings: [String: Finding]
  ) {
    let result = try await segmentd("doctor", "--config", setup.configuration, "--json")
    let findings = try JSONDecoder().decode([Finding].self, from: Data(result.output.utf8))
    #expect(findings.allSatisfy { ($0.level == "good") == ($0.advice == nil) })
    return (result.status, Dictionary(uniqueKeysWithValues: findings.map { ($0.subject, $0) }))
  }

  @Test func aWorkingDaemon() async throws {
    let setup = try DaemonSetup()
    let orthanc = try await Orthanc(dicomPort: setup.destinationPort)
    let daemon = try await setup.start()
    let (status, findings) = try await diagnosed(setup)
    #expect(findings.values.filter { $0.level == "fault" }.map(\.text).isEmpty)
    #expect(status == 0)
    #expect(findings["destination pacs"]?.text.contains("accepts SegmentationStorage") == true)
    #expect(findings["listener SEGMENTD"]?.text.contains("the daemon is running") == true)
    #expect(findings["model untrained-tiny"]?.level == "good")
    #expect(findings["ledger"]?.level == "good")
    for subject in ["processor", "memory", "clock", "disk", "file system", "disk speed"] {
      #expect(findings[subject] != nil, "\(subject)")
    }
    let left = try FileManager.default.contentsOfDirectory(atPath: setup.state.path)
    #expect(!left.contains { $0.hasPrefix(".doctor") })
    try await orthanc.stop()
    #expect(try await daemon.end() == 0)
  }

  /// Nothing works, and each finding says what to do.
  @Test func everythingIsWrong() async throws {
    let setup = try DaemonSetup(
      models: ["CT": "untrained-tiny"],
      more: """
        querySource: {aeTitle: PACS, host: no-such-host.invalid, port: 104}
        """)
    // The listener's port belongs to another program.
    let other = try ChildProcess(
      testPython,
      ["-m", "http.server", "--bind", "127.0.0.1", "\(setup.port)"],
      log: setup.folder.url.appendingPathComponent("other.log"))
    try await waitUntil("the other program") {
      try await runProcess(
        "/bin/bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(setup.port)"]
      ).status == 0
    }
    try FileManager.default.createDirectory(
      at: setup.state, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    let (status, findings) = try await diagnosed(setup)
    #expect(status == 2)
    #expect(findings["destination pacs"]?.text.contains("Connection refused") == true)
    #expect(findings["query source"]?.text.contains("no-such-host.invalid") == true)
    #expect(findings["listener SEGMENTD"]?.text.contains("Address already in use") == true)
    #expect(findings["state directory"]?.text.contains("open to others") == true)
    try await other.end(SIGKILL)
  }

  /// An archive that takes CT images alone.
  @Test func whatAnArchiveDoesNotTake() async throws {
    let setup = try DaemonSetup()
    let script = """
      import threading
      from pynetdicom import AE
      ae = AE(ae_title="PACS")
      for uid in ("1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.2"): ae.add_supported_context(uid)
      server = ae.start_server(("127.0.0.1", \(setup.destinationPort)), block=False)
      print("ready", flush=True)
      threading.Event().wait()
      """
    let archive = try ChildProcess(
      testPython, ["-c", script], log: setup.folder.url.appendingPathComponent("archive.log"))
    try await waitUntil("the archive") { archive.output.contains("ready") }
    let (status, findings) = try await diagnosed(setup)
    #expect(status == 2)
    #expect(
      findings["destination pacs"]?.text.contains("does not accept SegmentationStorage")
        == true)
    try await archive.end(SIGKILL)
  }
}
