import DICOMNetwork
import FileSystem
import Foundation
import JobLedger
import Logging
import Synchronization

/// Takes what the daemon sends to its own listener to check itself, into a state directory of its own: nothing
/// of it is ever among what peers have sent.
///
/// Such an association has a calling AE title that is made up for one check, that only the daemon knows, and
/// comes from this machine. It is admitted whatever the configuration says of callers; all that it can reach is
/// the check's own directory.
public final class CheckReception: Sendable {
  private struct State {
    /// Of this check and of the one before it, whose association may end late.
    var titles: [String] = []
    var intake: Intake?
  }

  private let state = Mutex(State())
  private let addresses: [AddressRange]
  private let logger: Logger

  /// - Parameters:
  ///   - listeners: the addresses that are listened at: a connection of this machine to one of them comes
  ///     from that address, or from a loopback address.
  ///   - logger: is told what is refused.
  public init(listeners: [String], logger: Logger) {
    let own = listeners.filter { !["0.0.0.0", "::"].contains($0) }
    addresses = (["127.0.0.0/8", "::1"] + own).compactMap(AddressRange.init)
    self.logger = logger
  }

  /// Takes the objects of a check from now on.
  ///
  /// - Parameters:
  ///   - title: the calling AE title of its association, which nobody can guess.
  ///   - directory: a state directory that is nothing but the check's.
  /// - Throws: `LedgerError` where its ledger cannot be opened.
  public func begin(title: String, in directory: StateDirectory) throws(LedgerError) {
    let ledger = try Ledger(path: directory.ledger.path)
    let intake = Intake(
      state: directory, ledger: ledger,
      receptions: ReceptionLog(ledger: ledger, logger: logger), logger: logger)
    state.withLock { state in
      state.titles = [title] + state.titles.prefix(1)
      state.intake = intake
    }
  }

  /// Takes nothing more.
  public func end() { state.withLock { $0.intake = nil } }

  /// Whether an association is that of a check, or of the one before.
  func isOfCheck(_ association: Association) -> Bool {
    state.withLock { $0.titles.contains(association.callingAETitle) }
      && addresses.contains { $0.contains(association.peerAddress) }
  }

  /// Nil where the check is over.
  private func intake(of association: Association) -> Intake? {
    state.withLock { $0.titles.first == association.callingAETitle ? $0.intake : nil }
  }

  func record(_ event: AssociationEvent) { intake(of: event.association)?.record(event) }

  func refused(_ object: RefusedObject) { intake(of: object.association)?.refused(object) }

  /// Moves the file, which was opened in the spool of what peers send, into the check's directory first.
  func store(_ object: ReceivedObject) -> StoreStatus {
    guard let intake = intake(of: object.association) else {
      unlink(object.path)
      return .outOfResources
    }
    let file = intake.spool.newIncomingFile()
    guard rename(object.path, file.path) == 0 else {
      unlink(object.path)
      return .outOfResources
    }
    var moved = object
    moved.path = file.path
    return intake.store(moved)
  }
}

/// Objects of peers, and those of a check.
struct CheckedIntake: StoreHandler {
  let intake: Intake
  let check: CheckReception

  func newFile() throws(SystemError) -> ReceptionFile? { try intake.newFile() }

  func store(_ object: ReceivedObject) -> StoreStatus {
    check.isOfCheck(object.association) ? check.store(object) : intake.store(object)
  }

  func refused(_ object: RefusedObject) {
    check.isOfCheck(object.association) ? check.refused(object) : intake.refused(object)
  }
}
