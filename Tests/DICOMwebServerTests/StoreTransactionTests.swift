import DICOM
import DICOMNetwork
import DICOMweb
import FileSystem
import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import DICOMwebServer

/// Takes objects into a folder and remembers what it was told.
private final class Recorder: StoreHandler {
  struct State {
    var stored: [ReceivedObject] = []
    var refused: [RefusedObject] = []
    var status = StoreStatus.success
    var opening: SystemError?
  }

  let folder: TemporaryFolder
  let state = Mutex(State())

  init() throws { folder = try TemporaryFolder() }

  func newFile() throws(SystemError) -> ReceptionFile? {
    if let error = state.withLock({ $0.opening }) { throw error }
    let path = folder.url.appendingPathComponent(UUID().uuidString).path
    return ReceptionFile(descriptor: open(path, O_CREAT | O_EXCL | O_RDWR, 0o600), path: path)
  }

  func store(_ object: ReceivedObject) -> StoreStatus {
    state.withLock { state in
      state.stored.append(object)
      return state.status
    }
  }

  func refused(_ object: RefusedObject) { state.withLock { $0.refused.append(object) } }

  var stored: [ReceivedObject] { state.withLock { $0.stored } }
  var refused: [RefusedObject] { state.withLock { $0.refused } }

  func files() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
  }
}

/// What becomes of the objects of a request.
@Suite struct StoreTransactionTests {
  private static let ctImage = "1.2.840.10008.5.1.4.1.1.2"
  private let recorder: Recorder

  init() throws { recorder = try Recorder() }

  private func transaction(
    _ type: StoreRequestType = .multipart(boundary: "b"), study: String? = nil,
    change: (inout StoreConfiguration) -> Void = { _ in }
  ) -> StoreTransaction {
    var configuration = StoreConfiguration(
      prefix: "", folder: recorder.folder.url.path, sopClasses: [Self.ctImage],
      transferSyntaxes: ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
    change(&configuration)
    return StoreTransaction(
      type, study: study, association: .withoutDIMSE(calling: "test", called: "STOW-RS"),
      configuration: configuration, store: recorder, logger: Logger(label: "test"))
  }

  private func body(_ objects: [Data], isClosed: Bool = true) -> Data {
    var body = Data()
    for object in objects {
      body += Data("\r\n--b\r\nContent-Type: application/dicom\r\n\r\n".utf8) + object
    }
    return isClosed ? body + Data("\r\n--b--\r\n".utf8) : body
  }

  private func contents(_ slices: Int) async throws -> (phantom: PhantomSeries, [Data]) {
    let phantom = try await PhantomSeries(slices: slices)
    return (phantom, try phantom.files.map { try Data(contentsOf: $0) })
  }

  @Test func objectsAreStoredAsTheyCame() async throws {
    let (phantom, objects) = try await contents(3)
    let transaction = transaction(study: phantom.study)
    let body = body(objects)
    for start in stride(from: 0, to: body.count, by: 1000) {
      try transaction.take(body.subdata(in: start..<min(start + 1000, body.count)))
    }
    let response = try transaction.finish()
    #expect(response.status == 200 && response.stored.count == 3)
    for (object, original) in zip(recorder.stored, objects) {
      #expect(try Data(contentsOf: URL(fileURLWithPath: object.path)) == original)
      #expect(object.sopClassUID == Self.ctImage)
      let identity = try DICOMFile(path: object.path).identity()
      #expect(identity.sopInstanceUID == object.sopInstanceUID)
    }
    #expect(response.stored.map(\.sopInstanceUID) == recorder.stored.map(\.sopInstanceUID))
    #expect(recorder.refused.isEmpty)
  }

  @Test func oneObjectWithoutParts() async throws {
    let (_, objects) = try await contents(1)
    let transaction = transaction(.single)
    try transaction.take(objects[0].prefix(700))
    try transaction.take(objects[0].dropFirst(700))
    #expect(try transaction.finish().status == 200)
    #expect(recorder.stored.count == 1)
    #expect(throws: StoreFault.self) { try self.transaction(.single).finish() }
  }

  @Test func whatIsNotTaken() async throws {
    let (phantom, objects) = try await contents(1)
    // Of a study that the address does not name.
    let other = transaction(study: "1.2.3")
    try other.take(body(objects))
    #expect(try other.finish().failed.map(\.reason) == [0xA900])
    let refused = try #require(recorder.refused.first)
    #expect(refused.status == 0xA900 && refused.reason.contains(phantom.study))
    #expect(DICOMUID.isValid(refused.sopInstanceUID))
    // Of a transfer syntax that is not decoded.
    let syntax = transaction { $0.transferSyntaxes = ["1.2.3"] }
    try syntax.take(body(objects))
    #expect(try syntax.finish().failed.map(\.reason) == [0xC122])
    #expect(recorder.refused.map(\.status) == [0xA900, 0xC122])
    // Of a class that is not stored: not recorded, as no series lacks it.
    let sopClass = transaction { $0.sopClasses = [] }
    try sopClass.take(body(objects))
    #expect(try sopClass.finish().failed.map(\.reason) == [0x0122])
    #expect(recorder.refused.count == 2 && recorder.stored.isEmpty)
    #expect(try recorder.files().isEmpty)
  }

  @Test func theHandlersStatusIsTold() async throws {
    let (_, objects) = try await contents(2)
    recorder.state.withLock { $0.status = .cannotUnderstand }
    let transaction = transaction()
    try transaction.take(body(objects))
    let response = try transaction.finish()
    #expect(response.status == 409 && response.failed.map(\.reason) == [0xC000, 0xC000])
    recorder.state.withLock { $0.status = .outOfResources }
    let second = self.transaction()
    try second.take(body(objects))
    #expect(try second.finish().status == 503)
  }

  /// Whether the disk is full before the object comes or at its reserve: it is refused with its identity.
  @Test func fullDisks() async throws {
    let (_, objects) = try await contents(2)
    let reserve = transaction { $0.limits.diskReserve = .max }
    try reserve.take(body(objects))
    #expect(try reserve.finish().status == 503)
    recorder.state.withLock { $0.opening = SystemError(ENOSPC) }
    let full = transaction()
    try full.take(body(objects))
    #expect(try full.finish().status == 503)
    #expect(recorder.refused.count == 4 && recorder.stored.isEmpty)
    let partial = recorder.refused.map {
      PartialIdentity(ofDamaged: $0.beginning, transferSyntaxUID: $0.transferSyntaxUID)
    }
    for (refused, partial) in zip(recorder.refused, partial) {
      #expect(refused.status == 0xA700)
      #expect(refused.sopClassUID == Self.ctImage && DICOMUID.isValid(refused.sopInstanceUID))
      #expect(partial.seriesInstanceUID != nil && partial.sopInstanceUID == refused.sopInstanceUID)
    }
    #expect(recorder.refused[2].reason == "No space left on device")
  }

  @Test func whatBreaksOffIsRefused() async throws {
    let (_, objects) = try await contents(2)
    let transaction = transaction()
    try transaction.take(body(objects, isClosed: false).dropLast(500))
    #expect(throws: StoreFault.malformed(reason: "the body ends before its last part does")) {
      try transaction.finish()
    }
    transaction.abandon("the connection was lost")
    #expect(transaction.response.stored.count == 1)
    let refused = try #require(recorder.refused.first)
    #expect(refused.status == nil && refused.reason == "the connection was lost")
    #expect(DICOMUID.isValid(refused.sopInstanceUID))
    #expect(try recorder.files().count == 1)
  }

  @Test func limits() async throws {
    let (_, objects) = try await contents(2)
    let small = transaction { $0.limits.objectBytes = objects[0].count - 1 }
    let error = #expect(throws: StoreFault.self) { try small.take(body(objects)) }
    #expect(error?.status == 413)
    small.abandon("too large")
    let few = transaction { $0.limits.instances = 1 }
    let many = #expect(throws: StoreFault.self) { try few.take(body(objects)) }
    #expect(many?.status == 413)
    #expect(few.response.stored.count == 1)
    let slow = transaction { $0.limits.objectSeconds = 0 }
    let late = #expect(throws: StoreFault.self) { try slow.take(body(objects)) }
    #expect(late?.status == 408)
    slow.abandon("too slow")
    #expect(try recorder.files().count == 1)
  }

  @Test func malformedRequests() async throws {
    for (text, status) in [
      ("--b\r\nContent-Type: image/jpeg\r\n\r\nx", 415), ("--b\r\nno field\r\n\r\n", 400),
      ("--b--\r\n", 400),
    ] {
      let transaction = transaction()
      let error = #expect(throws: StoreFault.self) { try transaction.take(Data(text.utf8)) }
      #expect(error?.status == status)
    }
    #expect(throws: StoreFault.self) { try self.transaction().finish() }
    #expect(recorder.refused.isEmpty && recorder.stored.isEmpty)
    // Something that is no DICOM object is the handler's to refuse.
    let text = transaction()
    try text.take(body([Data("hello".utf8)]))
    _ = try text.finish()
    #expect(recorder.stored.map(\.sopClassUID) == [""])
  }
}
