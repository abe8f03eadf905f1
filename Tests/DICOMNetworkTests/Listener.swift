import DICOMNetwork
import Foundation
import Synchronization
import TestSupport

/// A storage SCP on loopback, and what it received and reported.
final class Listener: Sendable {
  static let aeTitle = "SEGMENTD"

  let port: Int
  /// The folder of received files.
  let folder: TemporaryFolder
  private let recorder: Recorder
  private let scp: StorageSCP

  init(
    answering status: StoreStatus = .success, commitment: (any CommitmentHandler)? = nil,
    configure: (inout StorageSCPConfiguration) -> Void = { _ in }
  ) throws {
    port = try freePort()
    folder = try TemporaryFolder()
    recorder = Recorder(status: status)
    var configuration = StorageSCPConfiguration(
      address: "127.0.0.1", port: port, folder: folder.url.path,
      policy: .test(calledAETitle: Self.aeTitle))
    configure(&configuration)
    let recorder = recorder
    scp = try StorageSCP(
      configuration,
      handlers: DIMSEHandlers(store: recorder, commitment: commitment) { recorder.note($0) })
  }

  var received: [ReceivedObject] { recorder.state.withLock { $0.objects } }
  var refused: [RefusedObject] { recorder.state.withLock { $0.refused } }
  var events: [AssociationEvent] { recorder.state.withLock { $0.events } }
  var files: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder.url.path) }
  }

  /// Files of objects, without the logs of peers.
  var receivedFiles: [String] {
    ((try? files) ?? []).filter { $0.hasPrefix("\(getpid())-") }
  }

  func stop() async { await scp.stop() }

  /// C-ECHO by DCMTK's tool.
  func echo(calling: String = "ECHO", called: String = aeTitle) async throws -> ProcessResult {
    try await runProcess(
      "/usr/bin/echoscu", ["-v", "-aet", calling, "-aec", called, "127.0.0.1", "\(port)"])
  }

  /// C-STORE by DCMTK's tool.
  func storescu(_ arguments: [String], _ files: [URL]) async throws -> ProcessResult {
    try await runProcess(
      "/usr/bin/storescu",
      ["-v", "-R", "-aec", Self.aeTitle] + arguments + ["127.0.0.1", "\(port)"]
        + files.map(\.path))
  }

  private final class Recorder: StoreHandler {
    struct State {
      var objects: [ReceivedObject] = []
      var refused: [RefusedObject] = []
      var events: [AssociationEvent] = []
    }
    let state = Mutex(State())
    private let status: StoreStatus

    init(status: StoreStatus) { self.status = status }

    func store(_ object: ReceivedObject) -> StoreStatus {
      state.withLock { $0.objects.append(object) }
      return status
    }

    func refused(_ object: RefusedObject) { state.withLock { $0.refused.append(object) } }

    func note(_ event: AssociationEvent) { state.withLock { $0.events.append(event) } }
  }
}

extension AssociationPolicy {
  /// CT and MR images in every transfer syntax that is decoded, with time for peers on a busy machine.
  static func test(calledAETitle: String) -> AssociationPolicy {
    var policy = AssociationPolicy(
      calledAETitle: calledAETitle,
      sopClasses: ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"],
      transferSyntaxes: AssociationPolicy.decodedTransferSyntaxes)
    policy.limits.requestSeconds = 60
    policy.limits.pduSeconds = 300
    return policy
  }
}
