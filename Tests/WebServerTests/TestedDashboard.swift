import Credentials
import Foundation
import JobLedger
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
import Volumes
import WebServer

@testable import Dashboard

/// What a daemon would tell, with one patient.
struct TestedSource: DashboardSource {
  struct Unavailable: Error {}

  var rules: [DashboardRule] = [
    DashboardRule(name: "chest", model: "liver", priority: 2, criteria: ["modality: <CT>"])
  ]
  var refusedSenders: [DashboardRefusedSender]? = []
  /// By file.
  var examinations: [String: DashboardExamination] = [:]

  func models() async -> (models: [DashboardModel], faults: [String]) {
    let model = DashboardModel(
      name: "liver", version: "1.2", summary: "The liver.", facts: [("Licence", "MIT")],
      card: "A card.")
    return ([model], [])
  }

  func ruleTrial(files: [String]) async throws -> String { "selected" }
  func patient(file: String) -> DashboardPatient? { DashboardPatient(name: "DOE^JANE", facts: []) }
  func examination(file: String) -> DashboardExamination? { examinations[file] }
  func stacks(series: String) throws -> [SliceStack] { throw Unavailable() }
  func pixels(of stack: SliceStack) throws -> Volume { throw Unavailable() }
  var memory: [(process: String, bytes: Int)] { [("daemon", 1_500_000_000)] }
  var disk: (available: Int, total: Int)? { (2_000_000_000, 4_000_000_000) }
}

/// Pages and API over HTTP, without a daemon.
struct TestedDashboard {
  final class Told: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
  }

  struct Answer {
    var status: Int
    var head: String
    var body: String

    /// The value of a field of the header.
    func field(_ name: String) -> String? {
      head.split(separator: "\r\n").first { $0.lowercased().hasPrefix(name.lowercased() + ": ") }
        .map { String($0.dropFirst(name.count + 2)) }
    }

    var cookie: String { String((field("Set-Cookie") ?? "").prefix { $0 != ";" }) }
  }

  let folder: TemporaryFolder
  let port: Int
  let ledger: Ledger
  let told = Told()
  var source = TestedSource()
  /// Of costly requests, in place of those that a dashboard has.
  var budget: RequestBudget?

  init() throws {
    folder = try TemporaryFolder()
    port = try freePort()
    ledger = try Ledger(path: folder.url.appendingPathComponent("ledger.sqlite").path)
    _ = try ledger.recordInstance(
      InstanceRecord(
        studyInstanceUID: "1.2", seriesInstanceUID: "1.2.3", sopInstanceUID: "1.2.3.1",
        sopClassUID: "1.2.840.10008.5.1.4.1.1.2", modality: "CT",
        transferSyntaxUID: "1.2.840.10008.1.2.1", spoolPath: "spool/1.dcm", byteCount: 1000,
        contentHash: String(repeating: "0", count: 64), source: .listener))
  }

  private static func client(_ name: String, _ kind: Credential.Kind, _ role: WebRole) throws
    -> WebAccess.Client
  {
    WebAccess.Client(
      credential: Credential(name: name, kind: kind, hash: try SecretHash(of: name, rounds: 1000)),
      role: role)
  }

  /// Runs a server with users and tokens whose secrets are their names, as long as the body does.
  func running(
    _ settings: DashboardSettings = DashboardSettings(), hasClients: Bool = true,
    _ body: () async throws -> Void
  ) async throws {
    var configuration = WebServerConfiguration(address: "127.0.0.1", port: port)
    if hasClients {
      configuration.access.clients = [
        try Self.client("olga", .password, .operator), try Self.client("vera", .password, .viewer),
        try Self.client("script", .token, .operator), try Self.client("reader", .token, .viewer),
      ]
    }
    var settings = settings
    let told = told
    settings.onSession = { user, address, begins in
      told.add("\(user) \(address) \(begins ? "begins" : "ends")")
    }
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let authenticator = Authenticator(configuration.access)
    var dashboard = try Dashboard(
      settings, ledger: ledger, state: folder.url.path, source: source,
      authenticator: authenticator, version: "1.0", logger: logger)
    if let budget {
      dashboard.planes = budget
      dashboard.trials = budget
    }
    let server = try HTTPServer(
      configuration, authenticator: authenticator, routes: [dashboard], logger: logger)
    try await server.run(at: port, while: body)
  }

  func ask(_ path: String, _ options: String...) async throws -> Answer {
    try await ask(path, options)
  }

  func ask(_ path: String, _ options: [String]) async throws -> Answer {
    let result = try await runProcess(
      "/usr/bin/curl",
      ["-sS", "-i", "--noproxy", "*"] + options + ["http://127.0.0.1:\(port)\(path)"])
    let parts = result.output.split(separator: "\r\n\r\n", maxSplits: 1)
    let head = String(parts.first ?? "")
    let status = head.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return Answer(status: status, head: head, body: String(parts.dropFirst().first ?? ""))
  }
}
