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
          seriesInstanceUID: try $0.value("series_uid"), modality: try $0.value("modality"),
          revision: try $0.value("revision"),
          instanceCount: try $0.value("n"))
      }
    }
  }

  /// Makes the jobs of a complete series, in one transaction with the note that it was assembled.
  ///
  /// Jobs of an older revision that have not started are cancelled where a new one takes their
  /// place; those for other models, made by `reprocess`, go on with the newer files.
  /// Nothing happens when an instance arrived, or another process assembled it, in the meantime.
  ///
  /// - Parameter reason: where it is not nil, the jobs are held from the start and this says why.
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
      let waiting = try Row.fetchAll(
        db,
        sql: """
          SELECT id, model FROM jobs WHERE series_uid = ? AND state IN ('available', 'retryable')
          """, arguments: [series.seriesInstanceUID])
      for old in waiting {
        let id: Int64 = try old.value("id")
        let model: String = try old.value("model")
        if jobs.contains(where: { $0.model == model }) {
          try cancel(id, from: Self.waitingStates, reason: "more instances arrived", db)
        } else {
          try db.execute(
            sql: "UPDATE jobs SET revision = ? WHERE id = ?", arguments: [series.revision, id])
        }
      }
      for job in jobs {
        try insert(job, series: series.seriesInstanceUID, heldBecause: reason, db)
      }
    }
  }

  /// - Returns: the job's number.
  @discardableResult
  func insert(_ job: NewJob, series: String, heldBecause reason: String? = nil, _ db: Database)
    throws -> Int64
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
    guard db.changesCount == 1 else {
      throw LedgerError.unknownSeries(series: series, study: nil)
    }
    let id = db.lastInsertedRowID
    try event(
      db, held ? "held" : "created", series: series, job: id,
      reason ?? "job for model \(job.model)")
    return id
  }
}
