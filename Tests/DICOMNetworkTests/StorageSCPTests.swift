import Cryptography
import DICOM
import DICOMNetwork
import FileSystem
import Foundation
import Synchronization
import TestSupport
import Testing

/// The listener against DCMTK's and pynetdicom's senders.
@Suite struct StorageSCPTests {
  @Test func answersEcho() async throws {
    let listener = try Listener()
    #expect(try await listener.echo().status == 0)
    await listener.stop()
    #expect(listener.events.map(\.kind) == [.accepted, .ended(.released)])
    #expect(listener.events.first?.association.callingAETitle == "ECHO")
    #expect(listener.events.first?.association.peerAddress == "127.0.0.1")
  }

  @Test(arguments: [
    ("explicit-little", "-xe", "1.2.840.10008.1.2.1"),
    ("implicit-little", "-xi", "1.2.840.10008.1.2"),
    ("explicit-big", "-xb", "1.2.840.10008.1.2.2"),
    ("rle", "-xr", "1.2.840.10008.1.2.5"),
    ("jpeg-baseline", "-xy", "1.2.840.10008.1.2.4.50"),
    ("jpeg-extended", "-xx", "1.2.840.10008.1.2.4.51"),
    ("jpeg-lossless-first-order", "-xs", "1.2.840.10008.1.2.4.70"),
    ("jpeg-ls-lossless", "-xt", "1.2.840.10008.1.2.4.80"),
    ("jpeg-ls-near-lossless", "-xu", "1.2.840.10008.1.2.4.81"),
    ("jpeg-2000-lossless", "-xv", "1.2.840.10008.1.2.4.90"),
    ("jpeg-2000", "-xw", "1.2.840.10008.1.2.4.91"),
  ])
  func keepsEveryBit(name: String, option: String, transferSyntax: String) async throws {
    let listener = try Listener()
    let file = try await Phantom.file(name)
    let sent = try await listener.storescu([option, "-aet", "CTSCANNER"], [file])
    #expect(sent.status == 0, "\(sent.output)")
    await listener.stop()
    let object = try #require(listener.received.first)
    #expect(object.transferSyntaxUID == transferSyntax)
    #expect(object.association.callingAETitle == "CTSCANNER")
    let received = URL(fileURLWithPath: object.path)
    #expect(try datasetBytes(received) == datasetBytes(file))
    let hash = try #require(object.hash)
    #expect(hash.sha256 == hexadecimal(SHA256.hash(data: try datasetBytes(received))))
    #expect(try hash.offset == DICOMFile(path: object.path).datasetOffset)
    let identity = try DICOMFile(path: object.path).identity()
    #expect(identity.sopInstanceUID == object.sopInstanceUID)
    #expect(identity.sopClassUID == object.sopClassUID)
    #expect(identity.transferSyntaxUID == transferSyntax)
    let attributes = try FileManager.default.attributesOfItem(atPath: object.path)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
  }

  /// DCMTK's senders do not know these, or never stop sending them.
  @Test(arguments: [
    ("jpeg-lossless", "1.2.840.10008.1.2.4.57"), ("mr", "1.2.840.10008.1.2.1"),
    ("deflated", "1.2.840.10008.1.2.1.99"), ("htj2k-lossless", "1.2.840.10008.1.2.4.201"),
    ("htj2k-lossless-rpcl", "1.2.840.10008.1.2.4.202"), ("htj2k", "1.2.840.10008.1.2.4.203"),
  ])
  func takesPynetdicomsObjects(name: String, transferSyntax: String) async throws {
    let listener = try Listener()
    let file = try await Phantom.file(name)
    let sent = try await NetworkPeers.run(
      "send", "\(listener.port)", Listener.aeTitle, file.path)
    #expect(sent.output == "0x0000\n")
    await listener.stop()
    let object = try #require(listener.received.first)
    #expect(object.transferSyntaxUID == transferSyntax)
    let identity = try DICOMFile(path: object.path).identity()
    #expect(identity.transferSyntaxUID == transferSyntax)
    #expect(identity.sopInstanceUID == object.sopInstanceUID)
    // pynetdicom deflates again, so that only the inflated datasets can be compared.
    guard name != "deflated" else { return }
    #expect(try datasetBytes(URL(fileURLWithPath: object.path)) == datasetBytes(file))
  }

  /// The order of preference is the sender's, among what is decoded.
  @Test(arguments: [
    ["1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.1"],
    ["1.2.840.10008.1.2", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.1"],
    ["1.2.840.10008.1.2.4.203", "1.2.840.10008.1.2.1"],
    ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1"],
  ])
  func takesTheFirstTransferSyntaxThatIsDecoded(proposed: [String]) async throws {
    let listener = try Listener()
    let accepted = try await NetworkPeers.run(
      ["prefer", "\(listener.port)", Listener.aeTitle] + proposed)
    let expected = proposed.first { AssociationPolicy.decodedTransferSyntaxes.contains($0) }
    #expect(accepted.output == "\(expected ?? "")\n")
    await listener.stop()
  }

  @Test func refusesOtherCalledTitles() async throws {
    let listener = try Listener()
    let echo = try await listener.echo(called: "SOMEBODY")
    #expect(echo.status != 0)
    #expect(echo.output.contains("Called AE Title Not Recognized"))
    await listener.stop()
    #expect(listener.events.map(\.kind) == [.rejected])
  }

  @Test func admitsCallersOnTheListOnly() async throws {
    let listener = try Listener { $0.policy.callers = [.init(aeTitle: "CTSCANNER")] }
    let unknown = try await listener.echo(calling: "UNKNOWN")
    #expect(unknown.output.contains("Calling AE Title Not Recognized"))
    #expect(try await listener.echo(calling: "CTSCANNER").status == 0)
    await listener.stop()
  }

  @Test(arguments: ["secondary-capture", "segmentation"])
  func refusesOtherSOPClasses(name: String) async throws {
    let listener = try Listener()
    let sent = try await listener.storescu([], [Phantom.file(name)])
    #expect(sent.status != 0)
    await listener.stop()
    #expect(listener.events.map(\.kind) == [.rejected])
    #expect(try listener.files.isEmpty)
  }

  @Test(arguments: [
    (StoreStatus.outOfResources, "0xa700\n"), (.doesNotMatch, "0xa900\n"),
    (.cannotUnderstand, "0xc000\n"),
  ])
  func answersWhatTheHandlerSays(status: StoreStatus, answer: String) async throws {
    let listener = try Listener(answering: status)
    let sent = try await NetworkPeers.run(
      "send", "\(listener.port)", Listener.aeTitle, Phantom.file("mr").path)
    #expect(sent.output == answer)
    await listener.stop()
    #expect(listener.events.last?.refused == 1)
    #expect(listener.events.last?.stored == 0)
  }

  /// One function decides what is a UID, for files as for requests: the handler asks it, and DCMTK
  /// hands on whatever came.
  @Test(arguments: ["../../etc/passwd", "1..2", "1.2.x", "1.2.007.1"])
  func leavesTheUIDToTheHandler(uid: String) async throws {
    let listener = try Listener(answering: .doesNotMatch)
    let sent = try await NetworkPeers.run(
      "badly-named", "\(listener.port)", Listener.aeTitle, Phantom.file("mr").path, uid)
    #expect(sent.output.hasSuffix("0xa900\n"))
    #expect(try await listener.echo().status == 0)
    await listener.stop()
    #expect(listener.received.map(\.sopInstanceUID) == [uid])
    // Never named by what the peer says.
    let paths = listener.received.map(\.path)
    #expect(paths.allSatisfy { $0.hasPrefix(listener.folder.url.path) && !$0.contains(uid) })
  }

  @Test func aRequestWithoutUIDIsRefused() async throws {
    let listener = try Listener()
    let sent = try await NetworkPeers.run(
      "badly-named", "\(listener.port)", Listener.aeTitle, Phantom.file("mr").path, "")
    #expect(sent.output != "0x0000\n")
    await listener.stop()
    #expect(try listener.files.isEmpty)
  }

  /// A folder that cannot be written, in place of a full disk: the whole dataset is read, and the
  /// same association continues.
  @Test func answersWhenTheDiskFails() async throws {
    let listener = try Listener { $0.folder = "/proc/nowhere" }
    let file = try await Phantom.file("mr").path
    let sent = try await NetworkPeers.run(
      "send", "\(listener.port)", Listener.aeTitle, file, file)
    #expect(sent.output == "0xa700\n0xa700\n")
    await listener.stop()
    #expect(listener.refused.map(\.status) == [0xA700, 0xA700])
    #expect(listener.refused.first?.reason == "No such file or directory")
    #expect(listener.events.map(\.kind) == [.accepted, .ended(.released)])
    #expect(listener.received.isEmpty)
  }

  /// A small object is left in memory to the handler that opened its file, a large one is in the file.
  @Test(arguments: [4096, 1_500_000])
  func aHandlerWritesWhatIsSmall(pixelBytes: Int) async throws {
    let handler = try FileHandler()
    let port = try freePort()
    let scp = try StorageSCP(
      StorageSCPConfiguration(
        address: "127.0.0.1", port: port, folder: handler.folder.url.path,
        policy: .test(calledAETitle: Listener.aeTitle)),
      handlers: DIMSEHandlers(store: handler) { _ in })
    var image = Dataset()
    image.set(.sopClassUID, .UI, "1.2.840.10008.5.1.4.1.1.4")
    image.set(.sopInstanceUID, .UI, "1.2.3.1")
    image.set(.pixelData, .OW, bytes: (0..<pixelBytes).map { UInt8(truncatingIfNeeded: $0 / 3) })
    let file = handler.folder.url.appendingPathComponent("sent")
    try image.write(to: file.path)
    let sent = try await NetworkPeers.run("send", "\(port)", Listener.aeTitle, file.path)
    #expect(sent.output == "0x0000\n", "\(sent.output)")
    await scp.stop()
    let (received, held) = try #require(handler.received)
    #expect(try datasetBytes(received) == datasetBytes(file))
    let size = try Data(contentsOf: received).count
    #expect(held == (pixelBytes < 1 << 20 ? size : nil))
  }

  @Test func saysWhyItCannotListen() async throws {
    let listener = try Listener()
    let taken = StorageSCPConfiguration(
      address: "127.0.0.1", port: listener.port, folder: "/tmp",
      policy: .test(calledAETitle: "OTHER"))
    let refused = #expect(throws: DICOMNetworkError.self) {
      try StorageSCP(taken, handlers: DIMSEHandlers(store: NoHandler()) { _ in })
    }
    #expect(
      refused?.description == "cannot listen on 127.0.0.1:\(listener.port): Address already in use")
    await listener.stop()
  }
}

/// Opens the file of an object, and writes it where it is in memory.
private final class FileHandler: StoreHandler {
  let folder: TemporaryFolder
  private let last = Mutex<(file: URL, held: Int?)?>(nil)

  /// The last file, and how much of it was in memory.
  var received: (file: URL, held: Int?)? { last.withLock { $0 } }

  init() throws { folder = try TemporaryFolder() }

  func newFile() throws(SystemError) -> ReceptionFile? {
    let path = folder.url.appendingPathComponent(UUID().uuidString).path
    return ReceptionFile(
      descriptor: open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600), path: path)
  }

  func store(_ object: ReceivedObject) -> StoreStatus {
    let written = object.contents?.withUnsafeBytes { bytes in
      write(object.descriptor ?? -1, bytes.baseAddress, bytes.count)
    }
    guard written == object.contents?.count else { return .outOfResources }
    last.withLock { $0 = (URL(fileURLWithPath: object.path), written) }
    return .success
  }

  func refused(_ object: RefusedObject) {}
}

private struct NoHandler: StoreHandler {
  func store(_ object: ReceivedObject) -> StoreStatus { .cannotUnderstand }
  func refused(_ object: RefusedObject) {}
}
