extension Schema {
  /// What a listener hands over to a head, and what a head has taken from listeners.
  static let handover = """
    -- Of a listener, one row: what this ledger records is handed over. `run` names the numbers in
    -- `handovers`; there is a new one where numbers would be given again. failing_since and last_error
    -- are of a head that does not answer.
    CREATE TABLE handover (
      id            INTEGER PRIMARY KEY CHECK (id = 1),
      run           TEXT NOT NULL CHECK (run <> ''),
      answered_at   REAL,
      failing_since REAL,
      last_error    TEXT,
      CHECK ((failing_since IS NULL) = (last_error IS NULL))
    ) STRICT;

    -- In the order in which it happened: instances that were acknowledged, instances that were refused,
    -- and ends of associations. handed_at is when the head had it on disk.
    CREATE TABLE handovers (
      id             INTEGER PRIMARY KEY AUTOINCREMENT,
      -- Tells the entry from another one of the same number, in a ledger that was restored from a copy.
      mark           TEXT NOT NULL DEFAULT (lower(hex(randomblob(8)))),
      kind           TEXT NOT NULL CHECK (kind IN ('instance', 'refusal', 'end')),
      at             REAL NOT NULL,
      -- Null for an end, and for a refused instance that names none.
      series_uid     TEXT,
      -- An instance that is withdrawn was not acknowledged.
      instance_id    INTEGER REFERENCES instances ON DELETE CASCADE,
      association_id INTEGER REFERENCES associations,
      began_at       REAL,
      -- Of a refused instance as JSON; of an instance of a watch folder the hash of its path.
      detail         TEXT,
      handed_at      REAL,
      -- Why the head did not take an instance.
      refused        TEXT,
      CHECK ((kind = 'instance') = (instance_id IS NOT NULL)),
      CHECK (kind <> 'end' OR association_id IS NOT NULL),
      CHECK (refused IS NULL OR handed_at IS NOT NULL)
    ) STRICT;
    CREATE INDEX handovers_waiting ON handovers (series_uid, id) WHERE handed_at IS NULL;
    CREATE INDEX handovers_refused ON handovers (id) WHERE refused IS NOT NULL;
    CREATE INDEX handovers_by_instance ON handovers (instance_id);

    -- Of a head: one row for each run of numbers of a listener. taken is the last number that was taken, and
    -- taken_mark the mark of that entry; what comes again is known by the number.
    CREATE TABLE listeners (
      id         INTEGER PRIMARY KEY,
      name       TEXT NOT NULL CHECK (name <> ''),
      run        TEXT NOT NULL CHECK (run <> ''),
      taken      INTEGER NOT NULL DEFAULT 0 CHECK (taken >= 0),
      taken_mark TEXT,
      first_seen REAL NOT NULL,
      last_seen  REAL NOT NULL,
      away_since REAL,
      -- What waits there, as it said last.
      waiting    INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),
      oldest_at  REAL,
      UNIQUE (name, run),
      CHECK ((taken = 0) = (taken_mark IS NULL))
    ) STRICT;

    -- Series of which instances wait at a listener.
    CREATE TABLE awaited_series (
      series_uid  TEXT NOT NULL CHECK (series_uid <> ''),
      listener_id INTEGER NOT NULL REFERENCES listeners,
      PRIMARY KEY (series_uid, listener_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX awaited_by_listener ON awaited_series (listener_id);

    -- The listener that the association came to; away_since where that is away while it is open.
    ALTER TABLE associations ADD COLUMN listener_id INTEGER REFERENCES listeners;
    ALTER TABLE associations ADD COLUMN away_since REAL;
    CREATE INDEX associations_of_listener ON associations (listener_id)
      WHERE listener_id IS NOT NULL AND ended_at IS NULL;
    """
}
