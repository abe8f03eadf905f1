import Foundation
import JobLedger
import TestSupport

/// A head, and listeners that hand over to it.
struct ListenersAndHead {
  let head: DaemonSetup
  let listeners: [DaemonSetup]
  let headPort: Int
  static func token(_ number: Int) -> String { "the token of ward-\(number)" }

  /// - Parameters:
  ///   - count: of listeners, which are called ward-1 and so on.
  ///   - port: where they look for the head; nil for its own.
  ///   - token: that they show, in place of their own.
  ///   - overTLS: whether they prove to each other by certificates who they are.
  ///   - patience: of the head, in seconds.
  ///   - more: further sections of the listeners.
  init(
    _ count: Int = 1, port: Int? = nil, token: String? = nil, overTLS: Bool = false,
    patience: Int = 60, more: String = "", hasDestination: Bool = false
  ) async throws {
    headPort = try freePort()
    var senders: [String] = []
    for number in 1...count {
      let hash = try await runProcess(
        "/bin/bash",
        ["-c", "echo '\(Self.token(number))' | \(segmentdBinary) config hash-password"]
      ).output.trimmingCharacters(in: .newlines)
      senders.append("{name: ward-\(number), tokenHash: \"\(hash)\"}")
    }
    var (serverTLS, clientTLS) = ("", "")
    if overTLS {
      let place = try await Certificates.folder.value.url.path
      serverTLS = """
        , tls: {certificate: "\(place)/server.pem", key: "\(place)/server.key", \
        clientCertificates: require, trusted: "\(place)/ca.pem"}
        """
      clientTLS = """
        , tls: {certificate: "\(place)/client.pem", key: "\(place)/client.key", \
        trusted: "\(place)/ca.pem"}
        """
    }
    head = try DaemonSetup(
      more: """
        web: {port: \(headPort)\(serverTLS)}
        handover: {from: [\(senders.joined(separator: ", "))], patienceSeconds: \(patience)}
        """, hasDestination: hasDestination)
    let address = "\(overTLS ? "https" : "http")://127.0.0.1:\(port ?? headPort)"
    let folder = head.folder.url
    listeners = try (1...count).map { number in
      let file = folder.appendingPathComponent("token-\(number)")
      try (token ?? Self.token(number)).write(to: file, atomically: true, encoding: .utf8)
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
      return try DaemonSetup(
        rules: "rules: []",
        more: """
          handover: {to: {url: "\(address)", tokenFile: "\(file.path)"\(clientTLS)}}
          \(more)
          """, hasDestination: false)
    }
  }

  /// What a ledger has of series: each instance's dataset hash, by SOP Instance UID and content.
  static func instances(_ setup: DaemonSetup, _ series: [String]) throws -> [InstanceRecord] {
    let ledger = try Ledger(reading: setup.state.appendingPathComponent("ledger.sqlite").path)
    return try series.flatMap { try ledger.instances(series: $0).all }
  }

  static func backlog(_ setup: DaemonSetup) throws -> Int {
    try Ledger(reading: setup.state.appendingPathComponent("ledger.sqlite").path)
      .handoverBacklog().waiting
  }

  /// Waits until the head has everything of the listeners.
  func handedOver(within seconds: Double = 900) async throws {
    try await waitUntil("the handover", within: seconds) {
      try listeners.allSatisfy { try Self.backlog($0) == 0 }
    }
  }

  /// Has the head, when it is started again, wait so many seconds for a listener.
  func setPatience(_ seconds: Int) throws {
    let text = try String(contentsOfFile: head.configuration, encoding: .utf8)
    let changed = text.replacing(/patienceSeconds: [0-9]+/, with: "patienceSeconds: \(seconds)")
    try changed.write(toFile: head.configuration, atomically: true, encoding: .utf8)
  }

  /// Sends over an association of its own with a pause after each instance.
  ///
  /// - Returns: what was acknowledged.
  func sendSlowly(
    _ files: [URL], to listener: DaemonSetup, pause: Double, gate: SenderGate? = nil
  ) async throws -> [URL] {
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/peers/network_peers.py")
    let result = try await runProcess(
      testPython,
      [script.path, "slowly", "\(listener.port)", "SEGMENTD", "\(pause)"]
        + (gate?.options ?? []) + files.map(\.path))
    let answers = result.output.split(separator: "\n").filter { $0.hasPrefix("0x") }
    return zip(files, answers).filter { $1 == "0x0000" }.map { $0.0 }
  }
}

/// The files of a folder, in the order of their names.
func sortedFiles(in folder: URL) throws -> [URL] {
  try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    .sorted { $0.path < $1.path }
}
