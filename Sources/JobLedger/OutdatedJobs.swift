import GRDB

extension Ledger {
  /// Cancels held jobs in whose place a result has come: older ones of the series, for the same model or of
  /// fewer instances. Nobody could have one run any more, and it would count as something to be done.
  ///
  /// Those of a series that is held as incomplete stay: by them a person releases it.
  func cancelOutdated(by id: Int64, series: String, model: String, _ db: Database) throws {
    let outdated = try Int64.fetchAll(
      db,
      sql: """
        SELECT held.id FROM jobs AS held INDEXED BY jobs_by_series
          CROSS JOIN jobs AS done ON done.id = ?1
          CROSS JOIN series ON series.series_uid = ?2
        WHERE held.series_uid = ?2 AND held.state = 'held' AND held.id < ?1
          AND (held.model = ?3 OR held.revision < done.revision) AND NOT held_as_incomplete
        ORDER BY held.id
        """, arguments: [id, series, model])
    for job in outdated { try cancelOutdated(job, by: id, db) }
  }

  private func cancelOutdated(_ job: Int64, by id: Int64, _ db: Database) throws {
    try cancel(
      job, from: ["held"], reason: "the result of job \(id) took its place", by: .program, db)
  }

  /// Cancels the held jobs in whose place a result that counts has come already: earlier versions left them held, and so
  /// does a series that was held as incomplete until then. It reads every job.
  ///
  /// - Returns: the numbers of the jobs.
  @discardableResult
  public func cancelOutdatedJobs() throws(LedgerError) -> [Int64] {
    try write { db in
      let outdated = try Row.fetchAll(
        db,
        sql: """
          SELECT held.id AS id, max(done.id) AS newer FROM jobs AS held
            CROSS JOIN series ON series.series_uid = held.series_uid
            CROSS JOIN jobs AS done INDEXED BY jobs_by_series
              ON done.series_uid = held.series_uid AND done.id > held.id
            CROSS JOIN results ON results.job_id = done.id AND superseded_by IS NULL
          WHERE held.state = 'held' AND NOT held_as_incomplete
            AND (held.model = done.model OR held.revision < done.revision)
          GROUP BY held.id ORDER BY held.id
          """)
      return try outdated.map { row in
        let id: Int64 = try row.value("id")
        try cancelOutdated(id, by: try row.value("newer"), db)
        return id
      }
    }
  }
}
