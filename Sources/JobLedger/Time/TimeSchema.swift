extension Schema {
  /// How times are kept: `Timeline.swift`.
  static let time = """
    -- Every time but that of events is of the ledger's own steady clock, which began with the clock of
    -- the machine: seconds since the machine was started, and origin.
    CREATE TABLE clock (
      id     INTEGER PRIMARY KEY CHECK (id = 1),
      -- Names the start of the machine that origin belongs to.
      boot   TEXT NOT NULL,
      origin REAL NOT NULL,
      -- Not long before the last change of the ledger.
      seen   REAL NOT NULL
    ) STRICT;

    -- How far the clock of the machine was ahead of the ledger's from a moment on.
    CREATE TABLE clock_steps (
      since  REAL NOT NULL,
      ahead  REAL NOT NULL
    ) STRICT;

    -- What a clock that was wrong has put off for longer than any pause is.
    UPDATE deliveries SET scheduled_at = min(scheduled_at, unixepoch() + 3600);
    UPDATE jobs SET scheduled_at = min(scheduled_at, unixepoch() + 3600)
      WHERE state IN ('available', 'retryable');
    UPDATE commitments SET scheduled_at = min(scheduled_at, unixepoch() + 3600);
    UPDATE completeness_checks SET scheduled_at = min(scheduled_at, unixepoch() + 3600);
    """
}
