import Foundation
import GRDB
import Synchronization

/// Whether SQLite has said of a ledger that it is damaged. That may be of a disk which failed while it was read, so
/// that only a check of the whole file tells.
final class DamageSuspicion: Sendable {
  private let raised = Mutex(false)

  var isRaised: Bool { raised.withLock { $0 } }

  /// The error for whoever asked, after it is noted whether it says that the file is damaged.
  func noting(_ error: any Error, path: String) -> LedgerError {
    if LedgerError.isOfDamage(error) { raise() }
    return LedgerError(error, path: path)
  }

  func raise() { raised.withLock { $0 = true } }

  /// Whether it was raised since the last call.
  func take() -> Bool {
    raised.withLock { isRaised in
      defer { isRaised = false }
      return isRaised
    }
  }
}

extension Ledger {
  /// Reads the whole file and compares every table with its indexes: about ten seconds for a gigabyte.
  /// Other threads read and write meanwhile.
  ///
  /// - Throws: ``LedgerError/damaged(path:reason:)``, or ``LedgerError/unavailable(path:reason:)`` where the file
  ///   cannot be read now.
  public func checkIntegrity() throws(LedgerError) {
    let findings: [String]
    do {
      var configuration = Configuration()
      configuration.readonly = true
      configuration.busyMode = .timeout(30)
      findings = try DatabaseQueue(path: path, configuration: configuration).read { db in
        try String.fetchAll(db, sql: "PRAGMA integrity_check(3)")
      }
    } catch let error where LedgerError.isOfDamage(error) {
      findings = [LedgerError.reason(error)]
    } catch {
      throw LedgerError(error, path: path)
    }
    guard findings != ["ok"] else { return }
    if let fault = findings.first(where: Self.isOfDisk) {
      throw .unavailable(path: path, reason: "its disk cannot be read: \(fault)")
    }
    throw .damaged(path: path, reason: findings.joined(separator: "; "))
  }

  /// Whether a finding of SQLite's is of a page that could not be read: "Tree 5 page 37: unable to get the page. error
  /// code=266". The last byte of the code is SQLITE_IOERR (https://sqlite.org/rescode.html).
  static func isOfDisk(_ finding: String) -> Bool {
    guard let start = finding.range(of: "unable to get the page. error code=")?.upperBound,
      let code = Int32(finding[start...].prefix { $0.isNumber })
    else { return false }
    return code & 0xFF == ResultCode.SQLITE_IOERR.rawValue
  }

  /// Checks the whole file where SQLite has said of it, to any caller in this process since the last check, that it
  /// is damaged, or where ``suspectDamage()`` was called.
  ///
  /// - Returns: whether there was a reason to check, and the file is sound.
  /// - Throws: ``LedgerError/damaged(path:reason:)``; ``LedgerError/unavailable(path:reason:)`` where the file cannot
  ///   be read now, after which the next call checks again.
  @discardableResult
  public func checkIfSuspect() throws(LedgerError) -> Bool {
    guard suspicion.take() else { return false }
    do throws(LedgerError) { try checkIntegrity() } catch {
      suspicion.raise()
      throw error
    }
    return true
  }

  /// Has the next ``checkIfSuspect()`` check the file: another process was told that it is damaged.
  public func suspectDamage() { suspicion.raise() }

  /// Whether SQLite has said, since the last call or check, that the file is damaged: for a process that leaves the
  /// check to another one.
  public func takeSuspicion() -> Bool { suspicion.take() }
}
