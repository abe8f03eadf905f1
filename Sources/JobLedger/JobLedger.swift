import Foundation
import GRDB

/// The record of everything that was received, done and sent: one SQLite file.
///
/// Any number of processes may have it open; each change is one transaction that is on disk when
/// the call returns. All methods may be called from any thread and block for a few milliseconds.
public final class JobLedger: Sendable {
  let path: String
  let clock: @Sendable () -> Date
  private let queue: DatabaseQueue

  /// Opens the ledger, creating it (mode 0600) or bringing its tables up to date.
  ///
  /// - Throws: ``LedgerError/cannotOpen(path:reason:)``
  public init(path: String, clock: @escaping @Sendable () -> Date = { Date() })
    throws(LedgerError)
  {
    self.path = path
    self.clock = clock
    // SQLite gives its -wal and -shm files the mode of the ledger itself.
    let descriptor = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw .cannotOpen(path: path, reason: String(cString: strerror(errno)))
    }
    close(descriptor)
    do {
      var configuration = Configuration()
      configuration.busyMode = .timeout(30)
      configuration.foreignKeysEnabled = true
      queue = try DatabaseQueue(path: path, configuration: configuration)
      try queue.writeWithoutTransaction { db in
        try db.execute(sql: "PRAGMA journal_mode = WAL")
        // FULL syncs each commit: an acknowledged instance survives a loss of power.
        try db.execute(sql: "PRAGMA synchronous = FULL")
      }
      try Schema.migrator().migrate(queue)
    } catch {
      throw .cannotOpen(path: path, reason: "\(error)")
    }
  }

  /// One transaction that takes the write lock at once, so that it never fails half-way.
  func write<Value>(_ change: (Database) throws -> Value) throws(LedgerError) -> Value {
    do {
      return try queue.writeWithoutTransaction { db in
        var result: Value?
        try db.inTransaction(.immediate) {
          result = try change(db)
          return .commit
        }
        guard let result else { throw LedgerError.failed(path: path, reason: "no result") }
        return result
      }
    } catch let error as LedgerError {
      throw error
    } catch {
      throw .failed(path: path, reason: "\(error)")
    }
  }

  func read<Value>(_ query: (Database) throws -> Value) throws(LedgerError) -> Value {
    do {
      return try queue.read(query)
    } catch let error as LedgerError {
      throw error
    } catch {
      throw .failed(path: path, reason: "\(error)")
    }
  }

  var now: Double { clock().timeIntervalSince1970 }

  func event(
    _ db: Database, _ kind: String, series: String? = nil, job: Int64? = nil, _ message: String
  ) throws {
    try db.execute(
      sql: "INSERT INTO events (at, kind, series_uid, job_id, message) VALUES (?, ?, ?, ?, ?)",
      arguments: [now, kind, series, job, message])
  }
}
