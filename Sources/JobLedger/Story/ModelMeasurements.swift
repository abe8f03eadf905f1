import GRDB

/// A result that counts, with a file that says whose it is.
public struct ModelResult: Sendable, Equatable {
  public var job: Int64
  public var studyInstanceUID: String
  /// An image of the series or, where they are purged, an object of the result: below the state directory. Nil where
  /// neither is here.
  public var file: String?
}

/// Jobs that came to a result in a part of the history.
public struct CompletedJobs: Sendable, Equatable {
  public var jobs: [Int64]
  /// The last event that was looked at; the next part begins after it.
  public var upTo: Int64
  /// Whether there are no later events.
  public var isLast: Bool
}

extension Ledger {
  /// The jobs that came to a result after an event.
  ///
  /// - Parameters:
  ///   - event: nil for the last one, after which there are none.
  ///   - limit: of events that are looked at.
  public func completedJobs(after event: Int64?, limit: Int = 2000) throws(LedgerError)
    -> CompletedJobs
  {
    try read { db in
      let head = try EventChain.head(db).event
      guard let event else { return CompletedJobs(jobs: [], upTo: head, isLast: true) }
      let rows = try Row.fetchAll(
        db, sql: StudyListQueries.events, arguments: [event, limit])
      let jobs = try rows.filter { row in
        ["completed", "taken up"].contains(try row.value("kind") as String)
      }.compactMap { try $0.value("job_id") as Int64? }
      let last: Int64? = try rows.last?.value("id")
      return CompletedJobs(jobs: jobs, upTo: last ?? event, isLast: (last ?? head) >= head)
    }
  }

  /// Those results of a model and of some jobs that no other has superseded.
  public func results(ofModel model: String, jobs: [Int64]) throws(LedgerError) -> [ModelResult] {
    try read { db in
      try Row.fetchAll(
        db, sql: StudyListQueries.resultsOfJobs, arguments: [jsonList(jobs), model]
      ).map(modelResult)
    }
  }

  private func modelResult(_ row: Row) throws -> ModelResult {
    ModelResult(
      job: try row.value("id"), studyInstanceUID: try row.value("study_uid"),
      file: try row.value("file"))
  }

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
      try Row.fetchAll(
        db, sql: StudyListQueries.resultsOfModel, arguments: [model, before, limit]
      ).map(modelResult)
    }
  }
}

extension StudyListQueries {
  /// After an event; how many at most.
  static let events = "SELECT id, kind, job_id FROM events WHERE id > ? ORDER BY id LIMIT ?"

  private static let resultColumns = """
    SELECT jobs.id,
      (SELECT study_uid FROM series WHERE series.series_uid = jobs.series_uid) AS study_uid,
      ifnull(
        (SELECT spool_path FROM instances WHERE instances.series_uid = jobs.series_uid
          AND instances.purged_at IS NULL AND lost_at IS NULL LIMIT 1),
        (SELECT path FROM result_objects JOIN results AS own USING (job_id)
          WHERE job_id = ifnull(results.same_as, jobs.id) AND kind = 'seg' AND own.purged_at IS NULL
          ORDER BY number LIMIT 1)) AS file
    """

  /// Of jobs as JSON and a model.
  static let resultsOfJobs = """
    \(resultColumns)
    FROM json_each(?) AS chosen CROSS JOIN jobs ON jobs.id = chosen.value
      CROSS JOIN results ON results.job_id = jobs.id
    WHERE model = ? AND state = 'completed' AND superseded_by IS NULL
    """

  /// Of a model and a number, in the order of its index.
  static let resultsOfModel = """
    \(resultColumns)
    FROM jobs CROSS JOIN results ON results.job_id = jobs.id
    WHERE model = ? AND state = 'completed' AND superseded_by IS NULL AND jobs.id < ?
    ORDER BY jobs.id DESC LIMIT ?
    """
}
