import Foundation
import GRDB

/// The record of everything that was received, done and sent: one SQLite file.
///
/// Any number of processes may have it open; each change is one transaction that is on disk when
/// the call returns. All methods may be called from any thread and block for a few milliseconds.
///
/// ```swift
/// let ledger = try Ledger(path: "/var/lib/segmentd/ledger.sqlite")
/// while let job = try ledger.claimJob() { … }
/// ```
public final class Ledger: Sendable {
  let path: String
  let clock: @Sendable () -> Date
  private let queue: DatabaseQueue

  /// Opens the ledger, creating it (mode 0600) or bringing its tables up to date.
  ///
  /// - Parameters:
  ///   - path: the SQLite file.
  ///   - clock: tells the time for everything that is written and everything that is due.
  /// - Throws: ``LedgerError/cannotOpen(path:reason:)``
  public convenience init(path: String, clock: @escaping @Sendable () -> Date = { Date() })
    throws(LedgerError)
  {
    try self.init(path: path, version: Schema.migrations.count, clock: clock)
  }

  /// - Parameters:
  ///   - path: the SQLite file.
  ///   - version: of the tables; only a test makes those of an older program.
  ///   - clock: tells the time for everything that is written and everything that is due.
  init(path: String, version: Int, clock: @escaping @Sendable () -> Date = { Date() })
    throws(LedgerError)
  {
    self.path = path
    self.clock = clock
    try Self.prepareFile(path)
    do {
      var configuration = Configuration()
      configuration.busyMode = .timeout(30)
      configuration.foreignKeysEnabled = true
      queue = try DatabaseQueue(path: path, configuration: configuration)
      // One transaction: another process may be making the tables at this moment.
      if let reason = try queue.read(Schema.incompatibility) {
        throw LedgerError.cannotOpen(path: path, reason: reason)
      }
      try queue.writeWithoutTransaction { db in
        try Self.makeDurable(db, path: path)
        try Schema.migrate(db, to: version)
      }
    } catch let error as LedgerError {
      throw error
    } catch {
      throw .cannotOpen(path: path, reason: Self.reason(error))
    }
  }

  /// Creates the file where there is none, and makes sure that it can be written by us alone.
  ///
  /// The file is not opened for that: closing it again would drop the locks of every other
  /// connection of this process (https://sqlite.org/howtocorrupt.html, 2.2). SQLite gives its
  /// -wal and -shm files the mode of the ledger itself.
  private static func prepareFile(_ path: String) throws(LedgerError) {
    func failure() -> LedgerError {
      .cannotOpen(path: path, reason: String(cString: strerror(errno)))
    }
    if mknod(path, S_IFREG | 0o600, 0) != 0 {
      guard errno == EEXIST else { throw failure() }
      var status = stat()
      guard stat(path, &status) == 0 else { throw failure() }
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw .cannotOpen(path: path, reason: "it is not a file")
      }
      if status.st_mode & 0o077 != 0 {
        guard chmod(path, 0o600) == 0 else { throw failure() }
      }
    }
    let folder = (path as NSString).deletingLastPathComponent
    guard access(path, R_OK | W_OK) == 0 else { throw failure() }
    // SQLite keeps two more files next to the ledger.
    guard access(folder.isEmpty ? "." : folder, W_OK | X_OK) == 0 else { throw failure() }
  }

  /// Write-ahead log, and a sync of each commit: an acknowledged instance survives a loss of power.
  private static func makeDurable(_ db: Database, path: String) throws {
    let mode = try writeAheadLog(db, tries: 600)
    try db.execute(sql: "PRAGMA synchronous = FULL")
    let synchronous = try Int.fetchOne(db, sql: "PRAGMA synchronous")
    guard mode == "wal", synchronous == 2 else {
      throw LedgerError.cannotOpen(
        path: path,
        reason: "its file system cannot hold a write-ahead log; use a local disk "
          + "(journal mode \(mode ?? "unknown"))")
    }
  }

  /// Another process that opens a new ledger at the same moment makes SQLite refuse the change of
  /// mode at once, without waiting for the lock as it does elsewhere.
  private static func writeAheadLog(_ db: Database, tries: Int) throws -> String? {
    do {
      return try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL")
    } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY && tries > 1 {
      usleep(50_000)
      return try writeAheadLog(db, tries: tries - 1)
    }
  }

  /// One transaction that takes the write lock at once, so that it never fails half-way.
  func write<Value>(_ change: (Database) throws -> Value) throws(LedgerError) -> Value {
    do {
      return try queue.write(change)
    } catch let error as LedgerError {
      throw error
    } catch {
      throw failure(error)
    }
  }

  func read<Value>(_ query: (Database) throws -> Value) throws(LedgerError) -> Value {
    do {
      return try queue.read(query)
    } catch let error as LedgerError {
      throw error
    } catch {
      throw failure(error)
    }
  }

  /// A number that is another one as soon as a different process has changed the ledger.
  ///
  /// What this `Ledger` itself changes leaves it as it is.
  public func dataVersion() throws(LedgerError) -> Int {
    try read { db in try Int.fetchOne(db, sql: "PRAGMA data_version") ?? 0 }
  }

  /// Reads the whole file and compares every table with its indexes: about a second for 500 MB.
  ///
  /// - Throws: ``LedgerError/failed(path:reason:)`` naming the damage.
  public func checkIntegrity() throws(LedgerError) {
    let findings = try read { db in try String.fetchAll(db, sql: "PRAGMA integrity_check(3)") }
    guard findings == ["ok"] else {
      throw .failed(
        path: path,
        reason: "it is damaged, restore it from a copy: " + findings.joined(separator: "; "))
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

  private func failure(_ error: any Error) -> LedgerError {
    let reason = Self.reason(error)
    guard let error = error as? DatabaseError, let fault = Self.fault(error.resultCode) else {
      return .failed(path: path, reason: reason)
    }
    return .unavailable(path: path, reason: "\(fault): \(reason)")
  }

  /// What is wrong with the machine, by SQLite's result code (https://sqlite.org/rescode.html); nil
  /// where the fault is in the file or in the statement.
  private static func fault(_ code: ResultCode) -> String? {
    switch code {
    case .SQLITE_FULL: "no space left on device"
    case .SQLITE_READONLY: "its file system is read-only"
    case .SQLITE_IOERR: "its disk cannot be read or written"
    case .SQLITE_NOMEM: "not enough memory"
    case .SQLITE_CANTOPEN: "its files cannot be opened"
    case .SQLITE_PERM: "access is denied"
    case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_PROTOCOL: "another process has locked it"
    default: nil
    }
  }

  /// What SQLite says and the statement it says it of, on one line; values are left out.
  private static func reason(_ error: any Error) -> String {
    guard let error = error as? DatabaseError else { return "\(error)" }
    let message = error.message ?? "\(error.resultCode)"
    let statement = error.sql.map { sql in
      " (SQLite error \(error.extendedResultCode.rawValue) in \""
        + sql.split(whereSeparator: \.isWhitespace).joined(separator: " ").prefix(80) + "…\")"
    }
    return message + (statement ?? " (SQLite error \(error.extendedResultCode.rawValue))")
  }
}
