import DICOMNetwork
import Foundation
import TestSupport
import Testing

/// TLS to peers that we call: DCMTK's receiver and archive, with good and bad certificates.
@Suite struct PeerSecurityTests {
  private let scu = StorageSCU(callingAETitle: "SEGMENTD", timeout: 900)

  private func security(trusting authority: String = "ca") async throws -> PeerSecurity {
    PeerSecurity(trusted: try await Certificates.file("\(authority).pem"))
  }

  /// storescp with a certificate.
  private func receiver(_ certificate: String, _ options: [String] = ["-ic"]) async throws -> (
    Peer, ChildProcess, TemporaryFolder
  ) {
    let (port, folder) = (try freePort(), try TemporaryFolder())
    let secured = try await Self.options(certificate)
    let process = try ChildProcess(
      "/usr/bin/storescp",
      ["-aet", "PACS", "-od", folder.url.path] + secured + options + ["\(port)"],
      log: folder.url.appendingPathComponent("log"))
    try await waitUntil("the receiver", within: 900) {
      guard process.isRunning else { throw ReceiverEnded(output: process.output) }
      return try await runProcess("/bin/bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(port)"])
        .status == 0
    }
    return (Peer(aeTitle: "PACS", host: "127.0.0.1", port: port), process, folder)
  }

  /// Of DCMTK's servers.
  private static func options(_ certificate: String) async throws -> [String] {
    let (key, own) = (
      try await Certificates.file("\(certificate).key"),
      try await Certificates.file("\(certificate).pem")
    )
    return ["+tls", key, own, "+cf", try await Certificates.file("ca.pem")]
  }

  private struct ReceiverEnded: Error { var output: String }

  @Test func sendsOverTLS() async throws {
    var (peer, process, folder) = try await receiver("server")
    peer.security = try await security()
    try await scu.echo(peer)
    let files = [try await Phantom.file("segmentation"), try await Phantom.file("mr")]
    #expect(try await scu.store(files.map(\.path), to: peer) == [.stored, .stored])
    let stored = try FileManager.default.contentsOfDirectory(
      at: folder.url, includingPropertiesForKeys: nil
    ).filter { $0.lastPathComponent != "log" }
    #expect(stored.count == 2)
    try await process.end(SIGKILL)
  }

  /// A receiver that demands a certificate of ours.
  @Test func showsItsCertificate() async throws {
    var (peer, process, _) = try await receiver("server", ["-rc"])
    peer.security = try await security()
    await #expect(throws: DICOMNetworkError.self) { try await scu.echo(peer) }
    peer.security?.certificate = try await Certificates.file("client.pem")
    peer.security?.key = try await Certificates.file("client.key")
    try await scu.echo(peer)
    try await process.end(SIGKILL)
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var certificate: String
    var authority: String
    var peerName: String?
    var verifiesPeer = true
    /// Why nothing is sent; nil where it is.
    var words: String?
    var testDescription: String { "\(certificate) of \(authority), \(words ?? "accepted")" }
  }

  @Test(arguments: [
    Case(
      certificate: "server", authority: "other-ca", words: "the peer's certificate is not accepted"),
    Case(certificate: "expired", authority: "ca", words: "certificate has expired"),
    Case(certificate: "elsewhere", authority: "ca", words: "IP address mismatch"),
    Case(certificate: "elsewhere", authority: "ca", peerName: "pacs.example"),
    Case(certificate: "elsewhere", authority: "ca", peerName: "10.1.2.3"),
    Case(
      certificate: "server", authority: "ca", peerName: "pacs.example", words: "ostname mismatch"),
    Case(certificate: "expired", authority: "other-ca", verifiesPeer: false),
  ])
  func checksThePeersCertificate(which: Case) async throws {
    var (peer, process, _) = try await receiver(which.certificate)
    var security = try await security(trusting: which.authority)
    security.peerName = which.peerName
    security.verifiesPeer = which.verifiesPeer
    peer.security = security
    do {
      try await scu.echo(peer)
      #expect(which.words == nil)
    } catch {
      #expect(error.description.contains(which.words ?? "no error"), "\(error)")
      #expect(error.description.contains("\(peer)"))
    }
    try await process.end(SIGKILL)
  }

  /// Without TLS on one of both sides.
  @Test func saysThatThePeerSpeaksAnotherLanguage() async throws {
    let (secured, process, _) = try await receiver("server")
    await #expect(throws: DICOMNetworkError.self) { try await scu.echo(secured) }
    try await process.end(SIGKILL)
    let plain = try Listener()
    let peer = Peer(
      aeTitle: Listener.aeTitle, host: "127.0.0.1", port: plain.port,
      security: try await security())
    let error = await #expect(throws: DICOMNetworkError.self) { try await scu.echo(peer) }
    #expect(
      error?.description.contains("TLS handshake failed") == true, "\(String(describing: error))")
    await plain.stop()
  }

  /// A peer that accepts the connection and never answers the handshake.
  @Test func givesUpOnASilentHandshake() async throws {
    let silent = try await HangingPeer("silent")
    let peer = Peer(
      aeTitle: "PACS", host: "127.0.0.1", port: silent.port, security: try await security())
    let error = await #expect(throws: DICOMNetworkError.self) {
      try await StorageSCU(callingAETitle: "SEGMENTD", timeout: 1).echo(peer)
    }
    #expect(error?.description.contains("TLS handshake") == true, "\(String(describing: error))")
    try await silent.stop()
  }

  /// C-FIND; DCMTK's archive has no TLS of its own.
  @Test func asksAnArchiveOverTLS() async throws {
    let phantom = try await PhantomSeries(slices: 2)
    let archive = try await Dcmqrscp(phantom.files)
    let (port, folder) = (try freePort(), try TemporaryFolder())
    let proxy = try NetworkPeers.start(
      [
        "tls", "\(port)", try await Certificates.file("server.pem"),
        try await Certificates.file("server.key"), "\(archive.port)",
      ], log: folder.url.appendingPathComponent("log"))
    var peer = Peer(
      aeTitle: "PACS", host: "127.0.0.1", port: port, security: try await security())
    try await waitUntil("the proxy", within: 900) {
      guard proxy.isRunning else { throw ReceiverEnded(output: proxy.output) }
      return (try? await scu.echo(peer)) != nil
    }
    let query = QueryRetrieveSCU(callingAETitle: "SEGMENTD")
    let found = try await query.series(ofStudy: phantom.study, at: peer)
    #expect(found.map(\.seriesInstanceUID) == [phantom.series])
    peer.security = try await security(trusting: "other-ca")
    let error = await #expect(throws: QueryRetrieveError.self) {
      _ = try await query.series(ofStudy: phantom.study, at: peer)
    }
    #expect(error?.description.contains("certificate is not accepted") == true)
    try await proxy.end(SIGKILL)
    try await archive.stop()
  }

  @Test func filesThatCannotBeUsedAreNamed() async throws {
    var security = try await security()
    #expect(try security.validity() == nil)
    security.certificate = try await Certificates.file("client.pem")
    security.key = try await Certificates.file("client.key")
    #expect(try #require(try security.validity()).contains(Date()))
    security.key = try await Certificates.file("server.key")
    #expect(throws: DICOMNetworkError.self) { try security.validity() }
    security.trusted = "/nowhere.pem"
    security.key = try await Certificates.file("client.key")
    let error = #expect(throws: DICOMNetworkError.self) { try security.validity() }
    #expect(error?.description.contains("/nowhere.pem") == true)
  }
}
