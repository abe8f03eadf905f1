import Clocks
import Foundation
import JobLedger
import TestSupport
import Testing

@testable import Dashboard

/// The answers of the REST API are as `openapi.json` says, each compared by jsonschema.
@Suite(.limitedConcurrency) struct APIDocumentTests {
  private struct Exchange: Encodable {
    var method: String
    var path: String
    var status: Int
    var body: String
  }

  private static let document = TestFiles.package
    .appendingPathComponent("Sources/Dashboard/Files/openapi.json")

  /// A ledger with something for each list.
  private static func dashboard() throws -> TestedDashboard {
    var dashboard = try TestedDashboard()
    let ledger = dashboard.ledger
    try dashboard.addStudy(1, ["Liver": 1500])
    try dashboard.addStudy(2, ["Liver": 1400.5])
    for (number, day) in [(1, "2024-01-01"), (2, "2025-01-01")] {
      dashboard.source.examinations[TestedDashboard.file(number)] =
        try TestedDashboard.examination(day)
    }
    dashboard.source.refusedSenders = [
      DashboardRefusedSender(
        name: "INTRUDER", address: "10.0.0.66", reason: "association rejected: called AE title",
        lastAt: Date(), count: 3)
    ]
    var refusal = RefusedInstance(reason: "ends within Pixel Data", source: .watch)
    refusal.file = "/incoming/DOE^JANE.dcm"
    try ledger.recordRefusal(refusal)
    let association = ReceivingAssociation(
      key: "a/1/1", callingAETitle: "CT1", calledAETitle: "SEGMENTD", peerAddress: "10.0.0.5",
      startedAt: .now)
    _ = try ledger.recordInstance(
      InstanceRecord(
        studyInstanceUID: "1.2", seriesInstanceUID: "1.2.4", sopInstanceUID: "1.2.4.1",
        sopClassUID: "1.2.840.10008.5.1.4.1.1.2", modality: "CT",
        transferSyntaxUID: "1.2.840.10008.1.2.1", spoolPath: "spool/4.dcm", byteCount: 1000,
        contentHash: String(repeating: "4", count: 64), source: .listener), association: association
    )
    try ledger.endAssociation(association, .connectionLost, message: "reset by peer")
    try ledger.requestGoldenCheck(of: "liver", by: .person)
    try ledger.record(
      HandoverBacklog(waiting: 1, oldestAt: Date()),
      of: HandoverSender(name: "ward-1", run: "r"))
    return dashboard
  }

  private static let requests: [(method: String, path: String, status: Int)] = [
    ("get", "studies", 200), ("get", "studies?limit=1&offset=1", 200),
    ("get", "studies?limit=x", 400), ("get", "studies?uid=1.9.1.1", 200),
    ("get", "studies/1.9.1", 200), ("get", "studies/9.9", 404),
    ("get", "studies/1.9.1/rules", 200), ("get", "studies/9.9/rules", 404),
    ("get", "studies/1.9.1/measurements", 200), ("get", "studies/9.9/measurements", 404),
    ("get", "jobs", 200), ("get", "jobs?state=completed&state=held", 200),
    ("get", "jobs?delivery=waiting&destination=pacs", 200), ("get", "jobs?delivery=lost", 400),
    ("get", "jobs?state=lost", 400), ("get", "jobs/1", 200), ("get", "jobs/99", 404),
    ("get", "processing", 200), ("get", "refused", 200), ("get", "pending", 200),
    ("get", "senders/refused", 200), ("get", "associations", 200),
    ("get", "associations?limit=0", 400),
    ("get", "destinations", 200), ("get", "models", 200), ("get", "rules", 200),
    ("get", "system", 200), ("get", "openapi.json", 200), ("post", "processing/pause", 200),
    ("post", "processing/resume", 200), ("post", "processing/stop", 404),
    ("post", "jobs/1/retry", 200), ("post", "jobs/1/burn", 404), ("post", "jobs/99/hold", 404),
  ]

  @Test func answersAreAsDocumented() async throws {
    let dashboard = try Self.dashboard()
    var exchanges: [Exchange] = []
    var settings = DashboardSettings()
    settings.destinations = ["pacs"]
    let json = ["-H", "Content-Type: application/json", "-d", "{}"]
    try await dashboard.running(settings) {
      for (method, path, status) in Self.requests {
        let options = ["-H", "Authorization: Bearer script"] + (method == "post" ? json : [])
        let address = "/api/v1/\(path)"
        let answer = try await dashboard.ask(address, options)
        #expect(answer.status == status, "\(path): \(answer.body)")
        exchanges.append(
          Exchange(method: method, path: address, status: answer.status, body: answer.body))
      }
      let denied = try await dashboard.ask(
        "/api/v1/jobs/1/retry", ["-H", "Authorization: Bearer reader"] + json)
      exchanges.append(
        Exchange(
          method: "post", path: "/api/v1/jobs/1/retry", status: denied.status, body: denied.body))
      #expect(denied.status == 403)
    }
    // Nothing of them is empty, and no file of a watch folder is named.
    for path in [
      "refused", "senders/refused", "pending", "associations", "jobs", "destinations", "rules",
    ] {
      let list = exchanges.first { $0.path == "/api/v1/\(path)" }
      #expect(list?.body.hasPrefix("[{") == true, "\(path)")
    }
    #expect(!exchanges.contains { $0.body.contains("DOE") })
    let result = try await Self.compare(exchanges, in: dashboard.folder.url)
    #expect(result.status == 0, "\(result.output)")
  }

  @Test func whatIsNotInTheDocumentIsFound() async throws {
    let folder = try TemporaryFolder()
    for (exchange, expected) in [
      (Exchange(method: "get", path: "/api/v1/rules", status: 200, body: "[]"), ""),
      (Exchange(method: "get", path: "/api/v1/rules", status: 204, body: ""), "not documented"),
      (Exchange(method: "get", path: "/api/v1/none", status: 200, body: "[]"), "not documented"),
      (
        Exchange(method: "get", path: "/api/v1/rules", status: 200, body: #"[{"name": "a"}]"#),
        "'model' is a required property"
      ),
    ] {
      let result = try await Self.compare([exchange], in: folder.url)
      #expect(result.status == (expected.isEmpty ? 0 : 1), "\(result.output)")
      #expect(expected.isEmpty || result.output.contains(expected), "\(result.output)")
    }
  }

  private static func compare(_ exchanges: [Exchange], in folder: URL) async throws -> ProcessResult
  {
    let file = folder.appendingPathComponent("exchanges.json")
    try JSONEncoder().encode(exchanges).write(to: file)
    let script = TestFiles.package
      .appendingPathComponent("Scripts/test-support/readers/check_json.py").path
    return try await runProcess(testPython, [script, "api", document.path, file.path])
  }
}
