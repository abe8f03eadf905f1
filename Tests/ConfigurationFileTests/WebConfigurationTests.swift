import Credentials
import Foundation
import TestSupport
import Testing

@testable import ConfigurationFile

/// The section of the HTTP server.
@Suite struct WebConfigurationTests {
  private let folder: TemporaryFolder
  private var file: String { folder.url.appendingPathComponent("segmentd.yaml").path }

  init() throws { folder = try TemporaryFolder() }

  private func load(_ text: String) throws(ConfigurationError) -> SiteConfiguration {
    #expect(FileManager.default.createFile(atPath: file, contents: Data(text.utf8)))
    return try SiteConfiguration.load(file)
  }

  private func fault(_ web: String) -> String {
    do {
      _ = try load("web: {stow: true, \(web)}")
      return "none"
    } catch { return error.description }
  }

  private static let tls = "tls: {certificate: a.pem, key: a.key}"
  private static let hash =
    "pbkdf2-sha256$600000$AAECAwQFBgcICQoLDA0ODw==$AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8="

  @Test func itIsOffAndOnLoopbackByDefault() throws {
    #expect(try load("log: {level: info}").web == nil)
    let web = try #require(try load("web: {stow: true}").web)
    #expect(web.address == "127.0.0.1" && web.port == 8042 && web.prefix == "/dicom-web")
    #expect(web.limits.connections == 64 && web.limits.diskReserveGB == nil)
    for address in ["127.0.0.5", "::1"] {
      #expect(fault("address: \"\(address)\"") == "none")
    }
  }

  /// The section that the configuration file shows in comments.
  @Test func theExampleIsValid() throws {
    let text = try String(
      contentsOf: TestFiles.package.appendingPathComponent("Config/segmentd.yaml"), encoding: .utf8)
    let lines = text.components(separatedBy: "\n").drop { $0 != "# web:" }
      .prefix { $0.hasPrefix("#") }.map { $0.dropFirst(2) }
    let example = lines.joined(separator: "\n").replacingOccurrences(of: "HASH", with: Self.hash)
    let web = try #require(try load(example).web)
    #expect(web.users.map(\.name) == ["CT1", "olga"] && web.users[1].role == "operator")
    #expect(web.dashboard?.sessionMinutes == 30 && web.dashboard?.showPatients == true)
    #expect(web.tokens.map(\.name) == ["GATEWAY"])
    #expect(web.tls?.certificate == folder.url.standardizedFileURL.path + "/tls/segmentd.pem")
    let usual = try #require(try load("web: {stow: true}").web).limits
    #expect(web.limits.connections == usual.connections && web.limits.requests == usual.requests)
    #expect(web.limits.idleSeconds == usual.idleSeconds)
    #expect(web.limits.bodySeconds == usual.bodySeconds)
  }

  @Test(arguments: [
    ("address: 0.0.0.0", "web.tls: missing"),
    ("address: \"::\"", "web.tls: missing"),
    ("address: 10.1.2.3, \(tls)", "prove who they are"),
    (
      "address: \"::\", tls: {certificate: a, key: b, clientCertificates: request, trusted: c}",
      "prove who they are"
    ),
    ("address: localhost", "not an IPv4 or IPv6 address"),
    ("port: 0", "web.port"), ("prefix: dicom-web", "web.prefix"), ("prefix: /a//b", "web.prefix"),
    ("prefix: \"/{a}\"", "web.prefix"), ("prefix: /..", "web.prefix"),
    ("addresses: [10.0.0.1/8]", "web.addresses"),
    ("dashboard: {sessionMinutes: 0}", "web.dashboard.sessionMinutes"),
    ("dashboard: {hosts: [\"a/b\"]}", "web.dashboard.hosts"),
    (
      "dashboard: {proxy: {addresses: [], userHeader: X-User, roles: {}}}", "say where the proxy is"
    ),
    (
      "dashboard: {proxy: {addresses: [10.0.0.1], userHeader: X-User, roles: {eve: root}}}",
      "web.dashboard.proxy.roles.eve"
    ),
    ("users: [{name: a, passwordHash: \"\(hash)\", role: admin}]", "web.users.a.role"),
    (
      "address: 10.1.2.3, \(tls), dashboard: {hosts: [h]}, "
        + "users: [{name: a, passwordHash: \"\(hash)\"}]", "people have to log in"
    ),
    (
      "address: 10.1.2.3, \(tls), dashboard: true, "
        + "users: [{name: a, passwordHash: \"\(hash)\", role: viewer}]",
      "web.dashboard.hosts: missing"
    ),
    ("dashboard: true, prefix: /studies", "is a path of the dashboard"),
    ("users: [{name: a, passwordHash: secret}]", "web.users.a: not a hash"),
    ("tokens: [{name: \"a:b\", tokenHash: \"\(hash)\"}]", "is not a name"),
    ("tokens: [{name: a2345678901234567, tokenHash: \"\(hash)\"}]", "is not a name"),
    (
      "users: [{name: a, passwordHash: \"\(hash)\"}], tokens: [{name: a, tokenHash: \"\(hash)\"}]",
      "used twice"
    ),
    ("users: [{name: a, passwordHash: \"\(hash)\", addresses: [x]}]", "web.users.a.addresses"),
    ("limits: {requests: 0}", "web.limits.requests: 0 is not positive"),
    ("limits: {objectGB: 0}", "web.limits.objectGB"),
    ("tls: {certificate: a, key: b, clientCertificates: require}", "web.tls.trusted: missing"),
    ("colour: red", "unknown key"), ("limits: {colour: 1}", "unknown key"),
  ]) func faultsAreNamed(web: String, words: String) {
    #expect(fault(web).contains(words), "\(fault(web))")
  }

  @Test func whoIsKnownMayComeFromAnywhere() throws {
    let user = "users: [{name: a, passwordHash: \"\(Self.hash)\"}]"
    #expect(fault("address: 0.0.0.0, \(Self.tls), \(user)") == "none")
    #expect(
      fault(
        "address: 0.0.0.0, tls: {certificate: a, key: b, clientCertificates: require, trusted: c}")
        == "none")
    #expect((try? load("web: {port: 1, monitoring: false}"))?.web == nil)
    #expect(try load("web: {port: 1}").web?.stow == false)
  }
}
