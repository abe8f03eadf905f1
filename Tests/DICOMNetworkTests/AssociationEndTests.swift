import DICOM
import DICOMNetwork
import Foundation
import TestSupport
import Testing

/// How the listener tells the ends of an association from each other, and what it keeps of an object
/// that was not received completely.
@Suite struct AssociationEndTests {
  /// Stores one image, leaves in some way, and returns the end that was reported.
  private func end(
    _ how: String, within seconds: Double = 60,
    configure: (inout StorageSCPConfiguration) -> Void = { _ in }
  ) async throws -> AssociationEvent {
    let listener = try Listener(configure: configure)
    let sent = try await NetworkPeers.run(
      "leave", "\(listener.port)", Listener.aeTitle, how, Phantom.file("mr").path)
    #expect(sent.output == "0x0000\n", "\(sent.output)")
    try await waitUntil("the end of the association", within: seconds) {
      listener.events.contains { $0.isEnd }
    }
    await listener.stop()
    #expect(listener.refused.isEmpty)
    let ends = listener.events.filter(\.isEnd)
    #expect(ends.count == 1)
    let end = try #require(ends.first)
    #expect(end.stored == 1 && end.refused == 0)
    #expect(end.association == listener.events.first?.association)
    #expect(end.association.callingAETitle == "RAW")
    return end
  }

  @Test(arguments: [
    ("release", AssociationEnd.released), ("abort", .abortedByPeer), ("close", .connectionLost),
    ("reset", .connectionLost), ("garbage", .aborted),
  ])
  func isToldFromOthers(how: String, expected: AssociationEnd) async throws {
    let event = try await end(how)
    #expect(event.kind == .ended(expected), "\(event)")
    #expect(event.message.isEmpty == (expected == .released))
  }

  @Test func silenceIsATimeOut() async throws {
    let listener = try Listener { $0.policy.limits.idleSeconds = 1 }
    let log = listener.folder.url.appendingPathComponent("silence.log")
    let peer = try NetworkPeers.start(
      [
        "leave", "\(listener.port)", Listener.aeTitle, "silence", try await Phantom.file("mr").path,
      ],
      log: log)
    try await waitUntil("the end of the association", within: 900) {
      listener.events.contains { $0.kind == .ended(.timedOut) }
    }
    try await peer.end(SIGKILL)
    await listener.stop()
  }

  @Test func stoppingTheListenerIsAShutDown() async throws {
    let listener = try Listener()
    let log = listener.folder.url.appendingPathComponent("silence.log")
    let peer = try NetworkPeers.start(
      [
        "leave", "\(listener.port)", Listener.aeTitle, "silence", try await Phantom.file("mr").path,
      ],
      log: log)
    try await waitUntil("a stored image", within: 900) { listener.received.count == 1 }
    await listener.stop()
    #expect(listener.events.last?.kind == .ended(.shutDown))
    try await peer.end(SIGKILL)
  }

  /// The command set names the instance, and what came of the dataset its series.
  @Test(arguments: [
    ("half-abort", AssociationEnd.abortedByPeer), ("half-close", .connectionLost),
    ("half-reset", .connectionLost),
  ])
  func inTheMiddleOfADatasetNamesTheInstance(how: String, expected: AssociationEnd) async throws {
    let listener = try Listener()
    let (first, second) = (try await Phantom.file("mr"), try await Phantom.file("mr"))
    _ = try await NetworkPeers.run(
      "leave", "\(listener.port)", Listener.aeTitle, how, first.path, second.path)
    try await waitUntil("the end of the association", within: 900) {
      listener.events.contains { $0.isEnd }
    }
    await listener.stop()
    #expect(listener.events.last?.kind == .ended(expected))
    #expect(listener.events.last?.stored == 1 && listener.events.last?.refused == 1)
    let whole = try DICOMFile(path: second.path).identity()
    let object = try #require(listener.refused.first)
    #expect(object.status == nil)
    #expect(object.sopInstanceUID == whole.sopInstanceUID)
    #expect(object.sopClassUID == whole.sopClassUID)
    let partial = PartialIdentity(
      ofDamaged: object.beginning, transferSyntaxUID: object.transferSyntaxUID)
    #expect(partial.seriesInstanceUID == whole.seriesInstanceUID)
    #expect(partial.studyInstanceUID == whole.studyInstanceUID)
    #expect(try listener.files.count == 1)
  }

  /// What the listener refuses by itself is told before it is answered, with the dataset's beginning.
  @Test func aRefusalOfTheListenerIsTold() async throws {
    let listener = try Listener { $0.folder = "/proc/nowhere" }
    let file = try await Phantom.file("mr")
    let sent = try await NetworkPeers.run(
      "send", "\(listener.port)", Listener.aeTitle, file.path)
    #expect(sent.output == "0xa700\n")
    await listener.stop()
    let object = try #require(listener.refused.first)
    let identity = try DICOMFile(path: file.path).identity()
    #expect(object.status == 0xA700 && object.sopInstanceUID == identity.sopInstanceUID)
    #expect(
      PartialIdentity(ofDamaged: object.beginning, transferSyntaxUID: object.transferSyntaxUID)
        .seriesInstanceUID == identity.seriesInstanceUID)
  }

  @Test func theEchoHandlerDecides() async throws {
    struct Refusing: EchoHandler {
      func echo(_ association: Association) -> UInt16 { 0x0122 }
    }
    struct Nothing: StoreHandler {
      func store(_ object: ReceivedObject) -> StoreStatus { .success }
      func refused(_ object: RefusedObject) {}
    }
    let (port, folder) = (try freePort(), try TemporaryFolder())
    let scp = try StorageSCP(
      StorageSCPConfiguration(
        address: "127.0.0.1", port: port, folder: folder.url.path,
        policy: .test(calledAETitle: "ECHO")),
      handlers: DIMSEHandlers(store: Nothing(), echo: Refusing()) { _ in })
    let echo = try await runProcess(
      "/usr/bin/echoscu", ["-v", "-aec", "ECHO", "127.0.0.1", "\(port)"])
    #expect(echo.output.contains("0x122"), "\(echo.output)")
    await scp.stop()
  }
}

extension AssociationEvent {
  fileprivate var isEnd: Bool { if case .ended = kind { true } else { false } }
}
