import FileSystem
import Foundation
import GRDB

/// A copy of a ledger in a file of its own, made by SQLite's online backup
/// (https://sqlite.org/backup.html): whole, as the ledger was at one moment, while others write.
struct LedgerCopy {
  /// Of the copy.
  var path: String

  /// Makes the copy, with mode 0600; under its name there is all of it or nothing.
  ///
  /// - Parameters:
  ///   - source: a connection to the ledger.
  ///   - replacesOlder: whether a file of that name is replaced; else it is an error.
  ///   - verify: looks at the copy before it has its name.
  func make(
    of source: DatabaseQueue, replacesOlder: Bool, verify: (Database) throws -> Void
  ) throws {
    guard replacesOlder || access(path, F_OK) != 0 else { throw exists }
    let temporary = "\(path).\(UUID().uuidString).part"
    let created = open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
    guard created >= 0 else { throw failure(SystemError()) }
    close(created)
    defer { for suffix in ["", "-wal", "-shm", "-journal"] { unlink(temporary + suffix) } }
    let copy = try DatabaseQueue(path: temporary)
    do {
      try source.backup(to: copy)
      try copy.writeWithoutTransaction { db in
        // Then it is one file.
        _ = try String.fetchOne(db, sql: "PRAGMA journal_mode = DELETE")
        try verify(db)
      }
      try copy.close()
    } catch {
      try? copy.close()
      throw error
    }
    try DurableFile.sync(temporary)
    if replacesOlder {
      try DurableFile.move(temporary, to: path)
    } else {
      // Fails where the name is taken, which a renaming would replace.
      guard link(temporary, path) == 0 else {
        throw errno == EEXIST ? exists : failure(SystemError())
      }
      let folder = (path as NSString).deletingLastPathComponent
      try DurableFile.sync(folder.isEmpty ? "." : folder)
    }
  }

  private var exists: LedgerError {
    .cannotCopy(path: path, reason: "there is a file of this name, which is not replaced")
  }

  private func failure(_ error: SystemError) -> LedgerError {
    .cannotCopy(path: path, reason: error.description)
  }
}
