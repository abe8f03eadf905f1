import Foundation
import TestSupport
import Testing

@testable import ConfigurationFile

/// `notifications:`, `audit:` and `tracing:` of the configuration.
@Suite struct NotificationConfigurationTests {
  private let folder: TemporaryFolder
  private var file: String { folder.url.appendingPathComponent("segmentd.yaml").path }

  init() throws {
    folder = try TemporaryFolder()
    for name in ["smtp-password", "chat-token", "trace-token", "open"] {
      let path = folder.url.appendingPathComponent(name).path
      let mode = name == "open" ? 0o644 : 0o600
      let made = FileManager.default.createFile(
        atPath: path, contents: Data("x".utf8), attributes: [.posixPermissions: mode])
      #expect(made)
    }
  }

  private func load(_ text: String) throws -> SiteConfiguration {
    try text.write(toFile: file, atomically: true, encoding: .utf8)
    return try SiteConfiguration.load(file)
  }

  /// The sections that the configuration file shows in comments.
  @Test func theExamplesAreValid() throws {
    let text = try String(
      contentsOf: TestFiles.package.appendingPathComponent("Config/segmentd.yaml"), encoding: .utf8)
    let lines = text.components(separatedBy: "\n")
    let example = ["# notifications:", "# audit:", "# tracing:"].flatMap { start in
      lines.drop { $0 != start }.prefix { $0.hasPrefix("#") }.map { String($0.dropFirst(2)) }
    }
    let configuration = try load(example.joined(separator: "\n"))
    let (notifications, usual) = (configuration.notifications, SiteConfiguration.Notifications())
    #expect(notifications.recipients.map(\.name) == ["it", "chat"])
    #expect(notifications.perHour == usual.perHour)
    #expect(notifications.groupMinutes == usual.groupMinutes)
    #expect(notifications.destinationMinutes == usual.destinationMinutes)
    guard case .email(let email)? = notifications.recipients.first?.service else {
      throw Unexpected()
    }
    #expect(email.passwordFile == folder.url.standardizedFileURL.path + "/smtp-password")
    #expect(configuration.audit.keepDays == SiteConfiguration.Audit().keepDays)
    #expect(configuration.audit.syslog?.port == 6514)
    let tracing = try #require(configuration.tracing)
    #expect(tracing.url.hasSuffix(":4318/v1/traces") && tracing.timeoutSeconds == 10)
    #expect(tracing.tokenFile == folder.url.standardizedFileURL.path + "/trace-token")
    #expect(tracing.tls?.trusted?.hasPrefix("/") == true)
    #expect(try load("log: {level: info}").tracing == nil)
  }

  private struct Unexpected: Error {}

  private static let mail = "name: a, kind: email, host: h, from: a@b.example"

  @Test(arguments: [
    ("notifications: {groupMinuts: 1}", "unknown key \"groupMinuts\""),
    ("notifications: {groupMinutes: -1}", "groupMinutes: -1.0 is not between"),
    (
      "notifications: {recipients: [{name: a, kind: mail}]}",
      "notifications.recipients[0].kind: \"mail\" is none of webhook, email; did you mean \"email\"?"
    ),
    (
      "notifications: {recipients: [{\(mail), to: [c@d.example], security: ssl}]}",
      "recipients[0].security: \"ssl\" is none of starttls, tls, none"
    ),
    (
      "notifications: {recipients: [{\(mail), to: [c@d.example], events: [held, disc]}]}",
      "events[1]: \"disc\" is none of held, destinations, disk, checks; did you mean \"disk\"?"
    ),
    (
      "audit: {syslog: {host: h, transport: tpc}}",
      "audit.syslog.transport: \"tpc\" is none of udp, tcp, tls"
    ),
    (
      "listener: {tls: {certificate: a, key: b, clientCertificates: demand}}",
      "clientCertificates: \"demand\" is none of none, request, require"
    ),
    ("notifications: {perHour: 0}", "perHour: 0 is not positive"),
    ("notifications: {recipients: [{\(mail), to: []}]}", "a.to: is empty"),
    ("notifications: {recipients: [{\(mail), to: [\"x y@z\"]}]}", "no e-mail address"),
    ("notifications: {recipients: [{\(mail), to: [c@d.example], url: x}]}", "means nothing with"),
    (
      "notifications: {recipients: [{\(mail), to: [c@d.example], user: u}]}",
      "user and passwordFile belong together"
    ),
    (
      "notifications: {recipients: [{\(mail), to: [c@d.example], user: u, passwordFile: open}]}",
      "others can read"
    ),
    (
      "notifications: {recipients: [{\(mail), to: [c@d.example], user: u, "
        + "passwordFile: smtp-password, security: none}]}", "in the clear"
    ),
    (
      "notifications: {recipients: [{name: a, kind: webhook, url: \"http://x/\", "
        + "tokenFile: chat-token}]}", "without https"
    ),
    (
      "notifications: {recipients: [{name: a, kind: webhook, url: \"https://x/\", events: []}]}",
      "is empty"
    ),
    (
      "notifications: {recipients: [{name: segmentd traces, kind: webhook, url: \"https://x/\"}]}",
      "is the name of the receiver of traces"
    ),
    ("tracing: {}", "tracing"),
    ("tracing: {endpoint: \"http://x/v1/traces\"}", "unknown key \"endpoint\""),
    ("tracing: {url: \"http://x:4318\"}", "receivers of OTLP take traces at /v1/traces"),
    ("tracing: {url: \"http://x/v1/traces\", tokenFile: trace-token}", "without https"),
    ("tracing: {url: \"http://x/v1/traces\", tls: {trusted: a}}", "tracing.tls: means nothing"),
    ("tracing: {url: \"https://x/v1/traces\", timeoutSeconds: 0}", "timeoutSeconds: 0"),
    ("audit: {keepDays: -1}", "audit.keepDays"),
    ("audit: {syslog: {host: \"\"}}", "audit.syslog.host is empty"),
    (
      "audit: {syslog: {host: x, transport: tcp, tls: {trusted: a}}}",
      "means nothing with transport: tcp"
    ),
  ]) func faultsAreNamed(text: String, expected: String) throws {
    let error = try #require(throws: ConfigurationError.self) { try load(text) }
    #expect(error.description.contains(expected), "\(error)")
  }
}
