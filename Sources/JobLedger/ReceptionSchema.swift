extension Schema {
  /// Associations and refused instances: how it is known that a series may not be whole.
  static let reception = """
    -- An association over which instances were stored or refused. One that was open when the
    -- process was killed is closed as interrupted at the next start.
    CREATE TABLE associations (
      id           INTEGER PRIMARY KEY,
      key          TEXT NOT NULL UNIQUE,
      calling_ae   TEXT NOT NULL,
      called_ae    TEXT NOT NULL,
      peer_address TEXT NOT NULL,
      started_at   REAL NOT NULL,
      ended_at     REAL,
      outcome      TEXT CHECK (outcome IN ('released', 'aborted by peer', 'connection lost',
        'timed out', 'aborted', 'shut down', 'interrupted')),
      message      TEXT,
      stored       INTEGER NOT NULL DEFAULT 0 CHECK (stored >= 0),
      refused      INTEGER NOT NULL DEFAULT 0 CHECK (refused >= 0),
      CHECK ((ended_at IS NULL) = (outcome IS NULL))
    ) STRICT;
    CREATE INDEX associations_open ON associations (id) WHERE ended_at IS NULL;

    -- The series that came over an association. last_at is when the last instance began to come;
    -- resolved_by is the association itself once it is released, and the later one that made up for
    -- an interrupted one.
    CREATE TABLE association_series (
      association_id INTEGER NOT NULL REFERENCES associations,
      series_uid     TEXT NOT NULL,
      stored         INTEGER NOT NULL CHECK (stored >= 0),
      refused        INTEGER NOT NULL CHECK (refused >= 0),
      last_at        REAL NOT NULL,
      resolved_by    INTEGER REFERENCES associations,
      PRIMARY KEY (association_id, series_uid)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX association_series_by_series ON association_series (series_uid);
    CREATE INDEX association_series_unresolved ON association_series (series_uid)
      WHERE resolved_by IS NULL;

    -- Instances that were offered and not taken, each as far as it can be told which one it is.
    CREATE TABLE refused_instances (
      id              INTEGER PRIMARY KEY,
      first_at        REAL NOT NULL,
      last_at         REAL NOT NULL,
      count           INTEGER NOT NULL DEFAULT 1 CHECK (count > 0),
      sop_uid         TEXT CHECK (sop_uid <> ''),
      sop_class_uid   TEXT CHECK (sop_class_uid <> ''),
      series_uid      TEXT CHECK (series_uid <> ''),
      study_uid       TEXT CHECK (study_uid <> ''),
      modality        TEXT,
      transfer_syntax TEXT,
      -- The DIMSE status that was answered; null where none was, and for a file.
      status          INTEGER,
      reason          TEXT NOT NULL,
      source          TEXT NOT NULL CHECK (source IN ('listener', 'watch', 'command')),
      calling_ae      TEXT,
      peer_address    TEXT,
      association_id  INTEGER REFERENCES associations,
      file            TEXT,
      resolved_at     REAL,
      resolution      TEXT CHECK (resolution IN ('received', 'released')),
      CHECK ((resolved_at IS NULL) = (resolution IS NULL))
    ) STRICT;
    CREATE INDEX refused_by_sop ON refused_instances (sop_uid);
    CREATE INDEX refused_by_series ON refused_instances (series_uid);
    CREATE INDEX refused_by_study ON refused_instances (study_uid) WHERE series_uid IS NULL;
    CREATE INDEX refused_by_association ON refused_instances (association_id);
    CREATE INDEX refused_by_file ON refused_instances (file) WHERE file IS NOT NULL;

    -- 1 where the series was assembled and held because instances may be missing.
    ALTER TABLE series ADD COLUMN held_as_incomplete INTEGER NOT NULL DEFAULT 0
      CHECK (held_as_incomplete IN (0, 1));
    """
}
