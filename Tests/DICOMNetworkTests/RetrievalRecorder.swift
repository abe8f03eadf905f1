import DICOM
import DICOMNetwork
import Foundation
import Synchronization
import TestSupport

/// Takes what a retrieval brings into a folder of its own.
final class RetrievalRecorder: StoreHandler {
  struct State {
    var objects: [ReceivedObject] = []
    var refused: [RefusedObject] = []
    var events: [AssociationEvent] = []
  }

  let folder: TemporaryFolder
  private let state = Mutex(State())

  init() throws { folder = try TemporaryFolder() }

  func store(_ object: ReceivedObject) -> StoreStatus {
    state.withLock { $0.objects.append(object) }
    return .success
  }

  func refused(_ object: RefusedObject) { state.withLock { $0.refused.append(object) } }

  var received: State { state.withLock { $0 } }

  var handlers: DIMSEHandlers {
    DIMSEHandlers(store: self) { event in self.state.withLock { $0.events.append(event) } }
  }

  var reception: RetrievalReception {
    RetrievalReception(
      sopClasses: ImageStorage.sopClasses,
      transferSyntaxes: AssociationPolicy.decodedTransferSyntaxes, folder: folder.url.path)
  }

  /// The datasets that came, as they are on disk.
  func datasets() throws -> Set<Data> {
    Set(try received.objects.map { try datasetBytes(URL(fileURLWithPath: $0.path)) })
  }
}

extension Peer {
  static func pacs(_ port: Int) -> Peer { Peer(aeTitle: "PACS", host: "127.0.0.1", port: port) }
}

extension QueryRetrieveSCU {
  /// Gives up sooner than in operation.
  static func test(timeout: Int = 60, maximumSilence: Int = 120, maximumMatches: Int = 1000)
    -> QueryRetrieveSCU
  {
    var limits = Limits()
    limits.timeout = timeout
    limits.maximumSilence = maximumSilence
    limits.maximumQueryDuration = 240
    limits.maximumMatches = maximumMatches
    return QueryRetrieveSCU(callingAETitle: "SEGMENTD", limits: limits)
  }
}
