import Clocks
import DICOMNetwork
import Dispatch
import Foundation
import JobLedger
import Logging
import Synchronization

/// Writes in the ledger what was refused and how associations ended.
///
/// What the ledger cannot take at the moment, as on a full disk, is kept in memory and written before
/// anything else is. What it can never take, for a fault of this program, does not hold up the rest: then
/// the association that it came over does not count as released, so that its series are held.
public final class ReceptionLog: Sendable {
  fileprivate enum Entry {
    case refusal(RefusedInstance, ReceivingAssociation?, at: SteadyTime)
    case end(ReceivingAssociation, AssociationOutcome, message: String?)
    /// Of an instance that was recorded and whose file did not reach the disk.
    case withdrawal(InstanceRecord)

    /// Whether both are the same refusal at different times.
    func isSame(as other: Entry) -> Bool {
      guard case .refusal(let refusal, let association, _) = self,
        case .refusal(let others, let otherAssociation, _) = other
      else { return false }
      return refusal == others && association == otherAssociation
    }
  }

  /// One pass over what waits; whoever comes meanwhile waits for its end instead of beginning another.
  private final class Flush: Sendable {
    private let ended = DispatchSemaphore(value: 0)
    private let error = Mutex<LedgerError?>(nil)

    func end(_ error: LedgerError?) {
      self.error.withLock { $0 = error }
      ended.signal()
    }

    func wait() throws(LedgerError) {
      ended.wait()
      ended.signal()
      if let error = error.withLock({ $0 }) { throw error }
    }
  }

  private struct State {
    var waiting: [Entry] = []
    var flush: Flush?
    /// Keys of associations of which a refusal could not be recorded.
    var unaccounted: Set<String> = []
  }

  /// Distinguishes what this process receives from what others do.
  package let session: ReceivingSession
  private let ledger: Ledger
  private let logger: Logger
  private let state = Mutex(State())
  private static let maximumWaiting = 10_000

  public init(ledger: Ledger, session: ReceivingSession = ReceivingSession(), logger: Logger) {
    self.ledger = ledger
    self.session = session
    self.logger = logger
  }

  func association(_ association: Association) -> ReceivingAssociation {
    ReceivingAssociation(
      key: "\(session.key)/\(association.number)", callingAETitle: association.callingAETitle,
      calledAETitle: association.calledAETitle, peerAddress: association.peerAddress,
      startedAt: association.startedAt)
  }

  /// - Parameters:
  ///   - refusal: the instance, as far as it could be identified.
  ///   - association: the association that it came over; nil for a file of a watch folder.
  ///   - time: when the instance began to come.
  ///   - waits: false where the ledger has just failed: it is tried again later.
  func record(
    _ refusal: RefusedInstance, over association: Association?, at time: SteadyTime,
    waits: Bool = true
  ) {
    add(.refusal(refusal, association.map(self.association), at: time), waits: waits)
  }

  func record(_ end: AssociationEnd, of association: Association, message: String) {
    add(
      .end(
        self.association(association), AssociationOutcome(end),
        message: message.isEmpty ? nil : message))
  }

  /// Takes an instance back whose file did not reach the disk.
  func withdraw(_ record: InstanceRecord) { add(.withdrawal(record)) }

  /// Writes what could not be written before.
  ///
  /// - Throws: `LedgerError` where the ledger cannot take it now.
  public func flush() throws(LedgerError) {
    let (flush, isOurs) = state.withLock { state in
      if let flush = state.flush { return (Flush?.some(flush), false) }
      if !state.waiting.isEmpty { state.flush = Flush() }
      return (state.flush, true)
    }
    guard let flush else { return }
    if isOurs {
      do throws(LedgerError) {
        while let first = first(of: flush) { try write(first) }
        flush.end(nil)
      } catch {
        state.withLock { $0.flush = nil }
        flush.end(error)
      }
    }
    try flush.wait()
  }

  /// What is to be written next; where there is nothing, the pass is over.
  private func first(of flush: Flush) -> Entry? {
    state.withLock { state in
      if state.waiting.isEmpty { state.flush = nil }
      return state.waiting.first
    }
  }

  private func add(_ entry: Entry, waits: Bool = true) {
    let isFull = state.withLock { state in
      // A file of a watch folder is tried again and again while it cannot be stored.
      if state.waiting.contains(where: { $0.isSame(as: entry) }) { return false }
      // A series waits for the end of its association, so that no end may be lost.
      if case .refusal = entry, state.waiting.count >= Self.maximumWaiting { return true }
      state.waiting.append(entry)
      return false
    }
    if isFull {
      logger.error("\(Self.maximumWaiting) refusals wait for the ledger, and this one is lost")
    }
    guard waits else { return }
    do {
      try flush()
    } catch {
      logger.error("\(error); what was refused is written once the ledger can be written")
    }
  }

  /// Writes the first entry and removes it, also where the ledger can never take it.
  private func write(_ entry: Entry) throws(LedgerError) {
    do throws(LedgerError) {
      try record(entry)
    } catch {
      guard case .failed = error else { throw error }
      logger.error("\(error); given up: \(entry.line)")
      if case .refusal(_, let association?, _) = entry {
        state.withLock { _ = $0.unaccounted.insert(association.key) }
      }
    }
    state.withLock { _ = $0.waiting.removeFirst() }
  }

  private func record(_ entry: Entry) throws(LedgerError) {
    switch entry {
    case .refusal(let refusal, let association, let time):
      try ledger.recordRefusal(refusal, association: association, at: time)
    case .end(let association, let outcome, let message):
      let isWhole = state.withLock { $0.unaccounted.remove(association.key) == nil }
      do throws(LedgerError) {
        try ledger.endAssociation(
          association, isWhole ? outcome : .aborted,
          message: isWhole ? message : "a refused instance could not be recorded")
      } catch {
        if !isWhole { state.withLock { _ = $0.unaccounted.insert(association.key) } }
        throw error
      }
    case .withdrawal(let record): try ledger.withdraw(record)
    }
  }
}

extension ReceptionLog.Entry {
  /// For a log; without patient data.
  fileprivate var line: String {
    switch self {
    case .refusal(let refusal, _, _): refusal.line
    case .end(let association, let outcome, _): "end of association \(association.key): \(outcome)"
    case .withdrawal(let record): "instance \(record.sopInstanceUID), whose file is incomplete"
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
