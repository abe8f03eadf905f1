import DICOM
import DICOMNetwork
import DICOMweb
import Foundation
import Glibc
import Logging
import Synchronization

/// One request: its body as it comes, and what becomes of each instance. All methods block.
final class StoreTransaction: Sendable {
  private struct State {
    /// Nil where the body is one object.
    var reader: MultipartReader?
    var object: IncomingObject?
    var count = 0
    var response = StoreInstancesResponse()
  }

  let association: Association
  private let configuration: StoreConfiguration
  private let study: String?
  private let store: any StoreHandler
  private let logger: Logger
  private let state: Mutex<State>

  /// - Parameters:
  ///   - type: how the body is made.
  ///   - study: the only one whose instances are stored; nil for any.
  ///   - association: the request, as the ledger records it.
  ///   - configuration: what is taken.
  ///   - store: takes the instances.
  ///   - logger: is told of instances that are of no use to anyone.
  init(
    _ type: StoreRequestType, study: String?, association: Association,
    configuration: StoreConfiguration, store: any StoreHandler, logger: Logger
  ) {
    self.study = study
    self.association = association
    self.configuration = configuration
    self.store = store
    self.logger = logger
    var state = State()
    if case .multipart(let boundary) = type { state.reader = MultipartReader(boundary: boundary) }
    self.state = Mutex(state)
  }

  /// What has become of the instances so far.
  var response: StoreInstancesResponse { state.withLock { $0.response } }

  /// Takes more of the body; instances that are complete with it are stored before it returns.
  func take(_ data: Data) throws(StoreFault) {
    try state.withLock { state throws(StoreFault) in
      guard var reader = state.reader else {
        if state.object == nil { try begin(&state) }
        try state.object?.take(data)
        return
      }
      let events: [MultipartReader.Event]
      do throws(MultipartReader.Fault) {
        events = try reader.take(data)
      } catch {
        throw StoreFault.malformed(reason: error.reason)
      }
      state.reader = reader
      for event in events { try take(event, &state) }
    }
  }

  private func take(_ event: MultipartReader.Event, _ state: inout State) throws(StoreFault) {
    switch event {
    case .part(let headers):
      do { try StoreRequestType.check(part: headers) } catch { throw StoreFault(error) }
      try begin(&state)
    case .data(let data): try state.object?.take(data)
    case .end: complete(&state)
    }
  }

  /// The body is whole.
  func finish() throws(StoreFault) -> StoreInstancesResponse {
    try state.withLock { state throws(StoreFault) in
      if let reader = state.reader, !reader.isComplete {
        throw .malformed(reason: "the body ends before its last part does")
      }
      complete(&state)
      guard state.count > 0 else { throw .malformed(reason: "the body has no object") }
      return state.response
    }
  }

  /// The body will not come to its end: what is on its way is refused.
  func abandon(_ reason: String) {
    state.withLock { state in
      guard var object = state.object else { return }
      state.object = nil
      refuse(&object, nil, reason, &state)
    }
  }

  private func begin(_ state: inout State) throws(StoreFault) {
    state.count += 1
    guard state.count <= configuration.limits.instances else {
      throw .tooLarge(reason: "more than \(configuration.limits.instances) instances in a request")
    }
    state.object = IncomingObject(configuration, store: store)
  }

  private func complete(_ state: inout State) {
    guard var object = state.object else { return }
    state.object = nil
    if let failure = object.failure {
      return refuse(&object, failure.status, failure.reason, &state)
    }
    let identity = object.identity
    if let sopClass = identity.sopClassUID, !configuration.sopClasses.contains(sopClass) {
      return pass(over: &object, identity, &state)
    }
    if let syntax = identity.transferSyntaxUID, identity.sopClassUID != nil,
      !configuration.transferSyntaxes.contains(syntax)
    {
      return refuse(
        &object, FailureReason.transferSyntaxNotSupported,
        "transfer syntax \(syntax.prefix(64)) is not supported", &state)
    }
    if let study, let other = identity.studyInstanceUID, other != study {
      return refuse(
        &object, FailureReason.doesNotMatch,
        "it is of study \(other), and the request for study \(study)", &state)
    }
    keep(&object, identity, &state)
  }

  private func keep(
    _ object: inout IncomingObject, _ identity: PartialIdentity, _ state: inout State
  ) {
    object.close()
    let instance = StoreInstancesResponse.Instance(identity)
    let status = store.store(
      ReceivedObject(
        association: association, path: object.path ?? "",
        sopClassUID: identity.sopClassUID ?? "", sopInstanceUID: identity.sopInstanceUID ?? "",
        transferSyntaxUID: identity.transferSyntaxUID ?? "", beganAt: object.beganAt))
    if status == .success {
      state.response.stored.append(instance)
    } else {
      state.response.failed.append(.init(instance: instance, reason: status.rawValue))
    }
  }

  /// An object of a class that is not stored here: no series lacks it, as where it is refused at the
  /// negotiation of an association.
  private func pass(
    over object: inout IncomingObject, _ identity: PartialIdentity, _ state: inout State
  ) {
    object.discard()
    logger.warning(
      "STOW-RS: SOP class \(identity.sopClassUID ?? "") is not stored",
      metadata: ["address": "\(association.peerAddress)"])
    state.response.failed.append(
      .init(instance: .init(identity), reason: FailureReason.sopClassNotSupported))
  }

  /// - Parameter status: nil where nothing is answered.
  private func refuse(
    _ object: inout IncomingObject, _ status: UInt16?, _ reason: String, _ state: inout State
  ) {
    let identity = object.identity
    store.refused(
      RefusedObject(
        association: association, sopClassUID: identity.sopClassUID ?? "",
        sopInstanceUID: identity.sopInstanceUID ?? "",
        transferSyntaxUID: identity.transferSyntaxUID ?? "", beganAt: object.beganAt,
        beginning: object.beginning, status: status, reason: reason))
    object.discard()
    state.response.failed.append(
      .init(instance: .init(identity), reason: status ?? FailureReason.outOfResources))
  }
}

extension StoreInstancesResponse.Instance {
  init(_ identity: PartialIdentity) {
    self.init(sopClassUID: identity.sopClassUID, sopInstanceUID: identity.sopInstanceUID)
  }
}
