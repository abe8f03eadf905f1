extension Schema {
  /// Files that were removed because nothing needed them any more, and those that are being removed.
  static let retention = """
    -- When the file of the instance was purged; null while it is kept, and once it came again.
    ALTER TABLE instances ADD COLUMN purged_at REAL;
    CREATE INDEX instances_purged ON instances (series_uid) WHERE purged_at IS NOT NULL;
    -- When the files of all instances were purged; null once any is kept again.
    ALTER TABLE series ADD COLUMN purged_at REAL;
    CREATE INDEX series_kept ON series (last_received_at) WHERE purged_at IS NULL;
    -- When the files of the result were purged; null once they were made again.
    ALTER TABLE results ADD COLUMN purged_at REAL;
    CREATE INDEX results_kept ON results (job_id) WHERE purged_at IS NULL AND same_as IS NULL;

    -- Files and folders of what was purged that may still be there, relative to the state directory. What
    -- is here is removed at the next start at the latest.
    CREATE TABLE purge_files (
      path TEXT PRIMARY KEY NOT NULL CHECK (path <> '')
    ) STRICT, WITHOUT ROWID;

    -- The series of a model with several inputs, and the jobs that took a series in.
    CREATE INDEX job_inputs_by_series ON job_inputs (series_uid);
    CREATE INDEX results_same_as ON results (same_as) WHERE same_as IS NOT NULL;
    CREATE INDEX results_superseded ON results (superseded_by) WHERE superseded_by IS NOT NULL;
    -- Counts the instances of a series, and the bytes of those that are kept, without reading the table.
    DROP INDEX instances_by_series;
    CREATE INDEX instances_by_series
      ON instances (series_uid, sop_uid, revision, byte_count, purged_at);
    """
}
