extension Schema {
  /// Checks of models with the case that comes with each.
  static let goldenChecks = """
    CREATE TABLE golden_checks (
      id            INTEGER PRIMARY KEY,
      model         TEXT NOT NULL CHECK (model <> ''),
      -- Who asked for it.
      cause         TEXT NOT NULL CHECK (cause IN ('schedule', 'person')),
      -- As the machine's clock shows it, as the hour of the schedule is.
      requested_at  REAL NOT NULL,
      finished_at   REAL,
      outcome       TEXT CHECK (outcome IN ('passed', 'failed', 'omitted')),
      model_version TEXT,
      message       TEXT,
      CHECK ((finished_at IS NULL) = (outcome IS NULL)),
      CHECK ((outcome IS NULL) = (message IS NULL))
    ) STRICT;
    CREATE INDEX golden_checks_by_model ON golden_checks (model, id);
    CREATE INDEX golden_checks_open ON golden_checks (id) WHERE finished_at IS NULL;
    """
}
