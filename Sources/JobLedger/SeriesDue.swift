import Foundation
import GRDB

/// A series that is to be assembled: something arrived since its last job, and then nothing more.
public struct SeriesDue: Sendable, Equatable {
  public var seriesInstanceUID: String
  public var modality: String
  public var revision: Int
  public var instanceCount: Int
}

/// A job to be made, with the identifiers that its result will carry.
public struct NewJob: Sendable, Equatable {
  public var model: String
  public var resultSeriesInstanceUID: String
  public var resultSOPInstanceUID: String

  public init(model: String, resultSeriesInstanceUID: String, resultSOPInstanceUID: String) {
    self.model = model
    self.resultSeriesInstanceUID = resultSeriesInstanceUID
    self.resultSOPInstanceUID = resultSOPInstanceUID
  }
}

extension JobLedger {
  /// Series with instances that no job has seen, quiet for at least `quietPeriod` seconds.
  public func seriesDue(quietPeriod: TimeInterval) throws(LedgerError) -> [SeriesDue] {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT series_uid, modality, revision,
            (SELECT count(*) FROM instances WHERE instances.series_uid = series.series_uid) AS n
          FROM series WHERE assembled_revision < revision AND last_received_at <= ?
          ORDER BY last_received_at
          """, arguments: [now - quietPeriod]
      ).map {
        SeriesDue(
          seriesInstanceUID: $0["series_uid"], modality: $0["modality"], revision: $0["revision"],
          instanceCount: $0["n"])
      }
    }
  }

  /// Makes the jobs of a complete series, in one transaction with the note that it was assembled.
  ///
  /// Jobs of an older revision that have not started are cancelled: they would see the same files.
  /// Without jobs, one that is held from the start says why.
  /// Nothing happens when an instance arrived, or another process assembled it, in the meantime.
  public func assembleSeries(_ series: SeriesDue, jobs: [NewJob], heldBecause reason: String?)
    throws(LedgerError)
  {
    try write { db in
      try db.execute(
        sql: """
          UPDATE series SET assembled_revision = revision
          WHERE series_uid = ? AND revision = ? AND assembled_revision < revision
          """, arguments: [series.seriesInstanceUID, series.revision])
      guard db.changesCount == 1 else { return }
      try db.execute(
        sql: """
          UPDATE jobs SET state = 'cancelled', finished_at = ?, reason = 'more instances arrived'
          WHERE series_uid = ? AND state IN ('available', 'retryable')
          """, arguments: [now, series.seriesInstanceUID])
      for job in jobs {
        try insert(job, series: series.seriesInstanceUID, heldBecause: reason, db)
      }
    }
  }

  func insert(_ job: NewJob, series: String, heldBecause reason: String? = nil, _ db: Database)
    throws
  {
    let held = reason != nil
    try db.execute(
      sql: """
        INSERT INTO jobs (series_uid, revision, model, result_series_uid, result_sop_uid, state,
          created_at, scheduled_at, finished_at, reason)
        SELECT series_uid, revision, ?, ?, ?, ?, ?, ?, ?, ? FROM series WHERE series_uid = ?
        """,
      arguments: [
        job.model, job.resultSeriesInstanceUID, job.resultSOPInstanceUID,
        held ? "held" : "available", now, now, held ? now : nil, reason, series,
      ])
    try event(
      db, "created", series: series, job: db.lastInsertedRowID,
      reason ?? "job for model \(job.model)")
  }
}
