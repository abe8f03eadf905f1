import DICOM
import Foundation
import TestSupport
import Testing

@testable import DICOMweb

/// STOW-RS as client: Orthanc, and a server with every answer there is.
@Suite(.timeLimit(.minutes(10))) struct StoreRequestTests {
  private func client(
    _ port: Int, _ path: String, https security: DICOMwebClient.Security? = nil,
    authorization: DICOMwebClient.Authorization = .none, timeout: Double = 600
  ) throws -> DICOMwebClient {
    var limits = DICOMwebClient.Limits()
    limits.timeout = timeout
    let scheme = security == nil ? "http" : "https"
    return DICOMwebClient(
      url: try #require(URL(string: "\(scheme)://127.0.0.1:\(port)/\(path)")),
      authorization: authorization, security: security, limits: limits)
  }

  @Test func orthanc() async throws {
    let phantom = try await PhantomSeries(slices: 3)
    let orthanc = try await Orthanc(dicomPort: try freePort(), hasDICOMweb: true)
    let client = try client(orthanc.webPort, "dicom-web")
    for file in phantom.files {
      let uid = try DICOMFile(path: file.path).identity().sopInstanceUID
      let answer = try await client.store(file)
      #expect(answer.status == 200)
      #expect(answer.response?.stored.map(\.sopInstanceUID) == [uid])
      #expect(answer.response?.failed.isEmpty == true)
    }
    #expect(
      try await client.instances(ofSeries: phantom.series, study: phantom.study).count == 3)
    try await orthanc.stop()
  }

  @Test func everyAnswerIsRead() async throws {
    let phantom = try await PhantomSeries(slices: 1)
    defer { withExtendedLifetime(phantom) {} }
    let file = phantom.files[0]
    let uid = try DICOMFile(path: file.path).identity().sopInstanceUID
    let server = try await StowServer()
    func store(_ how: String) async throws -> StoreAnswer {
      try await client(server.port, how).store(file)
    }
    let stored = try await store("store")
    #expect(stored.status == 200 && stored.response?.stored.map(\.sopInstanceUID) == [uid])
    let warned = try await store("warn")
    #expect(warned.status == 202 && warned.response?.stored.map(\.warning) == [0xB000])
    let failed = try await store("fail-A900")
    #expect(failed.status == 409)
    #expect(failed.response?.failed.map(\.reason) == [0xA900])
    #expect(failed.response?.failed.map(\.instance.sopInstanceUID) == [uid])
    #expect(try await store("status-413") == StoreAnswer(status: 413, saysNothing: true))
    #expect(
      try await store("retry-120") == StoreAnswer(status: 503, retryAfter: 120, saysNothing: true))
    #expect(try await store("silent") == StoreAnswer(status: 202, saysNothing: true))
    #expect(try await store("garbage") == StoreAnswer(status: 200))
    let redirected = try await store("redirect")
    #expect(redirected.status == 307 && redirected.location?.contains("localhost") == true)
    // Not followed: that would have been another request.
    #expect(server.events.count == 8)
    try await server.stop()
  }

  @Test func passwordsAndTokensAreSent() async throws {
    let phantom = try await PhantomSeries(slices: 1)
    defer { withExtendedLifetime(phantom) {} }
    let file = phantom.files[0]
    let server = try await StowServer()
    for (how, authorization, status) in [
      ("token", DICOMwebClient.Authorization.bearer(token: "good"), 200),
      ("token", .bearer(token: "bad"), 401), ("token", .none, 401),
      ("password", .basic(user: "user", password: "password"), 200),
      ("password", .basic(user: "user", password: "wrong"), 401),
    ] {
      let client = try client(server.port, how, authorization: authorization)
      #expect(try await client.store(file).status == status)
    }
    try await server.stop()
  }

  /// Its own certificate, one of another authority, an expired one, and one for another address.
  @Test(arguments: [
    ("server", "ca", String?.none), ("server", "other-ca", "not trusted"),
    ("expired", "ca", "not valid now"), ("elsewhere", "ca", "another host"),
  ])
  func theServersCertificateIsChecked(certificate: String, authority: String, words: String?)
    async throws
  {
    let phantom = try await PhantomSeries(slices: 1)
    defer { withExtendedLifetime(phantom) {} }
    let file = phantom.files[0]
    let own = try await Certificates.file("\(certificate).pem")
    let server = try await StowServer(
      tls: [own, try await Certificates.file("\(certificate).key")])
    var security = DICOMwebClient.Security(trusted: try await Certificates.file("\(authority).pem"))
    let client = try client(server.port, "store", https: security)
    do {
      #expect(try await client.store(file).status == 200)
      #expect(words == nil)
    } catch {
      #expect(error.isPassing && error.description.contains(words ?? "no error"), "\(error)")
    }
    security.verifiesServer = false
    #expect(try await self.client(server.port, "store", https: security).store(file).status == 200)
    try await server.stop()
  }

  @Test func aCertificateIsShown() async throws {
    let phantom = try await PhantomSeries(slices: 1)
    defer { withExtendedLifetime(phantom) {} }
    let file = phantom.files[0]
    var files: [String] = []
    for name in ["server.pem", "server.key", "ca.pem"] {
      files.append(try await Certificates.file(name))
    }
    let server = try await StowServer(tls: files)
    var security = DICOMwebClient.Security(trusted: try await Certificates.file("ca.pem"))
    await #expect(throws: DICOMwebError.self) {
      _ = try await client(server.port, "store", https: security).store(file)
    }
    security.certificate = try await Certificates.file("client.pem")
    security.key = try await Certificates.file("client.key")
    #expect(try await client(server.port, "store", https: security).store(file).status == 200)
    security.key = "/nowhere.key"
    let error = await #expect(throws: DICOMwebError.self) {
      _ = try await client(server.port, "store", https: security).store(file)
    }
    #expect(error?.description.contains("/nowhere.key") == true)
    try await server.stop()
  }

  @Test func aServerThatHangsIsGivenUp() async throws {
    let phantom = try await PhantomSeries(slices: 1)
    defer { withExtendedLifetime(phantom) {} }
    let file = phantom.files[0]
    let server = try await StowServer()
    let silent = try await HangingPeer("silent")
    for port in [server.port, silent.port] {
      let error = await #expect(throws: DICOMwebError.self) {
        _ = try await client(port, "hang", timeout: 1).store(file)
      }
      #expect(error?.isPassing == true, "\(String(describing: error))")
    }
    try await server.stop()
    try await silent.stop()
  }

  @Test func theTimeToWaitIsReadInBothForms() {
    let now = Date(timeIntervalSince1970: 1_800_000_000)
    #expect(HTTPAnswer.seconds("120", now: now) == 120)
    #expect(HTTPAnswer.seconds("-5", now: now) == 0)
    #expect(HTTPAnswer.seconds("Fri, 15 Jan 2027 08:02:00 GMT", now: now) == 120)
    #expect(HTTPAnswer.seconds("Thu, 01 Jan 1970 00:00:00 GMT", now: now) == 0)
    #expect(HTTPAnswer.seconds("soon", now: now) == nil)
  }
}
