extension Schema {
  /// Requests for storage commitment (PS3.4 J) and what is reported on them.
  static let commitment = """
    CREATE TABLE commitments (
      id              INTEGER PRIMARY KEY AUTOINCREMENT,
      transaction_uid TEXT NOT NULL CHECK (transaction_uid <> ''),
      calling_ae      TEXT NOT NULL,
      peer_address    TEXT NOT NULL,
      requested_at    REAL NOT NULL,
      -- requested: the objects have not been looked at. ready: the report is to be sent.
      state           TEXT NOT NULL CHECK (state IN
        ('requested', 'ready', 'reported', 'discarded')),
      attempt_count   INTEGER NOT NULL DEFAULT 0 CHECK (attempt_count >= 0),
      scheduled_at    REAL NOT NULL,
      reported_at     REAL,
      last_error      TEXT,
      CHECK ((state = 'reported') = (reported_at IS NOT NULL)),
      CHECK (state <> 'discarded' OR last_error IS NOT NULL)
    ) STRICT;
    CREATE INDEX commitments_due ON commitments (scheduled_at)
      WHERE state IN ('requested', 'ready');

    CREATE TABLE commitment_references (
      commitment_id  INTEGER NOT NULL REFERENCES commitments,
      position       INTEGER NOT NULL,
      sop_class_uid  TEXT NOT NULL,
      sop_uid        TEXT NOT NULL,
      -- Failure Reason (0008,1197); null where the object is held, and before it was looked at.
      failure_reason INTEGER CHECK (failure_reason > 0),
      PRIMARY KEY (commitment_id, position)
    ) STRICT, WITHOUT ROWID;
    """
}
