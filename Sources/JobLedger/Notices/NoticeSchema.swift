extension Schema {
  /// What was told of the history, and what is wrong at the moment.
  static let notices = """
    -- A message that a recipient took. It knows the events up to event_id.
    CREATE TABLE notices (
      id        INTEGER PRIMARY KEY,
      recipient TEXT NOT NULL CHECK (recipient <> ''),
      event_id  INTEGER NOT NULL CHECK (event_id >= 0),
      -- Null where there was nothing to be told.
      at        REAL
    ) STRICT;
    CREATE INDEX notices_by_recipient ON notices (recipient, event_id);

    -- What is wrong, such as a destination that takes nothing; raised once it has lasted.
    CREATE TABLE alarms (
      kind      TEXT NOT NULL CHECK (kind IN ('destination', 'disk')),
      subject   TEXT NOT NULL CHECK (subject <> ''),
      since     REAL NOT NULL,
      raised_at REAL,
      PRIMARY KEY (kind, subject)
    ) STRICT, WITHOUT ROWID;

    -- Up to where the audit log has what the ledger holds.
    CREATE TABLE audit_position (
      id                INTEGER PRIMARY KEY CHECK (id = 1),
      event_id          INTEGER NOT NULL,
      association_id    INTEGER NOT NULL,
      ended_at          REAL NOT NULL,
      ended_association INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX associations_by_end ON associations (ended_at, id);
    """
}
