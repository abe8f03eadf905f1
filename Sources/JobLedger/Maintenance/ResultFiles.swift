import Foundation
import GRDB

/// The files of a result that the ledger has.
public struct RecordedResult: Sendable, Equatable {
  /// The job that has them.
  public var job: Int64
  public var seriesInstanceUID: String
  public var model: String
  public var objects: [StoredObject]
  /// Whether a result that counts is this one.
  public var isCurrent: Bool
}

extension Ledger {
  /// Every result whose files are kept.
  public func recordedResults() throws(LedgerError) -> [RecordedResult] {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT results.job_id, series_uid, model, EXISTS (SELECT 1 FROM results AS current
            WHERE current.superseded_by IS NULL
              AND (current.job_id = results.job_id OR current.same_as = results.job_id)) AS counts
          FROM results JOIN jobs ON jobs.id = results.job_id
          WHERE same_as IS NULL AND purged_at IS NULL
          ORDER BY results.job_id
          """
      ).map { row in
        let job: Int64 = try row.value("job_id")
        return RecordedResult(
          job: job, seriesInstanceUID: try row.value("series_uid"),
          model: try row.value("model"), objects: try objects(job: job, db),
          isCurrent: try row.value("counts"))
      }
    }
  }

  /// Paths of all files of results that are kept, relative to the state directory.
  public func resultPaths() throws(LedgerError) -> Set<String> {
    try read { db in
      try String.fetchSet(
        db,
        sql: "SELECT path FROM result_objects JOIN results USING (job_id) WHERE purged_at IS NULL")
    }
  }

  /// The numbers of all jobs.
  public func jobNumbers() throws(LedgerError) -> Set<Int64> {
    try read { db in try Int64.fetchSet(db, sql: "SELECT id FROM jobs") }
  }

  /// The state of a job; nil where there is none of this number.
  public func state(ofJob job: Int64) throws(LedgerError) -> JobState? {
    try read { db in
      try String.fetchOne(db, sql: "SELECT state FROM jobs WHERE id = ?", arguments: [job])
        .flatMap(JobState.init(rawValue:))
    }
  }

  /// Makes a job like another one, whose result is lost: the new one makes the same result again.
  ///
  /// - Returns: the number of the new job; nil where one for the same series and model waits already.
  public func makeAgain(job: Int64) throws(LedgerError) -> Int64? {
    try write { db in
      let row = try Row.fetchOne(
        db,
        sql: """
          SELECT series_uid, model, volume, volume_cause FROM jobs WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM jobs AS later
            WHERE later.series_uid = jobs.series_uid AND later.model = jobs.model AND later.id > ?1
              AND later.state IN ('available', 'retryable', 'running'))
          """, arguments: [job])
      guard let row else { return nil }
      var new = NewJob(model: try row.value("model"))
      new.volume = try ChosenVolume(row)
      // A job that was taken up from a note of an older version has none: one that came to its result may.
      new.inputs = try Row.fetchAll(
        db,
        sql: """
          SELECT * FROM job_inputs WHERE job_id = (SELECT job_id FROM job_inputs
            WHERE job_id = ?1 OR job_id IN (SELECT job_id FROM results WHERE same_as = ?1)
            ORDER BY job_id <> ?1, job_id DESC LIMIT 1) ORDER BY position
          """, arguments: [job]
      ).map {
        let role: String = try $0.value("role")
        return NewJob.Input(
          channel: role == "channel" ? try $0.value("channel") : nil,
          seriesInstanceUID: try $0.value("series_uid"))
      }
      return try insert(new, series: try row.value("series_uid"), by: .fault, db)
    }
  }

  /// Puts right which results count and what is to be sent, where the tables contradict themselves: the
  /// last result of a series and model counts.
  ///
  /// - Returns: a line for each change.
  public func mendResults() throws(LedgerError) -> [String] {
    try write { db in
      let older = try Row.fetchAll(
        db,
        sql: """
          UPDATE results SET superseded_by = (SELECT max(newer.job_id)
            FROM results AS newer JOIN jobs AS newer_job ON newer_job.id = newer.job_id
              JOIN jobs AS this ON this.id = results.job_id
            WHERE newer_job.series_uid = this.series_uid AND newer_job.model = this.model
              AND newer.superseded_by IS NULL)
          WHERE superseded_by IS NULL AND EXISTS (SELECT 1
            FROM results AS newer JOIN jobs AS newer_job ON newer_job.id = newer.job_id
              JOIN jobs AS this ON this.id = results.job_id
            WHERE newer_job.series_uid = this.series_uid AND newer_job.model = this.model
              AND newer.superseded_by IS NULL AND newer.job_id > results.job_id
              AND ifnull(newer.same_as, newer.job_id) <> ifnull(results.same_as, results.job_id))
          RETURNING job_id, superseded_by
          """)
      var lines: [String] = []
      for row in older {
        let (job, newer): (Int64, Int64) = (
          try row.value("job_id"), try row.value("superseded_by")
        )
        try event(db, "superseded", by: .person, job: job, "by job \(newer)")
        lines.append("the result of job \(job) is superseded by that of job \(newer)")
      }
      let deliveries = try Row.fetchAll(
        db,
        sql: """
          UPDATE deliveries SET state = 'superseded'
          WHERE state IN ('waiting', 'held') AND NOT EXISTS (SELECT 1 FROM results
            WHERE superseded_by IS NULL AND (results.job_id = deliveries.job_id
              OR results.same_as = deliveries.job_id))
          RETURNING job_id, destination
          """)
      for row in deliveries {
        let job: Int64 = try row.value("job_id")
        try tellSuperseded(job, try row.value("destination"), by: .person, db)
        lines.append("the result of job \(job) is not sent, as a newer one takes its place")
      }
      return lines
    }
  }
}
