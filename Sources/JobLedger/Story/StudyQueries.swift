/// The queries of a study's record. Each reads by an index: a ledger may hold millions of rows.
enum StudyQueries {
  /// Of a study.
  static let series = "SELECT * FROM series WHERE study_uid = ? ORDER BY series_uid"

  /// Of a series, as are the following.
  static let instanceCount = "SELECT count(DISTINCT sop_uid) FROM instances WHERE series_uid = ?"

  static let arrivals = """
    SELECT source, calling_ae, count(*) AS n, sum(byte_count) AS bytes,
      min(received_at) AS first_at, max(received_at) AS last_at
    FROM instances WHERE series_uid = ? GROUP BY source, calling_ae ORDER BY first_at
    """

  static let purgedCount = """
    SELECT count(DISTINCT sop_uid) FROM instances WHERE series_uid = ? AND purged_at IS NOT NULL
    """

  static let completeness = "SELECT * FROM completeness_checks WHERE series_uid = ?"

  static let events = """
    SELECT id, at, kind, series_uid, job_id, cause, message FROM events WHERE series_uid = ?
    """

  /// Refusals that name the series, and those of its associations that name none.
  static let refusals = """
    SELECT * FROM refused_instances WHERE series_uid = ?1
    UNION SELECT refused_instances.* FROM association_series JOIN refused_instances
      ON refused_instances.association_id = association_series.association_id
      WHERE association_series.series_uid = ?1 AND refused_instances.series_uid IS NULL
        AND refused_instances.study_uid IS NULL
    """

  static let commitments = """
    SELECT commitments.*, commitment_references.sop_uid,
      failure_reason IS NOT NULL AS is_missing
    FROM instances JOIN commitment_references USING (sop_uid)
      JOIN commitments ON commitments.id = commitment_references.commitment_id
    WHERE instances.series_uid = ? GROUP BY commitments.id, commitment_references.sop_uid
    """

  static let jobs = "SELECT id, scheduled_at, priority FROM jobs WHERE series_uid = ? ORDER BY id"

  /// Of a study: refusals that name it and no series.
  static let refusalsOfStudy = """
    SELECT * FROM refused_instances WHERE study_uid = ? AND series_uid IS NULL
    """

  /// Of a job, as are the following: what belongs to no series, such as a delivery.
  static let eventsOfJob = """
    SELECT id, at, kind, series_uid, job_id, cause, message FROM events
    WHERE job_id = ? AND series_uid IS NULL
    """

  static let attempts = "SELECT * FROM attempts WHERE job_id = ? ORDER BY number"

  static let deliveries = """
    SELECT * FROM deliveries
    WHERE job_id = ? AND state IN ('waiting', 'sending', 'sent', 'held') ORDER BY destination
    """

  /// Of a priority and a time: how many jobs are due before.
  static let jobsAhead = """
    SELECT count(*) FROM jobs WHERE state IN ('available', 'retryable')
      AND (priority > ?1 OR priority = ?1 AND scheduled_at < ?2)
    """

  static let all = [
    series, instanceCount, arrivals, purgedCount, completeness, events, refusals, commitments, jobs,
    refusalsOfStudy, eventsOfJob, attempts, deliveries, jobsAhead,
  ]
}
