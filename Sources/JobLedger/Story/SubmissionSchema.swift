extension Schema {
  /// Which submission of a job to a cluster counts, and how the jobs of a series are found.
  static let submissions = """
    -- Of an attempt that a cluster computes: the name of the submission whose result is taken, and no other one's.
    ALTER TABLE attempts ADD COLUMN submission TEXT CHECK (submission <> '');

    -- A series has few jobs, a model may have millions: by the series alone, the index of models was taken as well.
    DROP INDEX jobs_by_series;
    CREATE INDEX jobs_by_series ON jobs (series_uid, model);
    """
}
