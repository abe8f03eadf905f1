import Foundation
import GRDB

/// Where a rule takes one series of a study, the others that match are its alternatives: one job at most
/// has the place, and a result that counts.
extension Ledger {
  func insert(_ alternatives: [NewJob.Alternative], job: Int64, _ db: Database) throws {
    for (position, alternative) in alternatives.enumerated() {
      // One of which nothing was ever received has no job to compare with.
      try db.execute(
        sql: """
          INSERT INTO job_alternatives (job_id, position, series_uid, is_better)
          SELECT ?, ?, series_uid, ? FROM series WHERE series_uid = ?
          """,
        arguments: [job, position, alternative.isBetter, alternative.seriesInstanceUID])
    }
  }

  /// Cancels jobs of the alternatives to a new job that wait, or were held for want of a decision between
  /// them; where the new one is held itself, an alternative is tried.
  func settleAlternatives(to id: Int64, _ job: NewJob, series: String, _ db: Database) throws {
    switch job.start {
    case .available: break
    case .held: return try tryAlternative(to: id, db)
    case .cancelled: return
    }
    for alternative in job.alternatives where !alternative.isBetter {
      let outdated = try Int64.fetchAll(
        db,
        sql: """
          SELECT id FROM jobs WHERE series_uid = ? AND model = ? AND id < ?
            AND (state IN ('available', 'retryable')
              OR state = 'held' AND attempt_count = 0 AND NOT is_held_by_person)
          """, arguments: [alternative.seriesInstanceUID, job.model, id])
      for job in outdated {
        try cancel(
          job, from: Self.waitingStates + ["held"],
          reason: "the rule takes series \(series) in its place: job \(id)", by: .rule, db)
      }
    }
  }

  /// After a job was held for what is wrong with its series, the best of its alternatives of which that is
  /// not known is assembled again, and gets a job of its own. Nothing happens where one has a job or a
  /// result that counts, or is to be assembled anyway.
  func tryAlternative(to job: Int64, _ db: Database) throws {
    let alternatives = try Row.fetchAll(
      db,
      sql: """
        SELECT series.series_uid, this.series_uid AS held,
          assembled_revision < series.revision AS is_due,
          EXISTS (SELECT 1 FROM jobs LEFT JOIN results ON results.job_id = jobs.id
            WHERE jobs.series_uid = series.series_uid AND jobs.model = this.model
              AND (state IN ('available', 'retryable', 'running')
                OR state = 'completed' AND superseded_by IS NULL)) AS is_taken,
          EXISTS (SELECT 1 FROM jobs
            WHERE jobs.series_uid = series.series_uid AND jobs.model = this.model
              AND jobs.revision = series.revision AND state = 'held') AS is_held
        FROM job_alternatives JOIN series USING (series_uid) JOIN jobs AS this ON this.id = job_id
        WHERE job_id = ? ORDER BY position
        """, arguments: [job])
    guard
      try !alternatives.contains(where: { try $0.value("is_due") || $0.value("is_taken") }),
      let next = try alternatives.first(where: { try !$0.value("is_held") })
    else { return }
    let (series, held): (String, String) = (
      try next.value("series_uid"), try next.value("held")
    )
    try db.execute(
      sql: """
        UPDATE series SET revision = revision + 1, last_received_at = ? WHERE series_uid = ?
        """, arguments: [now, series])
    try event(
      db, "alternative", by: .rule, series: series, job: job,
      "it is tried in place of series \(held), which is held")
  }

  /// The job of a better series that came to its result since this one was made.
  func betterResult(than id: Int64, of job: EndedJob, _ db: Database) throws -> Int64? {
    try Int64.fetchOne(
      db,
      sql: """
        SELECT max(results.job_id) FROM job_alternatives
          CROSS JOIN jobs AS this ON this.id = job_alternatives.job_id
          CROSS JOIN jobs ON jobs.series_uid = job_alternatives.series_uid
            AND jobs.model = this.model
          CROSS JOIN results ON results.job_id = jobs.id
        WHERE job_alternatives.job_id = ?1 AND is_better AND superseded_by IS NULL
          AND jobs.finished_at >= this.created_at
        """, arguments: [id])
      ?? Int64.fetchOne(
        db,
        sql: """
          SELECT max(results.job_id) FROM job_alternatives
            JOIN jobs ON jobs.id = job_alternatives.job_id JOIN results USING (job_id)
          WHERE job_alternatives.series_uid = ?1 AND NOT is_better AND jobs.model = ?2
            AND superseded_by IS NULL AND jobs.id > ?3
          """, arguments: [job.series, job.model, id])
  }

  /// Series whose results for the model a job's result takes the place of.
  func outdoneSeries(_ id: Int64, of job: EndedJob, _ db: Database) throws -> [String] {
    try String.fetchAll(
      db,
      sql: """
        SELECT series_uid FROM job_alternatives WHERE job_id = ?1
        UNION SELECT jobs.series_uid FROM job_alternatives JOIN jobs ON jobs.id = job_id
          WHERE job_alternatives.series_uid = ?2 AND is_better AND jobs.model = ?3
        """, arguments: [id, job.series, job.model])
  }
}
