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

/// What a finished job leaves behind; paths are relative to the state directory.
public struct JobResult: Sendable, Equatable {
  /// The DICOM SEG, or nil where the model found nothing.
  public var segmentationPath: String?
  public var picturePath: String?
  public var modelVersion: String
  /// One line for people: the segments and their volumes.
  public var summary: String

  public init(
    segmentationPath: String?, picturePath: String?, modelVersion: String, summary: String
  ) {
    self.segmentationPath = segmentationPath
    self.picturePath = picturePath
    self.modelVersion = modelVersion
    self.summary = summary
  }
}

extension JobLedger {
  /// Takes the job that has waited longest, or the given one; nil when none is due.
  public func claimJob(id: Int64? = nil) throws(LedgerError) -> ClaimedJob? {
    try write { db in
      let claimed = try Row.fetchOne(
        db,
        sql: """
          UPDATE jobs SET state = 'running', attempt_count = attempt_count + 1, reason = NULL
          WHERE id = (
            SELECT id FROM jobs
            WHERE state IN ('available', 'retryable')
              AND (?1 IS NULL AND scheduled_at <= ?2 OR id = ?1)
            ORDER BY scheduled_at, id LIMIT 1)
          RETURNING *, (SELECT study_uid FROM series WHERE series_uid = jobs.series_uid) AS study
          """, arguments: [id, now])
      guard let row = claimed else { return nil }
      let job = ClaimedJob(
        id: row["id"], attempt: row["attempt_count"], studyInstanceUID: row["study"],
        seriesInstanceUID: row["series_uid"], model: row["model"],
        resultSeriesInstanceUID: row["result_series_uid"],
        resultSOPInstanceUID: row["result_sop_uid"])
      try db.execute(
        sql: "INSERT INTO attempts (job_id, number, started_at) VALUES (?, ?, ?)",
        arguments: [job.id, job.attempt, now])
      return job
    }
  }

  /// Ends a running job with its result and puts it in the outbox for each destination.
  ///
  /// Older results of the same series and model are superseded; what of them was not delivered yet
  /// is not sent any more.
  public func completeJob(_ id: Int64, result: JobResult, destinations: [String])
    throws(LedgerError)
  {
    try write { db in
      let job = try end(id, as: "completed", attempt: "completed", message: nil, db)
      try db.execute(
        sql: """
          INSERT INTO results
            (job_id, sop_uid, path, picture_path, model_version, summary, created_at)
          VALUES (?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          id, result.segmentationPath == nil ? nil : job.sopUID, result.segmentationPath,
          result.picturePath, result.modelVersion, result.summary, now,
        ])
      try supersede(olderThan: id, series: job.series, model: job.model, db)
      if result.segmentationPath != nil {
        for destination in destinations {
          try db.execute(
            sql: """
              INSERT INTO deliveries (job_id, destination, state, scheduled_at)
              VALUES (?, ?, 'waiting', ?)
              """, arguments: [id, destination, now])
        }
      }
      try event(db, "completed", series: job.series, job: id, result.summary)
    }
  }

  private func supersede(olderThan id: Int64, series: String, model: String, _ db: Database) throws
  {
    try db.execute(
      sql: """
        UPDATE results SET superseded_by = ?1
        WHERE superseded_by IS NULL AND job_id IN
          (SELECT id FROM jobs WHERE series_uid = ?2 AND model = ?3 AND id < ?1)
        """, arguments: [id, series, model])
    try db.execute(
      sql: """
        UPDATE deliveries SET state = 'superseded' WHERE state = 'waiting' AND job_id IN
          (SELECT job_id FROM results WHERE superseded_by = ?)
        """, arguments: [id])
  }

  /// Ends a running job whose series cannot be segmented.
  public func holdJob(_ id: Int64, reason: String) throws(LedgerError) {
    try write { db in
      let job = try end(id, as: "held", attempt: "held", message: reason, db)
      try event(db, "held", series: job.series, job: id, reason)
    }
  }

  /// Puts a running job that failed back for another attempt, or discards it after the last.
  public func failJob(_ id: Int64, reason: String, policy: RetryPolicy) throws(LedgerError) {
    try write { db in
      let attempts =
        try Int.fetchOne(db, sql: "SELECT attempt_count FROM jobs WHERE id = ?", arguments: [id])
        ?? 0
      guard let pause = policy.pause(after: attempts) else {
        let job = try end(id, as: "discarded", attempt: "failed", message: reason, db)
        try event(db, "discarded", series: job.series, job: id, reason)
        return
      }
      let job = try end(id, as: "retryable", attempt: "failed", message: reason, db)
      try db.execute(
        sql: "UPDATE jobs SET scheduled_at = ? WHERE id = ?", arguments: [now + pause, id])
      try event(db, "retryable", series: job.series, job: id, reason)
    }
  }

  /// Makes the jobs and deliveries of a process that was killed available again.
  ///
  /// Call it only while holding the lock of the state directory.
  /// - Returns: how many jobs were rescued.
  @discardableResult
  public func rescue() throws(LedgerError) -> Int {
    try write { db in
      let running = try Int64.fetchAll(db, sql: "SELECT id FROM jobs WHERE state = 'running'")
      for id in running {
        let job = try end(
          id, as: "available", attempt: "rescued", message: "the process ended during the job", db)
        try event(db, "rescued", series: job.series, job: id, "the process ended during the job")
      }
      try db.execute(sql: "UPDATE deliveries SET state = 'waiting' WHERE state = 'sending'")
      return running.count
    }
  }

  private struct EndedJob {
    var series: String
    var model: String
    var sopUID: String
  }

  /// Leaves the state `running` and closes the attempt.
  private func end(
    _ id: Int64, as state: String, attempt outcome: String, message: String?, _ db: Database
  ) throws -> EndedJob {
    let final = ["completed", "held", "cancelled", "discarded"].contains(state)
    let row = try Row.fetchOne(
      db,
      sql: """
        UPDATE jobs SET state = ?, finished_at = ?, reason = ?
        WHERE id = ? AND state = 'running' RETURNING *
        """, arguments: [state, final ? now : nil, message, id])
    guard let row else {
      let actual = try String.fetchOne(
        db, sql: "SELECT state FROM jobs WHERE id = ?", arguments: [id])
      guard let actual else { throw LedgerError.unknownJob(id) }
      throw LedgerError.wrongState(job: id, state: actual, needed: "running")
    }
    try db.execute(
      sql: """
        UPDATE attempts SET finished_at = ?, outcome = ?, message = ?
        WHERE job_id = ? AND finished_at IS NULL
        """, arguments: [now, outcome, message, id])
    return EndedJob(series: row["series_uid"], model: row["model"], sopUID: row["result_sop_uid"])
  }
}
