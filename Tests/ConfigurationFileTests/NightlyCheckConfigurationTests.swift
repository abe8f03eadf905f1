import Foundation
import TestSupport
import Testing

@testable import ConfigurationFile

@Suite struct NightlyCheckConfigurationTests {
  private func load(_ text: String) throws -> SiteConfiguration {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("segmentd.yaml")
    try text.write(to: file, atomically: true, encoding: .utf8)
    return try SiteConfiguration.load(file.path)
  }

  private func error(_ text: String) -> String {
    (#expect(throws: ConfigurationError.self) { try load(text) })?.description ?? ""
  }

  private let listener = "listener: {port: 11112}\n"

  @Test func itIsOffUnlessItHasASection() throws {
    #expect(try load(listener).nightlyCheck == nil)
    #expect(try load(listener + "nightlyCheck: {hour: 23}").nightlyCheck?.hour == 23)
  }

  @Test func faultsAreNamed() {
    #expect(error(listener + "nightlyCheck: {hour: 24}").contains("24 is not between 0 and 23"))
    #expect(error(listener + "nightlyCheck: {hours: 2}").contains("hours"))
    #expect(error("nightlyCheck: {hour: 2}").contains("there is no listener"))
    #expect(
      error(listener + "nightlyCheck: {tls: {verifyPeer: false}}").contains("means nothing"))
  }

  /// The section of the configuration file, with what it shows in comments.
  @Test func theExampleIsValid() async throws {
    let text = try String(
      contentsOf: TestFiles.package.appendingPathComponent("Config/segmentd.yaml"), encoding: .utf8)
    let example = text.components(separatedBy: "\n").drop { $0 != "nightlyCheck:" }
      .prefix { !$0.isEmpty }.map { $0.hasPrefix("# ") ? String($0.dropFirst(2)) : $0 }
    let tls =
      "listener: {tls: {certificate: \(try await Certificates.file("server.pem")), "
      + "key: \(try await Certificates.file("server.key"))}}\n"
    let check = try #require(try load(tls + example.joined(separator: "\n")).nightlyCheck)
    #expect(check.hour == 2 && check.tls?.certificate?.hasSuffix("/tls/check.pem") == true)
  }

  /// One that asks for no certificate takes the case as it is.
  @Test func theListenerThatIsChecked() async throws {
    let (certificate, key) = (
      try await Certificates.file("server.pem"), try await Certificates.file("server.key")
    )
    let trusted = try await Certificates.file("ca.pem")
    func first(_ clients: String) throws -> String? {
      let tls =
        "{certificate: \(certificate), key: \(key), clientCertificates: \(clients), "
        + "trusted: \(trusted)}"
      return try load(
        "listener: [{aeTitle: A, port: 11112, tls: \(tls)}, {aeTitle: B, port: 11113}]\n"
      ).checkedListener?.aeTitle
    }
    #expect(try first("require") == "B")
    #expect(try first("request") == "A")
  }
}
