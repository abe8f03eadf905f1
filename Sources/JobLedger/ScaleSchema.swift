extension Schema {
  /// Indexes for what a daemon asks again and again, and for the list of jobs, in a ledger of millions of rows.
  static let scale = """
    DROP INDEX deliveries_due;
    DROP INDEX deliveries_unproved;
    CREATE INDEX deliveries_due ON deliveries (destination, scheduled_at) WHERE state = 'waiting';
    CREATE INDEX deliveries_unproved ON deliveries (destination, scheduled_at) WHERE state = 'sent';
    CREATE INDEX deliveries_sending ON deliveries (id) WHERE state = 'sending';
    CREATE INDEX refused_open ON refused_instances (id) WHERE resolved_at IS NULL;
    CREATE INDEX jobs_by_model ON jobs (model);
    CREATE INDEX jobs_by_creation ON jobs (created_at);
    """
}
