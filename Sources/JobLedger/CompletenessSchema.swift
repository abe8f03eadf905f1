extension Schema {
  /// What the query source says of a series, before it is assembled.
  static let completeness = """
    CREATE TABLE completeness_checks (
      series_uid    TEXT PRIMARY KEY NOT NULL REFERENCES series,
      -- Of the series: what was here when the source was asked.
      revision      INTEGER NOT NULL CHECK (revision > 0),
      -- waiting: the source is asked again before the series is assembled. incomplete: it lists
      -- instances that are not here and does not give them. unconfirmed: it does not answer.
      -- unchecked: it does not answer, and the configuration has the series processed all the same.
      state         TEXT NOT NULL CHECK (state IN
        ('waiting', 'confirmed', 'incomplete', 'unconfirmed', 'unchecked')),
      attempt_count INTEGER NOT NULL CHECK (attempt_count > 0),
      first_at      REAL NOT NULL,
      scheduled_at  REAL NOT NULL,
      -- Instances of the series that the source listed last.
      listed        INTEGER CHECK (listed >= 0),
      reason        TEXT,
      CHECK (state IN ('waiting', 'confirmed') OR reason IS NOT NULL)
    ) STRICT;
    CREATE INDEX completeness_checks_due ON completeness_checks (scheduled_at)
      WHERE state IN ('waiting', 'incomplete', 'unconfirmed');

    -- When the query source confirmed that nothing is missing after an association broke off.
    ALTER TABLE association_series ADD COLUMN confirmed_at REAL;
    """
}
