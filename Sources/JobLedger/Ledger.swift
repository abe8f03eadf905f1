import Clocks
import Foundation
import GRDB
import Synchronization

/// The record of everything that was received, done and sent: one SQLite file.
///
/// Any number of processes may have it open. Each change is made whole or not at all and is on disk
/// when the call returns; those of several threads share transactions, and so syncs. All methods may be
/// called from any thread and block for a few milliseconds.
///
/// ```swift
/// let ledger = try Ledger(path: "/var/lib/segmentd/ledger.sqlite")
/// while let job = try ledger.claimJob() { … }
/// ```
public final class Ledger: Sendable {
  let path: String
  /// Who causes what is done with this ledger by order of a person, for events and audit log: the account that
  /// runs a command. Nil in a daemon, whose callers say who it was.
  public let account: String?
  let source: TimeSource
  let timeline: Mutex<Timeline>
  /// When the ledger last noted how far its time has come.
  let timeNoted: Mutex<Double>
  let commits: GroupCommit
  /// A connection for queries, which never wait for what is being written.
  let reader: DatabaseQueue

  /// How long a peer or a watch folder waits for another process that has locked the ledger.
  let intakePatience: Duration
  /// Whether SQLite has said that the file is damaged.
  let suspicion: DamageSuspicion

  /// Opens the ledger, creating it (mode 0600) or bringing its tables up to date.
  ///
  /// - Parameters:
  ///   - path: the SQLite file.
  ///   - clock: what the time for everything that is written and everything that is due is told by.
  ///   - account: see ``account``.
  ///   - mayUpgrade: is asked before the tables of an older version are changed: an older program that has the
  ///     ledger open could not use them any more.
  /// - Throws: ``LedgerError/cannotOpen(path:reason:)``, ``LedgerError/damaged(path:reason:)``,
  ///   ``LedgerError/wouldUpgrade(path:from:to:)`` where it may not, or
  ///   ``LedgerError/unavailable(path:reason:)`` where the disk is full or cannot be read now.
  public convenience init(
    path: String, clock: TimeSource = .system, account: String? = nil,
    mayUpgrade: () -> Bool = { true }
  ) throws(LedgerError) {
    try self.init(
      path: path, version: Schema.migrations.count, clock: clock, account: account,
      mayUpgrade: mayUpgrade)
  }

  /// - Parameters:
  ///   - path: the SQLite file.
  ///   - version: of the tables; only a test makes those of an older program.
  ///   - intakePatience: how long what is received waits for another process that has locked the ledger.
  ///   - source: what the time for everything that is written and everything that is due is told by.
  ///   - account: see ``account``.
  ///   - mayUpgrade: whether the tables of an older version may be changed.
  init(
    path: String, version: Int = Schema.migrations.count, intakePatience: Duration = .seconds(8),
    clock source: TimeSource = .system, account: String? = nil,
    mayUpgrade: () -> Bool = { true }
  ) throws(LedgerError) {
    self.path = path
    self.account = account
    self.intakePatience = intakePatience
    self.source = source
    let suspicion = DamageSuspicion()
    self.suspicion = suspicion
    try Self.prepareFile(path)
    do {
      commits = try GroupCommit(path: path, suspicion: suspicion)
      // One transaction: another process may be making the tables at this moment.
      try commits.withConnection { db in
        if let reason = try Schema.incompatibility(db) {
          throw LedgerError.cannotOpen(path: path, reason: reason)
        }
        let found = try Schema.version(db)
        if found > 0, found < version, !mayUpgrade() {
          throw LedgerError.wouldUpgrade(path: path, from: found, to: version)
        }
        try Self.makeDurable(db, path: path)
        try Self.bringUpToDate(db, path: path, to: version)
      }
      let (timeline, noted) = try commits.withConnection { try Self.timeline($0, source) }
      self.timeline = Mutex(timeline)
      timeNoted = Mutex(noted)
      var configuration = Configuration()
      configuration.busyMode = .timeout(30)
      reader = try DatabaseQueue(path: path, configuration: configuration)
      // Who has the ledger locked now keeps nobody from opening it: then the time is noted later.
      _ = try? noteTime()
    } catch let error as LedgerError {
      throw error
    } catch let error as DatabaseError
      where [.SQLITE_FULL, .SQLITE_IOERR].contains(error.resultCode)
    {
      throw LedgerError(error, path: path)
    } catch let error where LedgerError.isOfDamage(error) {
      throw .damaged(path: path, reason: LedgerError.reason(error))
    } catch {
      throw .cannotOpen(path: path, reason: LedgerError.reason(error))
    }
  }

  /// Opens a ledger for queries alone, as it is: it is not created, changed or brought up to date, and may
  /// be in a folder or on a file system that cannot be written.
  ///
  /// - Parameters:
  ///   - path: the SQLite file.
  ///   - source: what the time is told by.
  /// - Throws: ``LedgerError/cannotOpen(path:reason:)``, also where its tables are of another version, or
  ///   ``LedgerError/damaged(path:reason:)``.
  public init(reading path: String, clock source: TimeSource = .system) throws(LedgerError) {
    self.path = path
    account = nil
    self.source = source
    intakePatience = .seconds(8)
    let suspicion = DamageSuspicion()
    self.suspicion = suspicion
    do {
      guard access(path, R_OK) == 0 else {
        throw LedgerError.cannotOpen(
          path: path,
          reason: errno == ENOENT
            ? "there is no ledger here: no daemon has run with this configuration yet"
            : String(cString: strerror(errno)))
      }
      var configuration = Configuration()
      configuration.readonly = true
      configuration.busyMode = .timeout(30)
      let file = try Self.readable(path, configuration)
      reader = try DatabaseQueue(path: file, configuration: configuration)
      commits = try GroupCommit(path: file, isReadOnly: true, suspicion: suspicion)
      let reason = try reader.read { try Schema.incompatibility($0) ?? Schema.obsolescence($0) }
      if let reason { throw LedgerError.cannotOpen(path: path, reason: reason) }
      timeline = Mutex(try reader.read { try Timeline.continued($0, source).0 })
      timeNoted = Mutex(.infinity)
    } catch let error as LedgerError {
      throw error
    } catch let error where LedgerError.isOfDamage(error) {
      throw .damaged(path: path, reason: LedgerError.reason(error))
    } catch {
      throw .cannotOpen(path: path, reason: LedgerError.reason(error))
    }
  }

  /// The time of the ledger as it continues in this process, and when that was noted.
  private static func timeline(_ db: Database, _ source: TimeSource) throws
    -> (Timeline, noted: Double)
  {
    let (timeline, noted) = try Timeline.continued(db, source)
    if let noted { return (timeline, noted) }
    try db.inTransaction(.immediate) {
      // Unless another process was faster.
      if try Timeline.continued(db, source).noted == nil { try timeline.write(db, source) }
      return .commit
    }
    let (written, seen) = try Timeline.continued(db, source)
    return (written, seen ?? written.time(source.steady()))
  }

  /// The file, or the URI by which SQLite reads one whose folder cannot be written, as on a full disk: a
  /// write-ahead log needs an index beside it, unless nobody is writing (https://sqlite.org/wal.html,
  /// "Read-Only Databases").
  private static func readable(_ path: String, _ configuration: Configuration) throws -> String {
    do {
      try DatabaseQueue(path: path, configuration: configuration).read { db in
        _ = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema")
      }
      return path
    } catch let error as DatabaseError
      where [.SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_FULL, .SQLITE_IOERR]
      .contains(error.resultCode)
    {
      var log = stat()
      guard stat(path + "-wal", &log) != 0 || log.st_size == 0 else { throw error }
      let allowed = CharacterSet.urlPathAllowed.subtracting(CharacterSet(charactersIn: "?#%"))
      guard let name = path.addingPercentEncoding(withAllowedCharacters: allowed) else {
        throw error
      }
      return "file:\(name)?immutable=1"
    }
  }

  deinit {
    try? reader.close()
    commits.close()
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

  /// A change in a transaction that may be shared with those of other threads; on disk when this
  /// returns. `change` is called a second time where the transaction failed for another's sake.
  func write<Value: Sendable>(
    patience: Duration = .seconds(30), _ change: (Database) throws -> Value
  ) throws(LedgerError) -> Value {
    do { return try commits.perform(patience: patience, change) } catch {
      throw suspicion.noting(error, path: path)
    }
  }

  /// The same without waiting for it.
  func submit<Value: Sendable>(
    patience: Duration, _ change: @escaping @Sendable (Database) throws -> Value
  ) -> PendingCommit<Value> {
    commits.submit(patience: patience, change)
  }

  func read<Value>(_ query: (Database) throws -> Value) throws(LedgerError) -> Value {
    do { return try reader.read(query) } catch { throw suspicion.noting(error, path: path) }
  }

  /// A number that is another one as soon as a different process has changed the ledger.
  ///
  /// What this `Ledger` itself changes leaves it as it is.
  public func dataVersion() throws(LedgerError) -> Int {
    do {
      return try commits.withConnection { db in
        try Int.fetchOne(db, sql: "PRAGMA data_version") ?? 0
      }
    } catch {
      throw suspicion.noting(error, path: path)
    }
  }

  /// Events have the time that the clock of the machine showed.
  func eventDate(_ row: Row) throws -> Date { Date(timeIntervalSince1970: try row.value("at")) }
}
