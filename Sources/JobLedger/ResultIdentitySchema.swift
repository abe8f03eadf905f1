extension Schema {
  /// Results whose UIDs follow from what they are made of, and jobs that come to the result of an
  /// earlier one.
  static let resultIdentity = """
    CREATE TABLE new_jobs (
      id                INTEGER PRIMARY KEY AUTOINCREMENT,
      series_uid        TEXT NOT NULL REFERENCES series,
      revision          INTEGER NOT NULL,
      model             TEXT NOT NULL,
      state             TEXT NOT NULL CHECK (state IN
        ('available', 'running', 'retryable', 'completed', 'held', 'cancelled', 'discarded')),
      attempt_count     INTEGER NOT NULL DEFAULT 0 CHECK (attempt_count >= 0),
      created_at        REAL NOT NULL,
      scheduled_at      REAL NOT NULL,
      finished_at       REAL,
      reason            TEXT,
      -- 1 where a new result is asked for although there may be the same one.
      is_forced         INTEGER NOT NULL DEFAULT 0 CHECK (is_forced IN (0, 1)),
      -- SHA-256 of what the result depends on, and of the model; null before the job first ran, and of
      -- jobs of older versions.
      fingerprint       TEXT CHECK (length(fingerprint) = 64),
      model_sha256      TEXT CHECK (length(model_sha256) = 64),
      -- Series Instance UID of the result, and the series of results whose place it takes.
      result_series_uid TEXT CHECK (result_series_uid <> ''),
      replaced_study    TEXT,
      replaced_series   TEXT,
      CHECK ((replaced_study IS NULL) = (replaced_series IS NULL)),
      CHECK ((fingerprint IS NULL) = (model_sha256 IS NULL)),
      CHECK ((finished_at IS NOT NULL) =
             (state IN ('completed', 'held', 'cancelled', 'discarded'))),
      CHECK (state NOT IN ('held', 'discarded', 'retryable') OR reason IS NOT NULL)
    ) STRICT;
    INSERT INTO new_jobs (id, series_uid, revision, model, state, attempt_count, created_at,
      scheduled_at, finished_at, reason, result_series_uid)
      SELECT id, series_uid, revision, model, state, attempt_count, created_at, scheduled_at,
        finished_at, reason, iif(state = 'completed', result_series_uid, NULL) FROM jobs;
    DROP TABLE jobs;
    ALTER TABLE new_jobs RENAME TO jobs;
    CREATE INDEX jobs_due ON jobs (scheduled_at) WHERE state IN ('available', 'retryable');
    CREATE INDEX jobs_by_series ON jobs (series_uid);
    CREATE TRIGGER jobs_change_state_in_order BEFORE UPDATE OF state ON jobs
      WHEN (OLD.state, NEW.state) NOT IN (VALUES
        ('available', 'running'), ('available', 'cancelled'),
        ('retryable', 'running'), ('retryable', 'cancelled'),
        ('running', 'available'), ('running', 'retryable'), ('running', 'completed'),
        ('running', 'held'), ('running', 'cancelled'), ('running', 'discarded'))
      BEGIN SELECT RAISE(ABORT, 'a job cannot change its state in this way'); END;

    -- Study Instance UID that the result was made in.
    ALTER TABLE results ADD COLUMN study_uid TEXT;
    UPDATE results SET study_uid = (SELECT study_uid FROM jobs JOIN series USING (series_uid)
      WHERE jobs.id = results.job_id);
    -- The earlier job whose files and deliveries this result is, because it is the same one.
    ALTER TABLE results ADD COLUMN same_as INTEGER REFERENCES results CHECK (same_as < job_id);
    """
}
