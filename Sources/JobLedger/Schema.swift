import GRDB

/// The ledger's tables as SQL, and the way from an older version of them to the newest.
enum Schema {
  /// Each brings a ledger from the version before to the next; a released one is never changed.
  static let migrations = [
    first, second, third, fourth, reception, completeness, commitment, crashes, resultIdentity,
    story, administration, processing, eventChain, lostFiles, time, preemption, verifiedDelivery,
    volumeChoice, retention, scale, declinedObjects, comparison, notices, goldenChecks, workitems,
    reprocessing, handover, submissions,
  ]

  /// "SEGM": marks the SQLite file as a ledger (https://sqlite.org/fileformat.html, offset 68).
  private static let applicationID: Int64 = 0x5345_474D

  /// Why this program cannot use the file; nil for a ledger that it can, and for an empty file.
  static func incompatibility(_ db: Database) throws -> String? {
    let id = try Int64.fetchOne(db, sql: "PRAGMA application_id") ?? 0
    let isEmpty = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") == 0
    guard id == applicationID || (id == 0 && isEmpty) else {
      return "it is the database of another program"
    }
    let version = try version(db)
    guard version <= migrations.count else {
      return "it was written by a newer segmentd (its tables have version \(version), "
        + "this program knows \(migrations.count))"
    }
    return nil
  }

  /// Why the file cannot be read without being brought up to date; nil where it can.
  static func obsolescence(_ db: Database) throws -> String? {
    let version = try version(db)
    guard version < migrations.count else { return nil }
    return "it was written by an older segmentd (its tables have version \(version), this program "
      + "knows \(migrations.count)): the daemon brings it up to date when it starts, and so does "
      + "`segmentd ledger vacuum`"
  }

  /// Brings the tables up to date in one transaction; two processes may do so at the same time.
  ///
  /// Foreign keys are off meanwhile, as a table that others refer to can only be rebuilt so
  /// (https://sqlite.org/lang_altertable.html, section 7), and checked before the commit.
  ///
  /// - Parameters:
  ///   - db: a connection outside a transaction.
  ///   - target: the version to stop at.
  ///   - keep: is told the version that the tables have before anything is changed, while no other
  ///     process can change anything.
  static func migrate(_ db: Database, to target: Int, keep: (Int) throws -> Void) throws {
    guard try version(db) < target else { return }
    try db.execute(sql: "PRAGMA foreign_keys = OFF")
    defer { try? db.execute(sql: "PRAGMA foreign_keys = ON") }
    try db.inTransaction(.immediate) {
      let found = try version(db)
      if found < target { try keep(found) }
      let functions = chainedHash()
      for function in functions { db.add(function: function) }
      defer { for function in functions { db.remove(function: function) } }
      for migration in migrations[..<target].dropFirst(found) {
        try db.execute(sql: migration)
      }
      try db.checkForeignKeys()
      try db.execute(sql: "PRAGMA application_id = \(applicationID)")
      try db.execute(sql: "PRAGMA user_version = \(target)")
      return .commit
    }
  }

  static func version(_ db: Database) throws -> Int {
    try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
  }

  private static let fourth = """
    -- A result is a list of files, each of a kind: DICOM objects, which are sent, and pictures for
    -- people, which are not.
    CREATE TABLE new_results (
      job_id        INTEGER PRIMARY KEY REFERENCES jobs,
      model_version TEXT NOT NULL,
      summary       TEXT NOT NULL,
      -- A list of name, value and unit as JSON.
      measurements  TEXT,
      created_at    REAL NOT NULL,
      superseded_by INTEGER REFERENCES jobs
    ) STRICT;
    INSERT INTO new_results
      SELECT job_id, model_version, summary, measurements, created_at, superseded_by FROM results;

    CREATE TABLE new_result_objects (
      job_id  INTEGER NOT NULL REFERENCES results,
      number  INTEGER NOT NULL CHECK (number > 0),
      kind    TEXT NOT NULL CHECK (kind <> ''),
      -- Null for a picture.
      sop_uid TEXT UNIQUE CHECK (sop_uid <> ''),
      path    TEXT NOT NULL,
      -- Of the file as it was proved; null for a picture that an older version wrote.
      sha256  TEXT CHECK (length(sha256) = 64),
      PRIMARY KEY (job_id, number),
      CHECK ((kind = 'picture') = (sop_uid IS NULL)),
      CHECK (kind = 'picture' OR sha256 IS NOT NULL)
    ) STRICT;
    INSERT INTO new_result_objects (job_id, number, kind, sop_uid, path, sha256)
      SELECT job_id, row_number() OVER (PARTITION BY job_id ORDER BY kind = 'picture', number), kind,
        sop_uid, path, sha256
      FROM (
        SELECT job_id, 1 AS number, 'seg' AS kind, sop_uid, path, sha256 FROM results
          WHERE path IS NOT NULL
        UNION ALL SELECT job_id, number, 'seg', sop_uid, path, sha256 FROM result_objects
        UNION ALL SELECT job_id, 1, 'picture', NULL, picture_path, NULL FROM results
          WHERE picture_path IS NOT NULL);

    DROP TABLE result_objects;
    DROP TABLE results;
    ALTER TABLE new_results RENAME TO results;
    ALTER TABLE new_result_objects RENAME TO result_objects;

    -- The series' revision at which this version of the instance came again after a later one had
    -- replaced it. Of the versions of an instance the one that was received last counts.
    ALTER TABLE instances ADD COLUMN restored_revision INTEGER
      CHECK (restored_revision > revision);

    -- What an input is: a channel of the model, or a further series of the stack of which the job's
    -- series is one, which has no channel.
    ALTER TABLE job_inputs ADD COLUMN role TEXT NOT NULL DEFAULT 'channel'
      CHECK (role IN ('channel', 'stack') AND (role = 'channel') = (channel <> ''));
    """

  private static let third = """
    -- What the geometry gate made of a series, each time that it was assessed; the last one counts.
    -- job_id is null where the series was assessed when it was assembled. A series that was assembled
    -- by an older version has none until it is assessed again.
    CREATE TABLE verdicts (
      id         INTEGER PRIMARY KEY,
      series_uid TEXT NOT NULL REFERENCES series,
      -- Of the series: it was assessed by the instances up to this one.
      revision   INTEGER NOT NULL CHECK (revision > 0),
      job_id     INTEGER REFERENCES jobs,
      at         REAL NOT NULL,
      verdict    TEXT NOT NULL CHECK (verdict IN ('accepted', 'repaired', 'held')),
      -- Lists as JSON.
      reasons    TEXT NOT NULL,
      volumes    TEXT NOT NULL
    ) STRICT;
    CREATE INDEX verdicts_by_series ON verdicts (series_uid);
    CREATE TRIGGER verdicts_are_not_changed BEFORE UPDATE ON verdicts
      BEGIN SELECT RAISE(ABORT, 'verdicts are append-only'); END;
    CREATE TRIGGER verdicts_are_not_removed BEFORE DELETE ON verdicts
      BEGIN SELECT RAISE(ABORT, 'verdicts are append-only'); END;
    """

  private static let second = """
    -- The input series of a job, for a model with several channels.
    CREATE TABLE job_inputs (
      job_id     INTEGER NOT NULL REFERENCES jobs,
      position   INTEGER NOT NULL,
      channel    TEXT NOT NULL,
      series_uid TEXT NOT NULL REFERENCES series,
      revision   INTEGER NOT NULL,
      PRIMARY KEY (job_id, position)
    ) STRICT;

    -- The objects of a result beyond the first, as of further phases of a cine series.
    CREATE TABLE result_objects (
      job_id  INTEGER NOT NULL REFERENCES results,
      number  INTEGER NOT NULL CHECK (number > 1),
      sop_uid TEXT NOT NULL UNIQUE,
      path    TEXT NOT NULL,
      sha256  TEXT NOT NULL CHECK (length(sha256) = 64),
      PRIMARY KEY (job_id, number)
    ) STRICT;

    -- A list of name, value and unit as JSON.
    ALTER TABLE results ADD COLUMN measurements TEXT;
    """

  // Times are seconds since 1970. No name, birth date or ID of a patient is stored here.
  private static let first = """
    CREATE TABLE peers (
      ae_title   TEXT PRIMARY KEY NOT NULL,
      first_seen REAL NOT NULL,
      last_seen  REAL NOT NULL
    ) STRICT;

    CREATE TABLE studies (
      study_uid  TEXT PRIMARY KEY NOT NULL CHECK (study_uid <> ''),
      created_at REAL NOT NULL
    ) STRICT;

    -- revision grows with every instance; assembled_revision is the one the last job was made of.
    CREATE TABLE series (
      series_uid         TEXT PRIMARY KEY NOT NULL CHECK (series_uid <> ''),
      study_uid          TEXT NOT NULL REFERENCES studies,
      modality           TEXT NOT NULL,
      revision           INTEGER NOT NULL DEFAULT 0,
      assembled_revision INTEGER NOT NULL DEFAULT 0 CHECK (assembled_revision <= revision),
      last_received_at   REAL NOT NULL
    ) STRICT;
    CREATE INDEX series_by_study ON series (study_uid);
    CREATE INDEX series_due ON series (last_received_at) WHERE assembled_revision < revision;

    -- One row for each content: an instance that comes again with other pixels is a second row.
    -- revision is the series' revision that the instance made: a job sees those up to its own.
    CREATE TABLE instances (
      id              INTEGER PRIMARY KEY,
      sop_uid         TEXT NOT NULL CHECK (sop_uid <> ''),
      series_uid      TEXT NOT NULL REFERENCES series,
      revision        INTEGER NOT NULL CHECK (revision > 0),
      sop_class_uid   TEXT NOT NULL,
      transfer_syntax TEXT NOT NULL,
      spool_path      TEXT NOT NULL UNIQUE,
      byte_count      INTEGER NOT NULL CHECK (byte_count > 0),
      content_hash    TEXT NOT NULL CHECK (length(content_hash) = 64),
      source          TEXT NOT NULL CHECK (source IN ('listener', 'watch', 'command')),
      calling_ae      TEXT REFERENCES peers,
      received_at     REAL NOT NULL,
      UNIQUE (sop_uid, series_uid, content_hash)
    ) STRICT;
    CREATE INDEX instances_by_series ON instances (series_uid);

    CREATE TABLE jobs (
      id                INTEGER PRIMARY KEY AUTOINCREMENT,
      series_uid        TEXT NOT NULL REFERENCES series,
      revision          INTEGER NOT NULL,
      model             TEXT NOT NULL,
      result_series_uid TEXT NOT NULL UNIQUE,
      result_sop_uid    TEXT NOT NULL UNIQUE,
      state             TEXT NOT NULL CHECK (state IN
        ('available', 'running', 'retryable', 'completed', 'held', 'cancelled', 'discarded')),
      attempt_count     INTEGER NOT NULL DEFAULT 0 CHECK (attempt_count >= 0),
      created_at        REAL NOT NULL,
      scheduled_at      REAL NOT NULL,
      finished_at       REAL,
      reason            TEXT,
      CHECK ((finished_at IS NOT NULL) =
             (state IN ('completed', 'held', 'cancelled', 'discarded'))),
      CHECK (state NOT IN ('held', 'discarded', 'retryable') OR reason IS NOT NULL)
    ) STRICT;
    CREATE INDEX jobs_due ON jobs (scheduled_at) WHERE state IN ('available', 'retryable');
    CREATE INDEX jobs_by_series ON jobs (series_uid);
    CREATE TRIGGER jobs_change_state_in_order BEFORE UPDATE OF state ON jobs
      WHEN (OLD.state, NEW.state) NOT IN (VALUES
        ('available', 'running'), ('available', 'cancelled'),
        ('retryable', 'running'), ('retryable', 'cancelled'),
        ('running', 'available'), ('running', 'retryable'), ('running', 'completed'),
        ('running', 'held'), ('running', 'cancelled'), ('running', 'discarded'))
      BEGIN SELECT RAISE(ABORT, 'a job cannot change its state in this way'); END;

    CREATE TABLE attempts (
      id          INTEGER PRIMARY KEY,
      job_id      INTEGER NOT NULL REFERENCES jobs,
      number      INTEGER NOT NULL,
      started_at  REAL NOT NULL,
      finished_at REAL,
      outcome     TEXT CHECK (outcome IN
        ('completed', 'held', 'failed', 'rescued', 'released', 'cancelled')),
      message     TEXT,
      UNIQUE (job_id, number),
      CHECK ((finished_at IS NULL) = (outcome IS NULL))
    ) STRICT;
    CREATE UNIQUE INDEX attempts_open ON attempts (job_id) WHERE finished_at IS NULL;

    -- sop_uid and path are null where the model found nothing.
    CREATE TABLE results (
      job_id        INTEGER PRIMARY KEY REFERENCES jobs,
      sop_uid       TEXT UNIQUE,
      path          TEXT,
      -- SHA-256 of the file as it was proved.
      sha256        TEXT CHECK (length(sha256) = 64),
      picture_path  TEXT,
      model_version TEXT NOT NULL,
      summary       TEXT NOT NULL,
      created_at    REAL NOT NULL,
      superseded_by INTEGER REFERENCES jobs,
      CHECK ((sop_uid IS NULL) = (path IS NULL)),
      CHECK ((path IS NULL) = (sha256 IS NULL))
    ) STRICT;

    CREATE TABLE deliveries (
      id            INTEGER PRIMARY KEY,
      job_id        INTEGER NOT NULL REFERENCES results,
      destination   TEXT NOT NULL,
      state         TEXT NOT NULL CHECK (state IN
        ('waiting', 'sending', 'delivered', 'superseded', 'discarded')),
      attempt_count INTEGER NOT NULL DEFAULT 0 CHECK (attempt_count >= 0),
      scheduled_at  REAL NOT NULL,
      delivered_at  REAL,
      last_failure  TEXT CHECK (last_failure IN ('unreachable', 'refused')),
      last_error    TEXT,
      UNIQUE (job_id, destination),
      CHECK (state <> 'discarded' OR last_error IS NOT NULL),
      CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
    ) STRICT;
    CREATE INDEX deliveries_due ON deliveries (scheduled_at) WHERE state = 'waiting';

    CREATE TABLE events (
      id         INTEGER PRIMARY KEY,
      at         REAL NOT NULL,
      kind       TEXT NOT NULL,
      series_uid TEXT,
      job_id     INTEGER,
      message    TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_by_job ON events (job_id);
    CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
      BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
    CREATE TRIGGER events_are_not_removed BEFORE DELETE ON events
      BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
    """
}
