extension Schema {
  /// Workitems of a worklist server that we perform or have performed.
  static let workitems = """
    CREATE TABLE workitems (
      uid             TEXT PRIMARY KEY CHECK (uid <> ''),
      -- By which we hold it; written before the server is asked for it.
      transaction_uid TEXT NOT NULL UNIQUE CHECK (transaction_uid <> ''),
      -- claiming: the server is asked for it; ending: its last state is on the way to the server; lost: it
      -- belongs to somebody else, or is gone.
      state           TEXT NOT NULL CHECK (state IN
        ('claiming', 'performing', 'ending', 'completed', 'cancelled', 'lost')),
      -- Times as the machine's clock shows them.
      began_at        REAL NOT NULL,
      ended_at        REAL,
      -- Why it is or will be cancelled, or was lost.
      reason          TEXT,
      CHECK ((ended_at IS NOT NULL) = (state IN ('completed', 'cancelled', 'lost'))),
      CHECK (state NOT IN ('cancelled', 'lost') OR reason IS NOT NULL)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX workitems_open ON workitems (began_at) WHERE ended_at IS NULL;
    CREATE TRIGGER workitems_change_state_in_order BEFORE UPDATE OF state ON workitems
      WHEN OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (VALUES
        ('claiming', 'performing'), ('claiming', 'lost'), ('performing', 'ending'),
        ('performing', 'lost'), ('ending', 'completed'), ('ending', 'cancelled'), ('ending', 'lost'))
      BEGIN SELECT RAISE(ABORT, 'a workitem cannot change its state in this way'); END;

    CREATE TABLE workitem_inputs (
      workitem_uid TEXT NOT NULL REFERENCES workitems,
      study_uid    TEXT NOT NULL CHECK (study_uid <> ''),
      -- Empty for every series of the study.
      series_uid   TEXT NOT NULL,
      PRIMARY KEY (workitem_uid, study_uid, series_uid)
    ) STRICT, WITHOUT ROWID;
    """
}
