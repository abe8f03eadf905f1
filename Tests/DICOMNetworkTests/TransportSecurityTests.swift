import DICOM
import DICOMNetwork
import Foundation
import TestSupport
import Testing

extension Certificates {
  static func security(
    _ name: String, clients: TransportSecurity.ClientCertificates = .none
  ) async throws -> TransportSecurity {
    TransportSecurity(
      certificate: try await file("\(name).pem"), key: try await file("\(name).key"),
      clientCertificates: clients, trusted: try await file("ca.pem"))
  }
}

/// TLS against DCMTK's and OpenSSL's clients: who gets in, and what the log says of the others.
@Suite struct TransportSecurityTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var clients: TransportSecurity.ClientCertificates
    /// The certificate of the peer; nil for none.
    var client: String?
    /// Why it does not get in; nil where it does.
    var report: String?
    var testDescription: String { "\(clients), \(client ?? "no certificate")" }

    init(_ clients: TransportSecurity.ClientCertificates, _ client: String?, _ report: String?) {
      (self.clients, self.client, self.report) = (clients, client, report)
    }
  }

  private func listener(
    _ certificate: String, clients: TransportSecurity.ClientCertificates = .none
  ) async throws -> Listener {
    let security = try await Certificates.security(certificate, clients: clients)
    return try Listener { $0.security = security }
  }

  private func echo(
    _ listener: Listener, client: String?, trusting authority: String = "ca"
  ) async throws -> ProcessResult {
    var arguments = ["+tla"]
    if let client {
      arguments = [
        "+tls", try await Certificates.file("\(client).key"),
        try await Certificates.file("\(client).pem"),
      ]
    }
    arguments += ["+cf", try await Certificates.file("\(authority).pem")]
    return try await runProcess(
      "/usr/bin/echoscu",
      arguments + ["-aec", Listener.aeTitle, "127.0.0.1", "\(listener.port)"], within: 900)
  }

  @Test(arguments: [
    Case(.none, nil, nil), Case(.none, "foreign-client", nil),
    Case(.request, nil, nil), Case(.request, "client", nil),
    Case(.request, "foreign-client", "certificate is not accepted"),
    Case(.require, "client", nil), Case(.require, nil, "the peer has no certificate"),
    Case(.require, "foreign-client", "certificate is not accepted"),
    Case(.require, "expired-client", "certificate has expired"),
  ])
  func checksCertificatesOfClients(which: Case) async throws {
    let listener = try await listener("server", clients: which.clients)
    let echo = try await echo(listener, client: which.client)
    #expect((echo.status == 0) == (which.report == nil), "\(echo.output)")
    await listener.stop()
    if let report = which.report {
      #expect(listener.events.map(\.kind) == [.noAssociation])
      #expect(listener.events.first?.message.contains(report) == true, "\(listener.events)")
    } else {
      #expect(listener.events.map(\.kind) == [.accepted, .ended(.released)])
    }
  }

  @Test(arguments: [("server", "other-ca", "unknown CA"), ("expired", "ca", "certificate expired")])
  func reportsThatAClientRefusesOurCertificate(
    certificate: String, authority: String, report: String
  ) async throws {
    let listener = try await listener(certificate)
    #expect(try await echo(listener, client: nil, trusting: authority).status != 0)
    await listener.stop()
    let message = try #require(listener.events.first).message
    #expect(message.contains("the peer refuses") && message.contains(report), "\(message)")
  }

  @Test func storesWhatComesOverTLS() async throws {
    let listener = try await listener("server", clients: .require)
    let file = try await Phantom.file("mr")
    let sent = try await listener.storescu(
      [
        "+tls", Certificates.file("client.key"), Certificates.file("client.pem"), "+cf",
        Certificates.file("ca.pem"),
      ], [file])
    #expect(sent.status == 0, "\(sent.output)")
    await listener.stop()
    let object = try #require(listener.received.first)
    #expect(try datasetBytes(URL(fileURLWithPath: object.path)) == datasetBytes(file))
  }

  /// With and without TLS at the wrong port; each is told in the language that it speaks.
  @Test func namesWhoSpeaksTheWrongLanguage() async throws {
    let secured = try await listener("server")
    let plain = try Listener()
    let probe = try await HostilePeers.run(
      "probe", "application-context", "\(secured.port)", Listener.aeTitle)
    #expect(probe.output == "ABORT 2 0\n")
    #expect(try await echo(plain, client: nil).status != 0)
    await secured.stop()
    await plain.stop()
    #expect(secured.events.map(\.message) == ["the peer speaks DICOM without TLS"])
    #expect(plain.events.map(\.message) == ["the peer speaks TLS on a port without it"])
  }

  /// BCP 195: TLS 1.2 with forward secrecy and authenticated encryption, and TLS 1.3.
  @Test(arguments: [
    (["-tls1_3"], true), (["-tls1_2"], true),
    (["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"], true),
    (["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"], false),
    (["-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305"], false),
    (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], true),
    (["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], false),
    (["-tls1_2", "-cipher", "AES128-GCM-SHA256"], false),
    (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256"], false),
  ])
  func offersWhatIsRecommendedAlone(arguments: [String], succeeds: Bool) async throws {
    let listener = try await listener("server")
    let client = try await runProcess(
      "/bin/sh",
      [
        "-c", "openssl s_client -connect 127.0.0.1:\(listener.port) \"$@\" </dev/null", "sh",
      ] + arguments)
    #expect(client.output.contains("Cipher is (NONE)") != succeeds, "\(client.output)")
    await listener.stop()
  }

  /// Known attacks, curves, renegotiation and compression, by Mozilla's recommendation for servers.
  @Test func sslyzeFindsNothing() async throws {
    let listener = try await listener("server")
    let scan = try await runProcess(
      testPython,
      [
        "-m", "sslyze", "--certinfo_ca_file", Certificates.file("ca.pem"), "--mozilla_config",
        "intermediate", "127.0.0.1:\(listener.port)",
      ])
    #expect(scan.status == 0 && scan.output.contains("OK - Compliant"), "\(scan.output)")
    await listener.stop()
  }

  /// A handshake that never ends costs no more than a request that never comes.
  @Test func aSilentHandshakeHoldsUpNobody() async throws {
    let security = try await Certificates.security("server")
    let listener = try Listener {
      $0.security = security
      $0.policy.limits.requestSeconds = 1
    }
    let log = listener.folder.url.appendingPathComponent("idle.log")
    let idle = try HostilePeers.start(["idle", "\(listener.port)", "8"], log: log)
    try await waitUntil("8 connections", within: 900) { idle.output.contains("ready 8") }
    #expect(try await echo(listener, client: nil).status == 0)
    try await waitUntil("the end of a handshake", within: 900) {
      listener.events.contains { $0.message == "the TLS handshake took too long" }
    }
    try await idle.end(SIGKILL)
    await listener.stop()
  }

  @Test func filesThatCannotBeUsedAreNamed() async throws {
    let folder = try await Certificates.folder.value.url
    var security = try await Certificates.security("server")
    let validity = try security.validity()
    #expect(validity.contains(Date()))
    #expect(try await Certificates.security("expired").validity().upperBound < Date())
    security.key = folder.appendingPathComponent("client.key").path
    #expect(throws: DICOMNetworkError.self) { try security.validity() }
    security.certificate = "/nowhere.pem"
    let error = #expect(throws: DICOMNetworkError.self) { try security.validity() }
    #expect("\(try #require(error))".contains("/nowhere.pem"))
    #expect(throws: DICOMNetworkError.self) { try Listener { $0.security = security } }
  }
}
