import FileSystem
import Foundation
import GRDB
import Wording

/// A copy of a ledger that was made and compared with it.
public struct LedgerBackup: Sendable, Codable, Equatable {
  public var path: String
  public var byteCount: Int
  public var instances: Int
  public var jobs: Int
  /// The last event of the copy.
  public var head: EventMark
}

extension Ledger {
  /// Copies the ledger into a new file of mode 0600, whole and as it is at one moment, while others
  /// write. The copy is checked before it has its name: its pages, its references and its events.
  ///
  /// - Parameter path: of the copy; a file that is there is not replaced.
  /// - Throws: ``LedgerError/cannotCopy(path:reason:)``
  public func backUp(to path: String) throws(LedgerError) -> LedgerBackup {
    do {
      var backup = LedgerBackup(
        path: path, byteCount: 0, instances: 0, jobs: 0, head: EventMark(event: 0, sha256: ""))
      try LedgerCopy(path: path).make(of: reader, replacesOlder: false) { db in
        try Self.checkCopy(db, path)
        backup.instances = try Int.fetchOne(db, sql: "SELECT count(*) FROM instances") ?? 0
        backup.jobs = try Int.fetchOne(db, sql: "SELECT count(*) FROM jobs") ?? 0
        let head = try EventChain.head(db)
        backup.head = EventMark(event: head.event, sha256: hexadecimal(head.hash))
      }
      backup.byteCount = FileStatus(path)?.size ?? 0
      return backup
    } catch let error as LedgerError {
      throw error
    } catch {
      throw .cannotCopy(path: path, reason: LedgerError.reason(error))
    }
  }

  private static func checkCopy(_ db: Database, _ path: String) throws {
    var faults = try String.fetchAll(db, sql: "PRAGMA integrity_check(3)").filter { $0 != "ok" }
    if faults.isEmpty {
      if let reason = try Schema.incompatibility(db) { faults.append(reason) }
      let dangling = try Row.fetchAll(db, sql: "PRAGMA foreign_key_check").count
      if dangling > 0 {
        faults.append("\(counted(dangling, "row refers", "rows refer")) to rows that are not there")
      }
      faults += try EventChain.check(db).findings.prefix(3)
    }
    guard faults.isEmpty else {
      throw LedgerError.cannotCopy(
        path: path, reason: "the ledger is not sound: " + faults.joined(separator: "; "))
    }
  }

  /// Gives space of removed rows back to the file system. Nobody else can write meanwhile.
  ///
  /// - Returns: bytes of the file before and after.
  /// - Throws: ``LedgerError/unavailable(path:reason:)`` where the disk has not twice the ledger's size
  ///   left, which SQLite may need (https://sqlite.org/lang_vacuum.html).
  public func vacuum() throws(LedgerError) -> (before: Int, after: Int) {
    do {
      return try commits.withConnection { db in
        try db.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
        let before = FileStatus(path)?.size ?? 0
        if let disk = DiskSpace(of: path), disk.available < 2 * before {
          throw LedgerError.unavailable(
            path: path, reason: "it needs up to \(2 * before) bytes of disk to be vacuumed")
        }
        try db.execute(sql: "VACUUM")
        try db.execute(sql: "PRAGMA optimize")
        try db.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
        return (before, FileStatus(path)?.size ?? 0)
      }
    } catch {
      throw LedgerError(error, path: path)
    }
  }
}
