extension Schema {
  /// What an administrator can do with a job: `JobActions.swift`.
  static let administration = """
    -- What failed for good is held, like everything that needs a person.
    DROP TRIGGER jobs_change_state_in_order;
    UPDATE jobs SET state = 'held' WHERE state = 'discarded';
    CREATE TRIGGER jobs_change_state_in_order BEFORE UPDATE OF state ON jobs
      WHEN (OLD.state, NEW.state) NOT IN (VALUES
        ('available', 'running'), ('available', 'held'), ('available', 'cancelled'),
        ('retryable', 'running'), ('retryable', 'held'), ('retryable', 'cancelled'),
        ('running', 'available'), ('running', 'retryable'), ('running', 'completed'),
        ('running', 'held'), ('running', 'cancelled'),
        ('held', 'available'), ('held', 'cancelled'))
      BEGIN SELECT RAISE(ABORT, 'a job cannot change its state in this way'); END;

    -- Jobs of a higher priority run first.
    ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
    DROP INDEX jobs_due;
    CREATE INDEX jobs_due ON jobs (priority DESC, scheduled_at)
      WHERE state IN ('available', 'retryable');
    CREATE INDEX jobs_by_state ON jobs (state);
    -- Attempts up to this one do not count: a person had the job tried again.
    ALTER TABLE jobs ADD COLUMN forgiven_attempts INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE jobs ADD COLUMN is_held_by_person INTEGER NOT NULL DEFAULT 0
      CHECK (is_held_by_person IN (0, 1));

    -- When a person decided that the series is processed although instances may be missing. What is
    -- found to be missing later holds it again.
    ALTER TABLE series ADD COLUMN released_at REAL;

    CREATE TABLE new_deliveries (
      id            INTEGER PRIMARY KEY,
      job_id        INTEGER NOT NULL REFERENCES results,
      destination   TEXT NOT NULL,
      state         TEXT NOT NULL CHECK (state IN
        ('waiting', 'sending', 'delivered', 'superseded', 'held')),
      attempt_count INTEGER NOT NULL DEFAULT 0 CHECK (attempt_count >= 0),
      scheduled_at  REAL NOT NULL,
      delivered_at  REAL,
      last_failure  TEXT CHECK (last_failure IN ('unreachable', 'refused')),
      last_error    TEXT,
      UNIQUE (job_id, destination),
      CHECK (state <> 'held' OR last_error IS NOT NULL),
      CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
    ) STRICT;
    INSERT INTO new_deliveries
      SELECT id, job_id, destination, iif(state = 'discarded', 'held', state), attempt_count,
        scheduled_at, delivered_at, last_failure, last_error FROM deliveries;
    DROP TABLE deliveries;
    ALTER TABLE new_deliveries RENAME TO deliveries;
    CREATE INDEX deliveries_due ON deliveries (scheduled_at) WHERE state = 'waiting';
    CREATE TRIGGER deliveries_change_state_in_order BEFORE UPDATE OF state ON deliveries
      WHEN OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (VALUES
        ('waiting', 'sending'), ('waiting', 'superseded'),
        ('sending', 'waiting'), ('sending', 'delivered'), ('sending', 'superseded'),
        ('sending', 'held'), ('held', 'waiting'), ('held', 'superseded'),
        ('superseded', 'waiting'))
      BEGIN SELECT RAISE(ABORT, 'a delivery cannot change its state in this way'); END;
    """
}
