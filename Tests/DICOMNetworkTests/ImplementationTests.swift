import DICOM
import DICOMNetwork
import Foundation
import TestSupport
import Testing

/// Files and associations name this program as the implementation, and not the library that it is made with.
@Suite struct ImplementationTests {
  private static let uid = "2.25.209837312672225110937804643794729056877"

  @Test func acceptedAssociationsAndReceivedFilesNameUs() async throws {
    let listener = try Listener()
    let echo = try await runProcess(
      "/usr/bin/echoscu",
      ["-d", "-aec", Listener.aeTitle, "127.0.0.1", "\(listener.port)"], within: 900)
    #expect(echo.output.contains("Their Implementation Class UID:    \(Self.uid)"))
    #expect(echo.output.contains("Their Implementation Version Name: SEGMENTD_"))
    let sent = try await listener.storescu([], [Phantom.file("implicit-little")])
    #expect(sent.status == 0, "\(sent.output)")
    let received = try #require(listener.received.first)
    let stored = try DICOMFile.storedValues(of: [.implementationClassUID], path: received.path)
    let found = stored[.implementationClassUID].map { String(decoding: $0, as: UTF8.self) }
    #expect(found?.hasPrefix(Self.uid) == true)
    await listener.stop()
  }

  @Test func requestedAssociationsNameUs() async throws {
    let (port, folder) = (try freePort(), try TemporaryFolder())
    let log = folder.url.appendingPathComponent("log")
    let receiver = try ChildProcess(
      "/usr/bin/storescp", ["-d", "-aet", "PACS", "-od", folder.url.path, "\(port)"], log: log)
    let peer = Peer(aeTitle: "PACS", host: "127.0.0.1", port: port)
    try await waitUntil("the receiver", within: 900) {
      (try? await StorageSCU(callingAETitle: "TEST", timeout: 2).echo(peer)) != nil
    }
    try await receiver.end(SIGKILL)
    let text = String(decoding: try Data(contentsOf: log), as: UTF8.self)
    #expect(text.contains(Self.uid) && text.contains("SEGMENTD_"), "\(text)")
  }
}
