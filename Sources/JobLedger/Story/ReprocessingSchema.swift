extension Schema {
  /// Where a cluster computes a job, and which jobs were asked for together.
  static let reprocessing = """
    -- As JSON, of an attempt that a cluster computed.
    ALTER TABLE attempts ADD COLUMN place TEXT CHECK (place IS NULL OR json_valid(place));

    -- Each time that series were chosen to be segmented again.
    CREATE TABLE reprocessings (
      id      INTEGER PRIMARY KEY,
      made_at REAL NOT NULL,
      -- What was asked for, as options of the command.
      request TEXT NOT NULL
    ) STRICT;
    ALTER TABLE jobs ADD COLUMN reprocessing_id INTEGER REFERENCES reprocessings;
    CREATE INDEX jobs_by_reprocessing ON jobs (reprocessing_id) WHERE reprocessing_id IS NOT NULL;
    """
}
