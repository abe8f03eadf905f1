import Foundation
import JobLedger
import TestSupport
import Testing

/// The golden check of a running daemon, at night and by hand.
@Suite(.limitedConcurrency) struct GoldenCheckTests {
  private let folder: TemporaryFolder
  private var bundle: URL { folder.url.appendingPathComponent("golden-tiny") }
  private var hashFile: URL { bundle.appendingPathComponent("golden/labels.sha256") }

  /// A tiny model with a case whose labels nobody has recorded yet.
  init() async throws {
    folder = try TemporaryFolder()
    try FileManager.default.copyItem(
      at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny"), to: bundle)
    _ = try await makeSeries(
      at: bundle.appendingPathComponent("golden/series"), "--slices", "5", "--size", "32")
  }

  private func check(_ setup: DaemonSetup) async throws -> (status: Int32, check: GoldenCheck) {
    let result = try await segmentd("check-golden", "--config", setup.configuration, "--json")
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    let checks = try decoder.decode([GoldenCheck].self, from: Data(result.output.utf8))
    return (result.status, try #require(checks.first))
  }

  @Test func anotherResultThanTheRecordedOneIsTold() async throws {
    let servers = try await NotificationServers()
    let token = folder.url.appendingPathComponent("token")
    try "token\n".write(to: token, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: token.path)
    let hour = Calendar.current.component(.hour, from: Date())
    let setup = try DaemonSetup(
      rules: "rules:\n  - {model: \"\(bundle.path)\", require: {modality: MR}}",
      more: """
        nightlyCheck: {hour: \(hour)}
        notifications:
          recipients:
            - {name: it, kind: webhook, url: "http://127.0.0.1:\(servers.webPort)/hook",
               tokenFile: "\(token.path)", events: [checks]}
        """)
    let without = try await segmentd("check-golden", "--config", setup.configuration)
    #expect(without.status == 1, "\(without.output)")
    let daemon = try await setup.start()

    // What the case gives is told, for whoever records it.
    let first = try await check(setup)
    let message = try #require(first.check.message)
    let hash = try #require(message.split(separator: " ").last.map(String.init))
    #expect(first.status == 2 && first.check.outcome == .omitted && hash.count == 64, "\(message)")
    try hash.write(to: hashFile, atomically: true, encoding: .utf8)
    let second = try await check(setup)
    #expect(second.status == 0 && second.check.outcome == .passed, "\(second)")

    let other = (hash.hasPrefix("0") ? "1" : "0") + hash.dropFirst()
    try other.write(to: hashFile, atomically: true, encoding: .utf8)
    let third = try await check(setup)
    #expect(third.status == 2 && third.check.outcome == .failed, "\(third)")
    #expect(third.check.message?.contains(hash) == true)
    try await waitUntil("the notification", within: 900) { !servers.events.isEmpty }
    #expect(servers.events.count == 1)
    let summary = servers.events.first?.message?.summary ?? ""
    #expect(summary == "the golden check of model \(bundle.path) failed")
    #expect(daemon.output.contains("golden check failed"))
    let doctor = try await segmentd("doctor", "--config", setup.configuration)
    #expect(doctor.output.contains("FAULT   golden check \(bundle.path): failed"))

    // The night asked for one by itself, and nothing of all is among the studies, nor was sent.
    let ledger = try Ledger(path: setup.state.appendingPathComponent("ledger.sqlite").path)
    #expect(try ledger.lastScheduledGoldenCheck() != nil)
    #expect(try ledger.jobs().isEmpty && ledger.studies(limit: 9).isEmpty)
    #expect(setup.spooledFiles().isEmpty)
    #expect(
      !FileManager.default.fileExists(atPath: setup.state.appendingPathComponent("check").path))
    #expect(try await daemon.end() == 0)
    try await servers.stop()
  }
}
