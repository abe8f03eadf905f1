import CDCMTK
import DICOM

/// What a peer answered to one C-STORE.
public enum StoreOutcome: Sendable, Equatable {
  case stored
  /// The peer has the object already (0x0111, Duplicate SOP Instance, PS3.7 C.4.2), as after an
  /// answer that was lost.
  case alreadyStored
  /// Stored, with a warning (0xBxxx).
  case storedWithWarning(status: UInt16, message: String)
  case refused(status: UInt16, message: String)
  /// No answer came: the connection broke.
  case notSent(reason: String)
  /// The peer accepted no presentation context for it.
  case notAccepted(reason: String)
}

/// Sends objects to a peer.
///
/// ```swift
/// let scu = StorageSCU(callingAETitle: "SEGMENTD")
/// let pacs = Peer(aeTitle: "PACS", host: "127.0.0.1", port: 4242)
/// try await scu.echo(pacs)
/// for outcome in try await scu.store(["segmentation.dcm"], to: pacs) { print(outcome) }
/// ```
public struct StorageSCU: Sendable {
  private let callingAETitle: String
  /// Seconds for the connection, the association and each answer.
  private let timeout: Int

  public init(callingAETitle: String, timeout: Int = 30) {
    self.callingAETitle = callingAETitle
    self.timeout = timeout
  }

  /// C-ECHO (PS3.4 A).
  ///
  /// - Throws: ``DICOMNetworkError``; ``DICOMNetworkError/cancelled(peer:)`` at once where the task is
  ///   cancelled.
  public func echo(_ peer: Peer) async throws(DICOMNetworkError) {
    try await onQueue(peer) { cancellation throws(DICOMNetworkError) in
      try self.withPeer(peer) { cdcmtk_echo($0, cancellation.pointer, $1) }
    }
  }

  /// Which SOP classes a peer takes as uncompressed objects, by the negotiation of an association and
  /// C-ECHO.
  ///
  /// - Returns: those of `sopClasses` that it takes.
  /// - Throws: as ``echo(_:)``.
  public func accepted(_ sopClasses: [String], by peer: Peer)
    async throws(DICOMNetworkError) -> Set<String>
  {
    try await onQueue(peer) { cancellation throws(DICOMNetworkError) in
      var accepted = [UInt8](repeating: 0, count: sopClasses.count)
      let failure: DICOMNetworkError? = withCStrings(sopClasses) { strings in
        do throws(DICOMNetworkError) {
          try self.withPeer(peer) {
            cdcmtk_negotiate(
              $0, strings.baseAddress, sopClasses.count, &accepted, cancellation.pointer, $1)
          }
          return nil
        } catch { return error }
      }
      if let failure { throw failure }
      return Set(zip(sopClasses, accepted).filter { $1 != 0 }.map(\.0))
    }
  }

  /// C-STORE of files in one association.
  ///
  /// - Parameters:
  ///   - files: are sent in this order.
  ///   - peer: gets them.
  ///   - answered: told what became of a file, by its index, before the next one is sent; on a thread of
  ///     its own, so that it may block.
  /// - Returns: one outcome for each file, in the same order.
  /// - Throws: ``DICOMNetworkError/noAssociation(peer:callingAETitle:reason:)`` or
  ///   ``DICOMNetworkError/rejected(peer:callingAETitle:reason:)`` where nothing was sent,
  ///   ``DICOMNetworkError/cancelled(peer:)`` at once where the task is cancelled.
  public func store(
    _ files: [String], to peer: Peer,
    answered: @escaping @Sendable (Int, StoreOutcome) -> Void = { _, _ in }
  ) async throws(DICOMNetworkError) -> [StoreOutcome] {
    let listener = AnswerListener(answered)
    return try await onQueue(peer) { cancellation throws(DICOMNetworkError) in
      try self.storeNow(files, to: peer, listener, cancellation)
    }
  }

  private func storeNow(
    _ files: [String], to peer: Peer, _ listener: AnswerListener, _ cancellation: Cancellation
  ) throws(DICOMNetworkError) -> [StoreOutcome] {
    var texts: [String] = []
    for file in files {
      do throws(DICOMError) {
        let parsed = try DICOMFile(path: file)
        let identity = try parsed.identity()
        guard !parsed.transferSyntax.isUnsupportedByDCMTK else {
          throw DICOMError.unsupportedTransferSyntax(file: file, uid: identity.transferSyntaxUID)
        }
        if let stated = parsed.contradictedTransferSyntaxUID {
          throw DICOMError.contradictsTransferSyntax(
            file: file, stated: stated,
            reason: "the dataset is coded in \(identity.transferSyntaxUID)")
        }
        texts += [file, identity.sopClassUID, identity.transferSyntaxUID]
      } catch {
        throw .cannotSend(file: file, reason: error.description)
      }
    }
    var answers = [cdcmtk_store_answer](repeating: cdcmtk_store_answer(), count: files.count)
    let failure: DICOMNetworkError? = withCStrings(texts) { strings in
      let outgoing = files.indices.map {
        cdcmtk_outgoing(
          path: strings[3 * $0], sop_class_uid: strings[3 * $0 + 1],
          transfer_syntax_uid: strings[3 * $0 + 2])
      }
      do throws(DICOMNetworkError) {
        try withExtendedLifetime(listener) { () throws(DICOMNetworkError) in
          try withPeer(peer) {
            cdcmtk_store(
              $0, outgoing, outgoing.count, &answers,
              { context, index, answer in AnswerListener.tell(context, index, answer) },
              Unmanaged.passUnretained(listener).toOpaque(), cancellation.pointer, $1)
          }
        }
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw failure }
    return answers.map(Self.outcome)
  }

  fileprivate static func outcome(_ answer: cdcmtk_store_answer) -> StoreOutcome {
    let message = text(of: answer.message)
    guard answer.not_accepted == 0 else { return .notAccepted(reason: message) }
    guard answer.answered != 0 else {
      return .notSent(reason: message.isEmpty ? "the association ended before it" : message)
    }
    switch answer.status {
    case 0: return .stored
    case 0x0111: return .alreadyStored
    case 0xB000...0xBFFF: return .storedWithWarning(status: answer.status, message: message)
    default: return .refused(status: answer.status, message: message)
    }
  }

  private func withPeer(
    _ peer: Peer,
    _ call: (UnsafePointer<cdcmtk_peer>, UnsafeMutablePointer<cdcmtk_error>) -> Int32
  ) throws(DICOMNetworkError) {
    do { try DCMTK.prepare() } catch { throw .toolkit(error) }
    var error = cdcmtk_error()
    let code = peer.withC(callingAETitle: callingAETitle, timeout: timeout) { call($0, &error) }
    switch code {
    case Int32(CDCMTK_OK.rawValue): return
    case Int32(CDCMTK_REJECTED.rawValue), Int32(CDCMTK_NO_CONTEXT.rawValue):
      throw .rejected(peer: peer, callingAETitle: callingAETitle, reason: error.text)
    default: throw .noAssociation(peer: peer, callingAETitle: callingAETitle, reason: error.text)
    }
  }

  private func onQueue<Value: Sendable>(
    _ peer: Peer, _ body: @escaping @Sendable (Cancellation) throws(DICOMNetworkError) -> Value
  ) async throws(DICOMNetworkError) -> Value {
    let cancellation = Cancellation()
    let result: Result<Value, DICOMNetworkError>? = await blockingCall(cancellation) {
      Result { () throws(DICOMNetworkError) in try body(cancellation) }
    }
    guard let result else { throw .cancelled(peer: peer) }
    return try result.get()
  }
}

/// What DCMTK's thread calls with each answer.
private final class AnswerListener: Sendable {
  private let answered: @Sendable (Int, StoreOutcome) -> Void

  init(_ answered: @escaping @Sendable (Int, StoreOutcome) -> Void) { self.answered = answered }

  static func tell(
    _ context: UnsafeMutableRawPointer?, _ index: Int, _ answer: UnsafePointer<cdcmtk_store_answer>?
  ) {
    guard let context, let answer else { return }
    let listener = Unmanaged<AnswerListener>.fromOpaque(context).takeUnretainedValue()
    listener.answered(index, StorageSCU.outcome(answer.pointee))
  }
}
