import DICOMNetwork
import Foundation
import TestSupport
import Testing

/// The sender against DCMTK's and pynetdicom's receivers.
@Suite struct StorageSCUTests {
  private let scu = StorageSCU(callingAETitle: "SEGMENTD", timeout: 900)

  /// A running receiver.
  private struct Receiver {
    var peer: Peer
    var folder: TemporaryFolder
    var process: ChildProcess

    static func storescp(_ options: [String] = []) async throws -> Receiver {
      let (port, folder) = (try freePort(), try TemporaryFolder())
      let process = try ChildProcess(
        "/usr/bin/storescp", ["-aet", "PACS", "-od", folder.url.path] + options + ["\(port)"],
        log: folder.url.appendingPathComponent("log"))
      return try await ready(port, folder, process)
    }

    static func pynetdicom(answering status: String) async throws -> Receiver {
      let (port, folder) = (try freePort(), try TemporaryFolder())
      let process = try NetworkPeers.start(
        ["receiver", "\(port)", "PACS", status], log: folder.url.appendingPathComponent("log"))
      return try await ready(port, folder, process)
    }

    private static func ready(_ port: Int, _ folder: TemporaryFolder, _ process: ChildProcess)
      async throws -> Receiver
    {
      let peer = Peer(aeTitle: "PACS", host: "127.0.0.1", port: port)
      try await waitUntil("the receiver", within: 900) {
        (try? await StorageSCU(callingAETitle: "TEST", timeout: 2).echo(peer)) != nil
      }
      return Receiver(peer: peer, folder: folder, process: process)
    }

    /// The datasets it stored.
    func stored() throws -> Set<Data> {
      let files = try FileManager.default.contentsOfDirectory(
        at: folder.url, includingPropertiesForKeys: nil)
      return Set(try files.filter { $0.lastPathComponent != "log" }.map(datasetBytes))
    }
  }

  @Test func sendsEveryKindOfObject() async throws {
    let receiver = try await Receiver.storescp(["+xa", "-pm", "+B"])
    let files = [
      try await Phantom.file("segmentation"), try await Phantom.file("secondary-capture"),
      try await Phantom.file("jpeg-ls-near-lossless"), try await Phantom.file("implicit-little"),
    ]
    let outcomes = try await scu.store(files.map(\.path), to: receiver.peer)
    #expect(outcomes == [.stored, .stored, .stored, .stored])
    let stored = try receiver.stored()
    #expect(stored.count == 4)
    #expect(stored.isSuperset(of: try files.prefix(3).map(datasetBytes)))
    try await receiver.process.end(SIGKILL)
  }

  @Test func saysThatTheReceiverRefuses() async throws {
    let receiver = try await Receiver.pynetdicom(answering: "A700")
    let outcomes = try await scu.store(
      [Phantom.file("segmentation").path], to: receiver.peer)
    guard case .refused(status: 0xA700, _) = try #require(outcomes.first) else {
      Issue.record("\(outcomes)")
      return
    }
    try await receiver.process.end(SIGKILL)
  }

  @Test func aWarningIsStored() async throws {
    let receiver = try await Receiver.pynetdicom(answering: "B000")
    let outcomes = try await scu.store(
      [Phantom.file("segmentation").path], to: receiver.peer)
    guard case .storedWithWarning(status: 0xB000, _) = try #require(outcomes.first) else {
      Issue.record("\(outcomes)")
      return
    }
    try await receiver.process.end(SIGKILL)
  }

  /// Duplicate SOP Instance (PS3.7 C.4.2): the receiver has it.
  @Test func anObjectThatTheReceiverHasIsNotRefused() async throws {
    let receiver = try await Receiver.pynetdicom(answering: "0111")
    let outcomes = try await scu.store(
      [Phantom.file("segmentation").path], to: receiver.peer)
    #expect(outcomes == [.alreadyStored])
    try await receiver.process.end(SIGKILL)
  }

  /// The receiver takes uncompressed objects only: the others still arrive.
  @Test func anObjectWithoutPresentationContextIsNotSent() async throws {
    let receiver = try await Receiver.storescp()
    let outcomes = try await scu.store(
      [Phantom.file("jpeg-ls-lossless").path, Phantom.file("mr").path], to: receiver.peer)
    guard case .notAccepted = try #require(outcomes.first) else {
      Issue.record("\(outcomes)")
      return
    }
    #expect(outcomes.last == .stored)
    try await receiver.process.end(SIGKILL)
  }

  @Test func namesThePeerThatIsAway() async throws {
    let peer = Peer(aeTitle: "PACS", host: "127.0.0.1", port: try freePort())
    let file = try await Phantom.file("mr").path
    for attempt in [
      { () async throws in try await self.scu.echo(peer) },
      { _ = try await self.scu.store([file], to: peer) },
    ] {
      let error = await #expect(throws: DICOMNetworkError.self) { try await attempt() }
      let text = try #require(error?.description)
      #expect(text.contains("PACS at 127.0.0.1:\(peer.port)"))
      #expect(text.contains("Connection refused"), "\(text)")
      #expect(!text.contains("\n"), "\(text)")
    }
  }

  @Test func saysThatTheTitleIsWrong() async throws {
    let receiver = try await Receiver.pynetdicom(answering: "0000")
    var peer = receiver.peer
    peer.aeTitle = "WRONG"
    let error = await #expect(throws: DICOMNetworkError.self) {
      _ = try await scu.store([Phantom.file("mr").path], to: peer)
    }
    let text = try #require(error?.description)
    #expect(text.contains("Called AE Title Not Recognized"), "\(text)")
    #expect(!text.contains("\n"), "\(text)")
    try await receiver.process.end(SIGKILL)
  }

  /// A peer that never answers holds up nobody who cancels.
  @Test func isCancelledAtOnce() async throws {
    let silent = SilentServer()
    let peer = Peer(aeTitle: "PACS", host: "127.0.0.1", port: try silent.listen())
    let task = Task { try await StorageSCU(callingAETitle: "SCU", timeout: 600).echo(peer) }
    try await Task.sleep(for: .milliseconds(200))
    let start = ContinuousClock.now
    task.cancel()
    let result = await task.result
    #expect(throws: DICOMNetworkError.cancelled(peer: peer)) { try result.get() }
    #expect(ContinuousClock.now - start < .seconds(600), "waited for an answer")
    withExtendedLifetime(silent) {}
  }

  @Test(.timeLimit(.minutes(30))) func givesUpOnASilentPeer() async throws {
    let silent = SilentServer()
    let peer = Peer(aeTitle: "PACS", host: "127.0.0.1", port: try silent.listen())
    await #expect(throws: DICOMNetworkError.self) {
      try await StorageSCU(callingAETitle: "SEGMENTD", timeout: 2).echo(peer)
    }
  }

  /// DCMTK 3.6.7 would never stop trying.
  @Test func neverSendsDeflatedObjects() async throws {
    let peer = Peer(aeTitle: "PACS", host: "127.0.0.1", port: try freePort())
    let file = try await Phantom.file("deflated").path
    let error = await #expect(throws: DICOMNetworkError.self) {
      _ = try await scu.store([file], to: peer)
    }
    guard case .cannotSend = try #require(error) else {
      Issue.record("\(String(describing: error))")
      return
    }
  }
}

/// A socket that listens and is never accepted from.
private final class SilentServer {
  private let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)

  func listen() throws -> Int {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    guard bound, Glibc.listen(descriptor, 4) == 0 else { throw POSIXError(.EADDRINUSE) }
    return Int(UInt16(bigEndian: address.sin_port))
  }

  deinit { close(descriptor) }
}
