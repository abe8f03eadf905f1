import Foundation
import GRDB

/// Events that may be removed, the oldest ones.
public struct RemovableEvents: Sendable, Codable, Equatable {
  public var count: Int
  /// The last of them; nil for none.
  public var last: Int64?
  /// Why older ones than asked for are kept; nil where none are.
  public var kept: String?
}

extension Ledger {
  /// How many events are removed in one transaction at most.
  private static let eventsAtOnce = 10_000

  /// The oldest events, up to the first one that is newer than a date, or that is about something that is
  /// still here: a series whose originals or results are kept, or a job that is not over. The history of
  /// images is so kept for as long as they are, and that of a result as long as it. The last event stays.
  ///
  /// - Parameters:
  ///   - date: events from then on are kept.
  ///   - count: how many at most.
  public func removableEvents(before date: Date, count: Int = .max) throws(LedgerError)
    -> RemovableEvents
  {
    try read { db in try removableEvents(before: date, count: count, db) }
  }

  /// Removes the oldest events in portions, each with an anchor by which the chain is still checked.
  ///
  /// - Parameters:
  ///   - date: as of ``removableEvents(before:count:)``.
  ///   - reason: by which rule, for people.
  /// - Returns: how many were removed.
  public func purgeEvents(before date: Date, reason: String) throws(LedgerError) -> Int {
    var removed = 0
    while true {
      let count = try write { db in
        let found = try removableEvents(before: date, count: Self.eventsAtOnce, db)
        guard let last = found.last else { return 0 }
        return try removeEvents(upTo: last, reason: reason, db)
      }
      removed += count
      if count < Self.eventsAtOnce { break }
    }
    // The daemon's own removals are told by their anchors.
    if removed > 0, purger == .person {
      try write { db in
        try event(db, "events purged", by: .person, "\(removed) of the oldest events: \(reason)")
      }
    }
    return removed
  }

  private func removableEvents(before date: Date, count: Int, _ db: Database) throws
    -> RemovableEvents
  {
    let head = try EventChain.head(db).event
    let rows = try Row.fetchCursor(
      db, sql: "SELECT id, at, series_uid, job_id FROM events WHERE id < ? ORDER BY id",
      arguments: [head])
    var found = RemovableEvents(count: 0)
    var reasons: [String: String?] = [:]
    while let row = try rows.next(), found.count < count {
      guard try row.value("at") < date.timeIntervalSince1970 else { break }
      if let series = try self.series(of: row, db) {
        if reasons[series] == nil { reasons[series] = .some(try reasonToKeep(series, db)) }
        if let reason = reasons[series] ?? nil {
          let id: Int64 = try row.value("id")
          found.kept = "event \(id) is about series \(series), \(reason)"
          break
        }
      }
      found.count += 1
      found.last = try row.value("id")
    }
    return found
  }

  private func series(of event: Row, _ db: Database) throws -> String? {
    if let series: String = try event.value("series_uid") { return series }
    guard let job: Int64 = try event.value("job_id") else { return nil }
    return try String.fetchOne(
      db.cachedStatement(sql: "SELECT series_uid FROM jobs WHERE id = ?"), arguments: [job])
  }

  /// Why the history of a series is kept; nil where nothing of it is here any more.
  private func reasonToKeep(_ series: String, _ db: Database) throws -> String? {
    let row = try Row.fetchOne(
      db.cachedStatement(
        sql: """
          SELECT
            EXISTS (SELECT 1 FROM instances
              WHERE series_uid = ?1 AND purged_at IS NULL) AS has_originals,
            EXISTS (SELECT 1 FROM jobs JOIN results ON results.job_id = jobs.id
              WHERE series_uid = ?1 AND purged_at IS NULL AND same_as IS NULL
                AND EXISTS (SELECT 1 FROM result_objects
                  WHERE result_objects.job_id = jobs.id)) AS has_results,
            EXISTS (SELECT 1 FROM jobs WHERE series_uid = ?1
              AND state IN ('available', 'retryable', 'running')) AS has_jobs,
            EXISTS (SELECT 1 FROM series JOIN jobs USING (series_uid)
              WHERE series.series_uid = ?1 AND state = 'held' AND held_as_incomplete = 1) AS is_held
          """), arguments: [series])
    guard let row else { return nil }
    if try row.value("has_jobs") { return "which has a job that is not over" }
    if try row.value("is_held") { return "which is held as incomplete" }
    if try row.value("has_originals") { return "whose originals are kept" }
    if try row.value("has_results") { return "whose result is kept" }
    return nil
  }
}
