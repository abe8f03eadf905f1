extension Schema {
  /// Which volume of its series a job is about, and the series that a rule compared with it.
  static let volumeChoice = """
    -- What distinguishes the volume that was chosen from the others of the series; null for the only one.
    ALTER TABLE jobs ADD COLUMN volume TEXT CHECK (volume <> '');
    ALTER TABLE jobs ADD COLUMN volume_cause TEXT
      CHECK (volume_cause IN ('rule', 'person') AND volume IS NOT NULL
        OR volume_cause IS NULL AND volume IS NULL);

    -- Series of the study in whose place the job's is segmented, the best first. One that is better would
    -- be segmented if it were not held.
    CREATE TABLE job_alternatives (
      job_id     INTEGER NOT NULL REFERENCES jobs,
      position   INTEGER NOT NULL CHECK (position >= 0),
      series_uid TEXT NOT NULL REFERENCES series,
      is_better  INTEGER NOT NULL CHECK (is_better IN (0, 1)),
      PRIMARY KEY (job_id, position)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX job_alternatives_by_series ON job_alternatives (series_uid);
    """
}
