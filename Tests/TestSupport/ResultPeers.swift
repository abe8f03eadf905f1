import Foundation

/// A program of the tests that prints what happens to it as lines of JSON.
public class TellingPeer<Event: Decodable>: @unchecked Sendable {
  // Unchecked: nothing is stored that changes.
  public let port: Int
  private let folder: TemporaryFolder
  private let process: ChildProcess

  fileprivate init(_ script: String, _ arguments: (Int) -> [String], port: Int?) async throws {
    let chosen = try port ?? freePort()
    self.port = chosen
    folder = try TemporaryFolder()
    let path = TestFiles.package.appendingPathComponent("Scripts/test-support/peers/\(script)").path
    process = try ChildProcess(
      testPython, [path] + arguments(chosen), log: folder.url.appendingPathComponent("log"))
    try await waitUntil("\(script)", within: 900) {
      guard process.isRunning else { throw PeerEnded(output: process.output) }
      return try await runProcess(
        "/bin/bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(chosen)"]
      ).status == 0
    }
  }

  struct PeerEnded: Error { var output: String }

  /// What happened so far.
  public var events: [Event] {
    process.output.split(separator: "\n").compactMap {
      try? JSONDecoder().decode(Event.self, from: Data($0.utf8))
    }
  }

  public func stop() async throws { try await process.end(SIGKILL) }
}

/// What an archive with storage commitment saw; see `commitment_scp.py`.
public struct ArchiveEvent: Decodable, Sendable, Equatable {
  public var stored: String?
  public var asked: [String]?
  public var transaction: String?
  /// The answer to a report of its own.
  public var reported: Int?
}

/// An archive that takes objects and commits itself to keep them, or does not.
public final class CommittingArchive: TellingPeer<ArchiveEvent>, @unchecked Sendable {
  /// - Parameters:
  ///   - way: how it reports: same, new or never.
  ///   - options: of `commitment_scp.py`.
  ///   - port: where it listens as PACS.
  public init(_ way: String, _ options: String..., port: Int? = nil) async throws {
    try await super.init("commitment_scp.py", { ["\($0)", "PACS", way] + options }, port: port)
  }

  /// Of each object that came, in order.
  public var stored: [String] { events.compactMap(\.stored) }
  /// Of each request for commitment.
  public var asked: [[String]] { events.compactMap(\.asked) }
  public var reported: [Int] { events.compactMap(\.reported) }
}

/// A request to a server of STOW-RS; see `stow_server.py`.
public struct StowRequest: Decodable, Sendable {
  public var path: String
  public var instance: String?
  public var authorization: String?
}

/// A server of STOW-RS that does what it should, or does not.
public final class StowServer: TellingPeer<StowRequest>, @unchecked Sendable {
  /// - Parameter tls: files of its certificate and key, and of the authority that clients' certificates
  ///   need.
  public init(tls: [String] = []) async throws {
    try await super.init("stow_server.py", { ["\($0)"] + tls }, port: nil)
  }

  /// Objects that came by POST.
  public var stored: [String] { events.compactMap(\.instance) }
}

/// A peer that accepts connections and says nothing (`silent`), or accepts associations and answers no
/// object (`deaf`).
public final class HangingPeer: TellingPeer<StowRequest>, @unchecked Sendable {
  public init(_ how: String) async throws {
    try await super.init("network_peers.py", { ["hang", "\($0)", how] }, port: nil)
  }
}

/// What a mail or web server took; see `notification_servers.py`.
public struct TakenNotification: Decodable, Sendable {
  public struct Message: Decodable, Sendable {
    public var summary: String
    public var isTest: Bool
  }

  /// Of a mail.
  public var sender: String?
  public var recipients: [String]?
  public var subject: String?
  public var text: String?
  /// Of a webhook.
  public var message: Message?
}

/// A mail server with STARTTLS and a login, and a web server.
public final class NotificationServers: TellingPeer<TakenNotification>, @unchecked Sendable {
  public let webPort: Int

  public init() async throws {
    let webPort = try freePort()
    self.webPort = webPort
    let files = [
      try await Certificates.file("server.pem"), try await Certificates.file("server.key"),
    ]
    try await super.init(
      "notification_servers.py", { ["\($0)", "\(webPort)"] + files }, port: nil)
  }
}

/// A span that a receiver of traces took; see `otlp_receiver.py`.
public struct TakenSpan: Decodable, Sendable {
  public var name: String
  public var trace: String
  public var id: String
  public var parent: String?
  /// Seconds since 1970.
  public var start: Double
  public var end: Double
  public var attributes: [String: String]
  public var isError: Bool
  public var resource: [String: String]
}

/// What a receiver of traces was asked.
public struct TraceEvent: Decodable, Sendable {
  public var span: TakenSpan?
  /// Of a request, what was answered.
  public var status: Int?
  /// Why OpenTelemetry's definition of a request does not fit one.
  public var fault: String?
  /// Whether it is a request that is answered after an hour, which begins.
  public var slow: Bool?
}

/// A receiver of OpenTelemetry's traces, by OTLP over HTTP in JSON.
public final class TraceReceiver: TellingPeer<TraceEvent>, @unchecked Sendable {
  public init(port: Int? = nil) async throws {
    try await super.init("otlp_receiver.py", { ["\($0)"] }, port: port)
  }

  public var spans: [TakenSpan] { events.compactMap(\.span) }
  public var answers: [Int] { events.compactMap(\.status) }
  public var faults: [String] { events.compactMap(\.fault) }
  public var hasSlowRequest: Bool { events.contains { $0.slow == true } }
}
