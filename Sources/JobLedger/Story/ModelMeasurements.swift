import GRDB

/// A result that counts, with a file that says whose it is.
public struct ModelResult: Sendable, Equatable {
  public var job: Int64
  public var studyInstanceUID: String
  /// An image of the series or, where they are purged, an object of the result: below the state directory. Nil where
  /// neither is here.
  public var file: String?
}

extension Ledger {
  /// The results of a model that no other has superseded, the last job first.
  ///
  /// - Parameters:
  ///   - model: its name.
  ///   - before: only those of jobs with a lower number.
  ///   - limit: how many at most.
  public func results(ofModel model: String, before: Int64 = .max, limit: Int) throws(LedgerError)
    -> [ModelResult]
  {
    try read { db in
      let rows = try Row.fetchAll(
        db, sql: StudyListQueries.resultsOfModel, arguments: [model, before, limit])
      return try rows.map { row in
        ModelResult(
          job: try row.value("id"), studyInstanceUID: try row.value("study_uid"),
          file: try row.value("file"))
      }
    }
  }
}

extension StudyListQueries {
  /// Of a model and a number, in the order of its index.
  static let resultsOfModel = """
    SELECT jobs.id,
      (SELECT study_uid FROM series WHERE series.series_uid = jobs.series_uid) AS study_uid,
      ifnull(
        (SELECT spool_path FROM instances WHERE instances.series_uid = jobs.series_uid
          AND instances.purged_at IS NULL AND lost_at IS NULL LIMIT 1),
        (SELECT path FROM result_objects JOIN results AS own USING (job_id)
          WHERE job_id = ifnull(results.same_as, jobs.id) AND kind = 'seg' AND own.purged_at IS NULL
          ORDER BY number LIMIT 1)) AS file
    FROM jobs CROSS JOIN results ON results.job_id = jobs.id
    WHERE model = ? AND state = 'completed' AND superseded_by IS NULL AND jobs.id < ?
    ORDER BY jobs.id DESC LIMIT ?
    """
}
