import GRDB

extension Schema {
  /// Files of watch folders that were being read when the receiving process crashed.
  static let crashes = """
    CREATE TABLE crashing_files (
      path        TEXT PRIMARY KEY NOT NULL CHECK (path <> ''),
      -- Another one as soon as the file is changed or replaced.
      version     TEXT NOT NULL,
      crash_count INTEGER NOT NULL CHECK (crash_count > 0),
      is_refused  INTEGER NOT NULL CHECK (is_refused IN (0, 1))
    ) STRICT;
    """
}

/// What is known of a file of a watch folder from crashes.
public enum CrashSuspicion: Sendable, Equatable {
  /// It was read while the process crashed, perhaps for something else.
  case suspected
  /// It is not read again until it changes.
  case refused
}

extension Ledger {
  /// What earlier crashes say of a version of a file; nil where it was read in none of them.
  public func crashSuspicion(ofFile path: String, version: String) throws(LedgerError)
    -> CrashSuspicion?
  {
    try read { db in
      try Bool.fetchOneCached(
        db, sql: "SELECT is_refused FROM crashing_files WHERE path = ? AND version = ?",
        arguments: [path, version]
      ).map { $0 ? .refused : .suspected }
    }
  }

  /// Notes that the receiving process crashed while it read a file, and refuses the file where that is
  /// certain, or happened for the second time.
  ///
  /// - Parameters:
  ///   - path: of the file.
  ///   - version: of the file, which is another one as soon as it is changed.
  ///   - isCertain: whether nothing else can have been the cause.
  ///   - reason: why it is refused, for people.
  /// - Returns: what follows for the file.
  public func recordCrash(ofFile path: String, version: String, isCertain: Bool, reason: String)
    throws(LedgerError) -> CrashSuspicion
  {
    try write { db in
      let isRefused = try Bool.fetchOne(
        db,
        sql: """
          INSERT INTO crashing_files (path, version, crash_count, is_refused) VALUES (?1, ?2, 1, ?3)
          ON CONFLICT (path) DO UPDATE SET
            crash_count = iif(version = ?2, crash_count + 1, 1),
            is_refused = iif(version = ?2, 1, ?3), version = ?2
          RETURNING is_refused
          """, arguments: [path, version, isCertain])
      guard isRefused == true else { return .suspected }
      var refusal = RefusedInstance(reason: reason, source: .watch)
      refusal.file = path
      try record(refusal, db)
      return .refused
    }
  }

  /// Forgets that a file was suspected: it was read without a crash.
  public func clearCrashes(ofFile path: String) throws(LedgerError) {
    try write(patience: intakePatience) { db in
      try db.execute(sql: "DELETE FROM crashing_files WHERE path = ?", arguments: [path])
    }
  }
}
