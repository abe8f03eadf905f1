import Foundation
import TestSupport
import Testing

/// `segmentd notifications test`, to a web server.
@Suite(.limitedConcurrency) struct NotificationsCommandTests {
  /// What came of it for one recipient, as `--json` prints it.
  private struct Outcome: Decodable {
    var recipient: String
    var fault: String?
  }

  @Test func whoTookTheTestIsTold() async throws {
    let folder = try TemporaryFolder()
    let servers = try await NotificationServers()
    let token = folder.url.appendingPathComponent("token")
    try "token\n".write(to: token, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: token.path)
    let file = folder.url.appendingPathComponent("segmentd.yaml").path
    func recipient(_ name: String, _ path: String) -> String {
      """
          - {name: \(name), kind: webhook, url: "http://127.0.0.1:\(servers.webPort)/\(path)",
             tokenFile: "\(token.path)"}

      """
    }
    let head = "stateDirectory: state\nnotifications:\n  recipients:\n"
    try (head + recipient("it", "hook") + recipient("oncall", "busy"))
      .write(toFile: file, atomically: true, encoding: .utf8)

    // One that is named, for people.
    let one = try await segmentd(
      "notifications", "test", "--config", file, "--recipient", "it")
    #expect(one.status == 0 && one.output == "it: sent\n", "\(one.output)")
    #expect(servers.events.map { $0.message?.isTest } == [true])
    #expect(servers.events.first?.message?.summary == "test of the notifications")

    // All, of which one does not take it.
    let all = try await segmentd("notifications", "test", "--config", file, "--json")
    let outcomes = try JSONDecoder().decode([Outcome].self, from: Data(all.output.utf8))
    #expect(all.status == 2 && outcomes.map(\.recipient) == ["it", "oncall"], "\(all.output)")
    #expect(outcomes.first?.fault == nil && outcomes.last?.fault?.contains("503") == true)
    #expect(servers.events.count == 2)

    let nobody = try await segmentd(
      "notifications", "test", "--config", file, "--recipient", "nobody")
    #expect(
      nobody.status == 1 && nobody.output.contains("notifications.recipients has no \"nobody\""),
      "\(nobody.output)")
    // Nothing of it is in a state directory.
    #expect(!FileManager.default.fileExists(atPath: folder.url.path + "/state"))
    try await servers.stop()
  }
}
