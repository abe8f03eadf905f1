import Foundation
import GRDB

/// A job that this process has taken.
public struct ClaimedJob: Sendable, Equatable {
  public var id: Int64
  public var attempt: Int
  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  public var model: String
  /// Whether a new result is asked for although there may be the same one.
  public var isForced: Bool
  /// Jobs of a higher one come first.
  public var priority = 0
}

extension Ledger {
  /// Whether a waiting job's time has come (?2 is now) and all of its series is in its jobs.
  static let isDue = """
    scheduled_at <= ?2 AND NOT EXISTS (SELECT 1 FROM series
      WHERE series.series_uid = jobs.series_uid AND assembled_revision < series.revision)
    """

  /// Whether a job of the same series and model is running. There are as many of these as places.
  static let isTaken = """
    EXISTS (SELECT 1 FROM jobs AS other INDEXED BY jobs_by_state WHERE other.state = 'running'
      AND other.series_uid = jobs.series_uid AND other.model = jobs.model AND other.id IS NOT ?3)
    """

  /// The job of the highest priority that has waited longest of those that are due (?2 is now). It waits for
  /// one of the same series and model that is running: which result it replaces is known only then.
  static let nextJob = """
    SELECT id FROM jobs INDEXED BY jobs_due
    WHERE ?1 IS NULL AND state IN ('available', 'retryable') AND \(isDue)
      AND NOT \(isTaken)
      AND EXISTS (SELECT 1 FROM processing WHERE mode = 'active')
    ORDER BY priority DESC, scheduled_at, id LIMIT 1
    """

  /// Job ?1, where it waits.
  private static let waitingJob = """
    SELECT id FROM jobs WHERE id = ?1 AND ?2 IS NOT NULL AND state IN ('available', 'retryable')
      AND EXISTS (SELECT 1 FROM processing WHERE mode = 'active')
    """

  /// Takes the job of the highest priority that has waited longest, or the given one; nil when none is due.
  ///
  /// No other thread or process gets the same job. A job of a series that has changed since, by an
  /// instance or a refusal, waits: the next assembly cancels it or holds the series. The given one
  /// is taken before its time is due, and whatever has changed. None is taken while processing is paused.
  public func claimJob(id: Int64? = nil) throws(LedgerError) -> ClaimedJob? {
    try write { db in
      let claimed = try Row.fetchOne(
        db,
        sql: """
          UPDATE jobs SET state = 'running', attempt_count = attempt_count + 1, reason = NULL
          WHERE id = (\(id == nil ? Self.nextJob : Self.waitingJob))
          RETURNING *
          """, arguments: id == nil ? [nil, now, nil] : [id, now])
      guard let row = claimed else { return nil }
      let series: String = try row.value("series_uid")
      // Not in the statement above: there it would be found without an index.
      let study = try String.fetchOne(
        db, sql: "SELECT study_uid FROM series WHERE series_uid = ?", arguments: [series])
      let job = ClaimedJob(
        id: try row.value("id"), attempt: try row.value("attempt_count"),
        studyInstanceUID: study ?? "", seriesInstanceUID: series, model: try row.value("model"),
        isForced: try row.value("is_forced"), priority: try row.value("priority"))
      try db.execute(
        sql: "INSERT INTO attempts (job_id, number, started_at) VALUES (?, ?, ?)",
        arguments: [job.id, job.attempt, now])
      try event(
        db, "started", by: .program, series: job.seriesInstanceUID, job: job.id,
        "attempt \(job.attempt)")
      return job
    }
  }

  /// Ends a running job with its result and puts it in the outbox for each destination.
  ///
  /// Older results of the same series and model are superseded; what of them was not delivered yet
  /// is not sent any more. Older jobs that are held are cancelled. Where a newer job for them completed earlier, it is this result that is
  /// superseded from the start and not sent. A result with the very objects of an earlier one takes
  /// that one's place on disk, and is sent only where the other was not.
  ///
  /// - Parameters:
  ///   - id: the job's number.
  ///   - result: the files of the result and what was measured.
  ///   - destinations: where the result is sent to.
  ///   - verdicts: what the gate made of the job's series, written in the same transaction.
  ///   - run: what the attempt took.
  /// - Throws: ``LedgerError/objectChanged(sopInstanceUID:job:)`` where an object has the SOP Instance
  ///   UID of an earlier one and other content.
  public func completeJob(
    _ id: Int64, result: JobResult, destinations: [DeliveryTarget], verdicts: [SeriesVerdict] = [],
    run: JobRun? = nil
  ) throws(LedgerError) {
    try write { db in
      let found = try owner(of: result.objects, db)
      // A newer job has come to the same meanwhile: its files count, and those of this one are removed.
      let isLate = found.map { $0 > id } ?? false
      let owner = isLate ? nil : found
      try record(run, job: id, db)
      let job = try end(id, as: "completed", message: nil, db)
      try record(verdicts, job: id, db)
      let newer = try newerResult(than: id, of: job, db) ?? betterResult(than: id, of: job, db)
      try insert(result, job: id, sameAs: owner, newer: newer, db)
      if let owner {
        try move(result.objects, to: owner, db)
      } else if isLate {
        try listForRemoval(Self.places(of: result.objects), db)
      } else {
        try insert(result.objects, job: id, db)
      }
      let earlier = owner.map { "the result of job \($0): " } ?? ""
      try event(
        db, "completed", by: .program, series: job.series, job: id, earlier + result.summary)
      try takePlace(id, of: job, owner: owner, newer: newer, db)
      if newer == nil { try deliver(owner ?? id, to: destinations, db) }
    }
  }

  /// Ends a running job that comes to the result of an earlier one, whose files are there: nothing is
  /// made, and it is sent only to destinations for which it was never put in the outbox.
  ///
  /// - Parameters:
  ///   - id: the job's number.
  ///   - owner: the job whose result it is.
  ///   - destinations: where the result is sent to.
  public func completeJob(_ id: Int64, sameAs owner: Int64, destinations: [DeliveryTarget])
    throws(LedgerError)
  {
    try write { db in
      let job = try end(id, as: "completed", message: nil, db)
      let newer = try newerResult(than: id, of: job, db) ?? betterResult(than: id, of: job, db)
      try db.execute(
        sql: """
          INSERT INTO results (job_id, model_version, summary, measurements, created_at,
            superseded_by, study_uid, same_as)
          SELECT ?, model_version, summary, measurements, ?, ?, study_uid, job_id
          FROM results WHERE job_id = ?
          """, arguments: [id, now, newer, owner])
      guard db.changesCount == 1 else { throw LedgerError.unknownJob(owner) }
      try event(
        db, "completed", by: .program, series: job.series, job: id, "the result of job \(owner)")
      try takePlace(id, of: job, owner: owner, newer: newer, db)
      if newer == nil { try deliver(owner, to: destinations, db) }
    }
  }

  private func insert(
    _ result: JobResult, job: Int64, sameAs owner: Int64?, newer: Int64?, _ db: Database
  ) throws {
    try db.execute(
      sql: """
        INSERT INTO results (job_id, model_version, summary, measurements, created_at,
          superseded_by, study_uid, same_as)
        SELECT id, ?, ?, ?, ?, ?, study_uid, ? FROM jobs JOIN series USING (series_uid) WHERE id = ?
        """,
      arguments: [
        result.modelVersion, result.summary, try Self.json(result.measurements), now, newer, owner,
        job,
      ])
  }

  /// A newer job of the same series and model that has a result already.
  private func newerResult(than id: Int64, of job: EndedJob, _ db: Database) throws -> Int64? {
    try Int64.fetchOne(
      db,
      sql: """
        SELECT max(results.job_id) FROM results JOIN jobs ON jobs.id = results.job_id
        WHERE jobs.series_uid = ? AND jobs.model = ? AND jobs.id > ?
        """, arguments: [job.series, job.model, id])
  }

  private func takePlace(
    _ id: Int64, of job: EndedJob, owner: Int64?, newer: Int64?, _ db: Database
  ) throws {
    if let newer {
      try event(
        db, "superseded", by: .program, series: job.series, job: id, "by job \(newer)")
    } else {
      try supersede(olderThan: id, series: job.series, model: job.model, but: owner, db)
      for series in try outdoneSeries(id, of: job, db) {
        try supersede(by: id, series: series, model: job.model, db)
      }
      try cancelOutdated(by: id, series: job.series, model: job.model, db)
    }
  }

  /// Older results of a series and model are superseded by a job's; that of `owner`, whose result it is, stays.
  func supersede(
    olderThan id: Int64, series: String, model: String, but owner: Int64?, _ db: Database
  ) throws {
    try supersede(by: id, series: series, model: model, before: id, but: owner, db)
  }

  /// Results of a series and model, as far as jobs before one have them, are superseded by a job's.
  func supersede(
    by id: Int64, series: String, model: String, before last: Int64 = .max, but owner: Int64? = nil,
    _ db: Database
  ) throws {
    let older = try Int64.fetchAll(
      db,
      sql: """
        UPDATE results SET superseded_by = ?1
        WHERE superseded_by IS NULL AND ifnull(same_as, job_id) IS NOT ?4 AND job_id IN
          (SELECT id FROM jobs WHERE series_uid = ?2 AND model = ?3 AND id < ?5)
        RETURNING job_id
        """, arguments: [id, series, model, owner, last])
    for job in older {
      try event(db, "superseded", by: .program, series: series, job: job, "by job \(id)")
    }
    let deliveries = try Row.fetchAll(
      db,
      sql: """
        UPDATE deliveries SET state = 'superseded' WHERE state IN ('waiting', 'held') AND job_id IN
          (SELECT ifnull(same_as, job_id) FROM results WHERE superseded_by = ?)
          AND NOT \(Self.isCurrent("deliveries.job_id"))
        RETURNING job_id, destination
        """, arguments: [id])
    for row in deliveries {
      try tellSuperseded(
        try row.value("job_id"), try row.value("destination"), by: .program, db)
    }
  }
}
