import DICOMNetwork
import Foundation
import JobLedger
import Logging
import Synchronization

/// Writes in the ledger what was refused and how associations ended.
///
/// What the ledger cannot take at the moment, as on a full disk, is kept in memory and written before
/// anything else is.
public final class ReceptionLog: Sendable {
  private enum Entry {
    case refusal(RefusedInstance, ReceivingAssociation?, at: Date)
    case end(ReceivingAssociation, AssociationOutcome, message: String?)

    /// Whether both are the same refusal at different times.
    func isSame(as other: Entry) -> Bool {
      guard case .refusal(let refusal, let association, _) = self,
        case .refusal(let others, let otherAssociation, _) = other
      else { return false }
      return refusal == others && association == otherAssociation
    }
  }

  private let ledger: Ledger
  private let logger: Logger
  /// Distinguishes the associations of this process from those of others.
  private let session = UUID().uuidString.lowercased()
  private let waiting = Mutex<[Entry]>([])
  private static let maximumWaiting = 10_000

  public init(ledger: Ledger, logger: Logger) {
    self.ledger = ledger
    self.logger = logger
  }

  func association(_ association: Association) -> ReceivingAssociation {
    ReceivingAssociation(
      key: "\(session)/\(association.number)", callingAETitle: association.callingAETitle,
      calledAETitle: association.calledAETitle, peerAddress: association.peerAddress,
      startedAt: association.startedAt)
  }

  /// - Parameters:
  ///   - refusal: the instance, as far as it could be identified.
  ///   - association: the association that it came over; nil for a file of a watch folder.
  ///   - time: when the instance began to come.
  func record(_ refusal: RefusedInstance, over association: Association?, at time: Date) {
    add(.refusal(refusal, association.map(self.association), at: time))
  }

  func record(_ end: AssociationEnd, of association: Association, message: String) {
    add(
      .end(
        self.association(association), AssociationOutcome(end),
        message: message.isEmpty ? nil : message))
  }

  /// Writes what could not be written before.
  public func flush() throws(LedgerError) {
    let result: Result<Void, LedgerError> = waiting.withLock { entries in
      Result { () throws(LedgerError) in
        while let first = entries.first {
          try write(first)
          entries.removeFirst()
        }
      }
    }
    try result.get()
  }

  private func add(_ entry: Entry) {
    let isFull = waiting.withLock { entries in
      // A file of a watch folder is tried again and again while it cannot be stored.
      if entries.contains(where: { $0.isSame(as: entry) }) { return false }
      // A series waits for the end of its association, so that no end may be lost.
      if case .refusal = entry, entries.count >= Self.maximumWaiting { return true }
      entries.append(entry)
      return false
    }
    if isFull {
      logger.error("\(Self.maximumWaiting) refusals wait for the ledger, and this one is lost")
    }
    do {
      try flush()
    } catch {
      logger.error("\(error); what was refused is written once the ledger can be written")
    }
  }

  private func write(_ entry: Entry) throws(LedgerError) {
    switch entry {
    case .refusal(let refusal, let association, let time):
      try ledger.recordRefusal(refusal, association: association, at: time)
    case .end(let association, let outcome, let message):
      try ledger.endAssociation(association, outcome, message: message)
    }
  }
}

extension AssociationOutcome {
  fileprivate init(_ end: AssociationEnd) {
    self =
      switch end {
      case .released: .released
      case .abortedByPeer: .abortedByPeer
      case .connectionLost: .connectionLost
      case .timedOut: .timedOut
      case .aborted: .aborted
      case .shutDown: .shutDown
      }
  }
}
