import GRDB

/// The ledger's tables as SQL. A migration, once released, is never changed: a new one is added.
enum Schema {
  static func migrator() -> DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1: the whole road") { try $0.execute(sql: first) }
    return migrator
  }

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
    CREATE TABLE instances (
      id              INTEGER PRIMARY KEY,
      sop_uid         TEXT NOT NULL CHECK (sop_uid <> ''),
      series_uid      TEXT NOT NULL REFERENCES series,
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
      attempt_count     INTEGER NOT NULL DEFAULT 0,
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

    CREATE TABLE attempts (
      id          INTEGER PRIMARY KEY,
      job_id      INTEGER NOT NULL REFERENCES jobs,
      number      INTEGER NOT NULL,
      started_at  REAL NOT NULL,
      finished_at REAL,
      outcome     TEXT CHECK (outcome IN ('completed', 'held', 'failed', 'rescued', 'cancelled')),
      message     TEXT,
      UNIQUE (job_id, number),
      CHECK ((finished_at IS NULL) = (outcome IS NULL))
    ) STRICT;

    -- sop_uid and path are null where the model found nothing.
    CREATE TABLE results (
      job_id        INTEGER PRIMARY KEY REFERENCES jobs,
      sop_uid       TEXT UNIQUE,
      path          TEXT,
      picture_path  TEXT,
      model_version TEXT NOT NULL,
      summary       TEXT NOT NULL,
      created_at    REAL NOT NULL,
      superseded_by INTEGER REFERENCES jobs,
      CHECK ((sop_uid IS NULL) = (path IS NULL))
    ) STRICT;

    CREATE TABLE deliveries (
      id            INTEGER PRIMARY KEY,
      job_id        INTEGER NOT NULL REFERENCES results,
      destination   TEXT NOT NULL,
      state         TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'delivered', 'superseded')),
      attempt_count INTEGER NOT NULL DEFAULT 0,
      scheduled_at  REAL NOT NULL,
      delivered_at  REAL,
      last_error    TEXT,
      UNIQUE (job_id, destination),
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
