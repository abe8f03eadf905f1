import Foundation
import GRDB

/// A job that this process has taken.
public struct ClaimedJob: Sendable, Equatable {
  public var id: Int64
  public var attempt: Int
  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  public var model: String
  public var resultSeriesInstanceUID: String
  public var resultSOPInstanceUID: String
}

extension Ledger {
  /// Takes the job that has waited longest, or the given one; nil when none is due.
  ///
  /// No other thread or process gets the same job. A job of a series that has changed since, by an
  /// instance or a refusal, waits: the next assembly cancels it or holds the series. The given one
  /// is taken before its time is due, and whatever has changed.
  public func claimJob(id: Int64? = nil) throws(LedgerError) -> ClaimedJob? {
    try write { db in
      let claimed = try Row.fetchOne(
        db,
        sql: """
          UPDATE jobs SET state = 'running', attempt_count = attempt_count + 1, reason = NULL
          WHERE id = (
            SELECT id FROM jobs
            WHERE state IN ('available', 'retryable')
              AND (?1 IS NULL AND scheduled_at <= ?2 AND NOT EXISTS (
                  SELECT 1 FROM series WHERE series.series_uid = jobs.series_uid
                    AND assembled_revision < series.revision)
                OR id = ?1)
            ORDER BY scheduled_at, id LIMIT 1)
          RETURNING *, (SELECT study_uid FROM series WHERE series_uid = jobs.series_uid) AS study
          """, arguments: [id, now])
      guard let row = claimed else { return nil }
      let job = ClaimedJob(
        id: try row.value("id"), attempt: try row.value("attempt_count"),
        studyInstanceUID: try row.value("study"),
        seriesInstanceUID: try row.value("series_uid"), model: try row.value("model"),
        resultSeriesInstanceUID: try row.value("result_series_uid"),
        resultSOPInstanceUID: try row.value("result_sop_uid"))
      try db.execute(
        sql: "INSERT INTO attempts (job_id, number, started_at) VALUES (?, ?, ?)",
        arguments: [job.id, job.attempt, now])
      return job
    }
  }

  /// Ends a running job with its result and puts it in the outbox for each destination.
  ///
  /// Older results of the same series and model are superseded; what of them was not delivered yet
  /// is not sent any more. Where a newer job for them completed earlier, it is this result that is
  /// superseded from the start and not sent.
  ///
  /// - Parameters:
  ///   - id: the job's number.
  ///   - result: the files of the result and what was measured.
  ///   - destinations: names of the destinations that the result is sent to.
  ///   - verdicts: what the gate made of the job's series, written in the same transaction.
  public func completeJob(
    _ id: Int64, result: JobResult, destinations: [String], verdicts: [SeriesVerdict] = []
  ) throws(LedgerError) {
    try write { db in
      let job = try end(id, as: "completed", message: nil, db)
      try record(verdicts, job: id, db)
      let newer = try Int64.fetchOne(
        db,
        sql: """
          SELECT max(results.job_id) FROM results JOIN jobs ON jobs.id = results.job_id
          WHERE jobs.series_uid = ? AND jobs.model = ? AND jobs.id > ?
          """, arguments: [job.series, job.model, id])
      try db.execute(
        sql: """
          INSERT INTO results (job_id, model_version, summary, measurements, created_at,
            superseded_by)
          VALUES (?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          id, result.modelVersion, result.summary, try Self.json(result.measurements), now, newer,
        ])
      try insert(result.objects, job: id, db)
      try event(db, "completed", series: job.series, job: id, result.summary)
      if let newer {
        try event(db, "superseded", series: job.series, job: id, "by job \(newer)")
      } else {
        try supersede(olderThan: id, series: job.series, model: job.model, db)
        if result.objects.contains(where: \.kind.isSent) { try deliver(id, to: destinations, db) }
      }
    }
  }

  private func supersede(olderThan id: Int64, series: String, model: String, _ db: Database) throws
  {
    let older = try Int64.fetchAll(
      db,
      sql: """
        UPDATE results SET superseded_by = ?1
        WHERE superseded_by IS NULL AND job_id IN
          (SELECT id FROM jobs WHERE series_uid = ?2 AND model = ?3 AND id < ?1)
        RETURNING job_id
        """, arguments: [id, series, model])
    for job in older {
      try event(db, "superseded", series: series, job: job, "by job \(id)")
    }
    try db.execute(
      sql: """
        UPDATE deliveries SET state = 'superseded' WHERE state = 'waiting' AND job_id IN
          (SELECT job_id FROM results WHERE superseded_by = ?)
        """, arguments: [id])
  }

  private func deliver(_ id: Int64, to destinations: [String], _ db: Database) throws {
    for destination in destinations {
      try db.execute(
        sql: """
          INSERT INTO deliveries (job_id, destination, state, scheduled_at)
          VALUES (?, ?, 'waiting', ?) ON CONFLICT DO NOTHING
          """, arguments: [id, destination, now])
    }
  }
}
