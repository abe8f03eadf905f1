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
    for job in outdated {
      try cancel(
        job, from: ["held"], reason: "the result of job \(id) took its place", by: .program, db)
    }
  }
}
