import ConfigurationFile
import DICOMNetwork
import Foundation
import Ingest
import JobLedger
import Logging
import TestSupport
import Testing

@testable import Pipeline

/// What `segmentd doctor` says of peers: they are asked for what they get.
@Suite(.serialized) struct PeerFindingsTests {
  private static let segmentation = "1.2.840.10008.5.1.4.1.1.66.4"
  private static let report = "1.2.840.10008.5.1.4.1.1.88.34"

  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func findings(_ text: String) async throws -> [Finding] {
    let file = folder.url.appendingPathComponent("segmentd.yaml")
    try "stateDirectory: state\nlistener: {aeTitle: TEST, port: 11112}\n\(text)\n"
      .write(to: file, atomically: true, encoding: .utf8)
    return await Diagnosis(try SiteConfiguration.load(file.path)).peerFindings()
  }

  @Test func aDestinationIsAskedForWhatItTakes() async throws {
    let state = try StateDirectory(path: folder.url.appendingPathComponent("peer").path)
    let ledger = try Ledger(path: state.ledger.path)
    let logger = Logger(label: "test")
    let intake = Intake(
      state: state, ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: logger),
      logger: logger)
    func listener(_ sopClasses: [String], _ port: Int) throws -> Listener {
      try Listener(
        [
          StorageSCPConfiguration(
            address: "127.0.0.1", port: port, folder: state.incoming.path,
            policy: AssociationPolicy(
              calledAETitle: "PACS", sopClasses: sopClasses,
              transferSyntaxes: AssociationPolicy.decodedTransferSyntaxes))
        ], intake: intake, logger: logger)
    }
    let (reports, segmentations) = (try freePort(), try freePort())
    let listeners = [
      try listener([Self.report], reports), try listener([Self.segmentation], segmentations),
    ]
    let found = try await findings(
      """
      results: {report: measurements}
      destinations:
        - {name: a, aeTitle: PACS, host: 127.0.0.1, port: \(reports), takes: [sr]}
        - {name: b, aeTitle: PACS, host: 127.0.0.1, port: \(segmentations), takes: [sr]}
        - {name: c, aeTitle: PACS, host: 127.0.0.1, port: \(segmentations)}
        - {name: d, aeTitle: PACS, host: 127.0.0.1, port: \(reports)}
      """)
    #expect(found.map(\.level) == [.good, .fault, .warning, .fault], "\(found)")
    #expect(found[1].text.contains(Self.report) && !found[1].text.contains(Self.segmentation))
    #expect(found[2].text.contains(Self.report))
    for listener in listeners { await listener.stop() }
  }

  @Test func theWorklistServerIsAsked() async throws {
    let port = try freePort()
    let file = folder.url.appendingPathComponent("workitems.json")
    try "[]".write(to: file, atomically: true, encoding: .utf8)
    let server = try ChildProcess(
      testPython,
      [
        TestFiles.package.appendingPathComponent("Scripts/test-support/peers/ups_server.py").path,
        "\(port)", file.path,
      ], log: folder.url.appendingPathComponent("worklist.log"))
    try await waitUntil("the worklist server", within: 900) {
      #expect(server.isRunning, "\(server.output)")
      return try await runProcess(
        "/bin/bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(port)"]
      ).status == 0
    }
    for (url, level) in [
      ("http://127.0.0.1:\(port)", Finding.Level.good), ("http://127.0.0.1:1", .fault),
      ("http://127.0.0.1:\(port)/elsewhere", .warning),
    ] {
      let found = try await findings("worklist: {url: \"\(url)\"}")
      let finding = try #require(found.first { $0.subject == "worklist" })
      #expect(finding.level == level, "\(finding)")
      if level == .warning {
        #expect(finding.text.contains("answers 404 to UPS-RS"))
        #expect(finding.advice?.contains("without /studies or /workitems") == true)
      }
    }
    // It answers no queries, as it is a worklist alone.
    let source = try await findings(
      """
      querySource: {url: "http://127.0.0.1:\(port)"}
      destinations: [{name: web, kind: stow, url: "http://127.0.0.1:\(port)"}]
      """)
    for subject in ["query source", "destination web"] {
      let finding = try #require(source.first { $0.subject == subject })
      #expect(finding.level == .warning && finding.text.contains("404 to QIDO-RS"), "\(finding)")
    }
    try await server.end(SIGKILL)
  }
}
