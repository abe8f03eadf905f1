import CDCMTK
import Clocks
import FileSystem
import Foundation
import Synchronization

/// What DCMTK's threads call.
final class Callbacks: Sendable {
  let handlers: DIMSEHandlers
  /// Nil where no peer opens associations.
  private let policy: AssociationPolicy?
  private let beats = Atomic<UInt64>(0)

  /// How often the thread that takes connections has gone round.
  var beatCount: UInt64 { beats.load(ordering: .relaxed) }

  init(_ handlers: DIMSEHandlers, policy: AssociationPolicy? = nil) {
    self.handlers = handlers
    self.policy = policy
  }

  /// Sets the callbacks; whoever starts the SCP keeps `self` until all its threads are joined.
  func set(_ options: inout cdcmtk_scp_options) {
    options.admit = { Callbacks.at($0)?.admit($1, $2, $3) ?? 0 }
    options.store = { Callbacks.at($0)?.store($1) ?? StoreStatus.outOfResources.rawValue }
    options.file = { Callbacks.at($0)?.newFile($1, $2) ?? CDCMTK_NO_FILE }
    options.refusal = { Callbacks.at($0)?.refuse($1) }
    options.echo = { Callbacks.at($0)?.echo($1) ?? 0 }
    options.event = { Callbacks.at($0)?.tell($1) }
    options.beat = { _ = Callbacks.at($0)?.beats.wrappingAdd(1, ordering: .relaxed) }
    options.context = Unmanaged.passUnretained(self).toOpaque()
  }

  static func at(_ context: UnsafeMutableRawPointer?) -> Callbacks? {
    context.map { Unmanaged<Callbacks>.fromOpaque($0).takeUnretainedValue() }
  }

  private func admit(
    _ association: UnsafePointer<cdcmtk_association>?, _ message: UnsafeMutablePointer<CChar>?,
    _ size: Int
  ) -> Int32 {
    guard let policy, let association = Association(association) else {
      return Int32(CDCMTK_LOCAL_LIMIT_EXCEEDED.rawValue)
    }
    let (code, text) =
      switch policy.admission(of: association) {
      case .admitted: (CDCMTK_ADMITTED, "")
      case .calledAETitleNotRecognized(let text): (CDCMTK_CALLED_AE_TITLE_NOT_RECOGNIZED, text)
      case .callingAETitleNotRecognized where handlers.admitsBesides(association):
        (CDCMTK_ADMITTED, "")
      case .callingAETitleNotRecognized(let text): (CDCMTK_CALLING_AE_TITLE_NOT_RECOGNIZED, text)
      }
    if let message, size > 0 {
      let bytes = text.utf8.prefix(size - 1).map { CChar(bitPattern: $0) } + [0]
      message.update(from: bytes, count: bytes.count)
    }
    return Int32(code.rawValue)
  }

  func store(_ object: UnsafePointer<cdcmtk_received>?) -> UInt16 {
    guard let object = object?.pointee, let association = Association(object.association) else {
      return StoreStatus.outOfResources.rawValue
    }
    return handlers.store.store(
      ReceivedObject(
        association: association, path: String(cString: object.path),
        descriptor: object.descriptor, sopClassUID: String(cString: object.sop_class_uid),
        sopInstanceUID: String(cString: object.sop_instance_uid),
        transferSyntaxUID: String(cString: object.transfer_syntax_uid),
        beganAt: SteadyTime(seconds: object.began_at), hash: ReceivedHash(object),
        contents: object.contents.map {
          Data(
            bytesNoCopy: UnsafeMutableRawPointer(mutating: UnsafeRawPointer($0)),
            count: object.content_count,
            deallocator: .none)
        })
    ).rawValue
  }

  private func newFile(_ path: UnsafeMutablePointer<CChar>?, _ size: Int) -> Int32 {
    do throws(SystemError) {
      guard let file = try handlers.store.newFile() else { return CDCMTK_NO_FILE }
      guard let path, file.path.utf8.count < size else {
        close(file.descriptor)
        return -ENAMETOOLONG
      }
      path.update(from: file.path, count: file.path.utf8.count + 1)
      return file.descriptor
    } catch {
      return -max(error.number, 1)
    }
  }

  func refuse(_ object: UnsafePointer<cdcmtk_refused>?) {
    guard let object = object?.pointee, let association = Association(object.association) else {
      return
    }
    handlers.store.refused(
      RefusedObject(
        association: association, sopClassUID: oneLine(object.sop_class_uid),
        sopInstanceUID: oneLine(object.sop_instance_uid),
        transferSyntaxUID: oneLine(object.transfer_syntax_uid),
        beganAt: SteadyTime(seconds: object.began_at),
        beginning: object.beginning.map { Data(bytes: $0, count: object.beginning_count) }
          ?? Data(),
        status: object.status < 0 ? nil : UInt16(clamping: object.status),
        reason: oneLine(object.reason)))
  }

  private func echo(_ association: UnsafePointer<cdcmtk_association>?) -> UInt16 {
    Association(association).map(handlers.echo.echo) ?? 0
  }

  func tell(_ event: UnsafePointer<cdcmtk_event>?) {
    guard let event = event?.pointee, let association = Association(event.association),
      let kind = AssociationEvent.Kind(event.kind)
    else { return }
    if case .ended = kind { handlers.commitment?.ended(association) }
    handlers.association(
      AssociationEvent(
        kind: kind, association: association, message: oneLine(event.message),
        stored: Int(event.stored), refused: Int(event.refused)))
  }
}

extension ReceivedHash {
  fileprivate init?(_ object: cdcmtk_received) {
    guard let hash = object.dataset_hash else { return nil }
    self.init(
      offset: object.dataset_offset,
      sha256: hexadecimal(UnsafeBufferPointer(start: hash, count: 32)))
  }
}

/// Text that a peer may have chosen, fit for one line of a log.
func oneLine(_ text: UnsafePointer<CChar>) -> String {
  String(cString: text).unicodeScalars
    .map { (32..<127).contains($0.value) ? String($0) : " " }.joined()
}

extension Association {
  init?(_ association: UnsafePointer<cdcmtk_association>?) {
    guard let association = association?.pointee else { return nil }
    self.init(
      number: association.number,
      startedAt: SteadyTime(seconds: association.started_at),
      callingAETitle: oneLine(association.calling_ae_title),
      calledAETitle: oneLine(association.called_ae_title),
      peerAddress: oneLine(association.peer_address))
  }
}

extension AssociationEvent.Kind {
  fileprivate init?(_ code: Int32) {
    switch code {
    case Int32(CDCMTK_EVENT_ACCEPTED.rawValue): self = .accepted
    case Int32(CDCMTK_EVENT_REJECTED.rawValue): self = .rejected
    case Int32(CDCMTK_EVENT_NO_ASSOCIATION.rawValue): self = .noAssociation
    default:
      guard let end = AssociationEnd(rawValue: code) else { return nil }
      self = .ended(end)
    }
  }
}
