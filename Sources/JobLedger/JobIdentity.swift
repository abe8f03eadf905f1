import Foundation
import GRDB

/// What the result of a job is, before it is made.
public struct JobIdentity: Sendable, Equatable {
  /// SHA-256 of everything that the result depends on, as 64 hexadecimal digits.
  public var fingerprint: String
  /// SHA-256 of the model, likewise.
  public var modelSHA256: String

  public init(fingerprint: String, modelSHA256: String) {
    self.fingerprint = fingerprint
    self.modelSHA256 = modelSHA256
  }
}

/// The results that were made of a job's series with its model before.
public struct EarlierResults: Sendable, Equatable {
  /// A series of results, by the study in which it was made.
  public struct Series: Sendable, Equatable {
    public var studyInstanceUID: String
    public var seriesInstanceUID: String

    public init(studyInstanceUID: String, seriesInstanceUID: String) {
      self.studyInstanceUID = studyInstanceUID
      self.seriesInstanceUID = seriesInstanceUID
    }
  }

  /// The last result, where it depends on the same as this job's and was not purged: the job that has its
  /// files.
  public var same: Int64?
  /// The files of the same result.
  public var objects: [StoredObject] = []
  /// The series of results whose place the job's takes: the last that has objects, and for the same
  /// result once more the one that it replaced itself.
  public var replaced: Series?
}

extension Ledger {
  /// The results of older jobs of the same series and model.
  ///
  /// - Parameters:
  ///   - id: the job's number.
  ///   - identity: what its result depends on.
  /// - Throws: ``LedgerError/unknownJob(_:)``
  public func earlierResults(job id: Int64, _ identity: JobIdentity) throws(LedgerError)
    -> EarlierResults
  {
    try read { db in
      let rows = try Row.fetchAll(
        db,
        sql: """
          SELECT ifnull(results.same_as, results.job_id) AS owner, jobs.fingerprint,
            jobs.result_series_uid, results.study_uid, jobs.replaced_study, jobs.replaced_series,
            this.is_forced,
            EXISTS (SELECT 1 FROM results AS own WHERE purged_at IS NOT NULL
              AND own.job_id = ifnull(results.same_as, results.job_id)) AS is_purged,
            EXISTS (SELECT 1 FROM result_objects WHERE kind = 'seg'
              AND result_objects.job_id = ifnull(results.same_as, results.job_id)) AS has_objects
          FROM jobs AS this JOIN jobs ON jobs.series_uid = this.series_uid
            AND jobs.model = this.model AND jobs.id < this.id
          JOIN results ON results.job_id = jobs.id
          WHERE this.id = ? ORDER BY jobs.id DESC
          """, arguments: [id])
      guard let last = rows.first else { return EarlierResults() }
      let isForced: Bool = try last.value("is_forced")
      let fingerprint: String? = try last.value("fingerprint")
      if !isForced, fingerprint == identity.fingerprint {
        let owner: Int64 = try last.value("owner")
        // Files that a purge is about to remove are made again, with the same UIDs.
        let isPurged: Bool = try last.value("is_purged")
        return EarlierResults(
          same: isPurged ? nil : owner, objects: isPurged ? [] : try objects(job: owner, db),
          replaced: try series(last, "replaced_study", "replaced_series"))
      }
      for row in rows where try row.value("has_objects") {
        return EarlierResults(replaced: try series(row, "study_uid", "result_series_uid"))
      }
      return EarlierResults()
    }
  }

  private func series(_ row: Row, _ study: String, _ series: String) throws
    -> EarlierResults.Series?
  {
    guard let study: String = try row.value(study), let series: String = try row.value(series)
    else { return nil }
    return EarlierResults.Series(studyInstanceUID: study, seriesInstanceUID: series)
  }

  /// Notes what the result of a running job will be. Where that is another one than a person has released as suspect, the
  /// release does not count any more.
  ///
  /// - Parameters:
  ///   - id: the job's number.
  ///   - identity: what its result depends on.
  ///   - seriesInstanceUID: of the result.
  ///   - replaced: the series of results whose place it takes.
  public func identifyJob(
    _ id: Int64, _ identity: JobIdentity, seriesInstanceUID: String,
    replaced: EarlierResults.Series?
  ) throws(LedgerError) {
    try write { db in
      try lapseRelease(ofJob: id, for: identity, db)
      try db.execute(
        sql: """
          UPDATE jobs SET fingerprint = ?, model_sha256 = ?, result_series_uid = ?,
            replaced_study = ?, replaced_series = ?
          WHERE id = ? AND state = 'running'
          """,
        arguments: [
          identity.fingerprint, identity.modelSHA256, seriesInstanceUID,
          replaced?.studyInstanceUID, replaced?.seriesInstanceUID, id,
        ])
      guard db.changesCount == 0 else { return }
      let state = try String.fetchOne(
        db, sql: "SELECT state FROM jobs WHERE id = ?", arguments: [id])
      guard let state else { throw LedgerError.unknownJob(id) }
      throw LedgerError.wrongState(job: id, state: state, needed: "running")
    }
  }
}
