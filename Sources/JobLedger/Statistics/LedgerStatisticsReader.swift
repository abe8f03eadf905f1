import Foundation
import GRDB
import Synchronization

/// Counts what a ledger holds, again and again: what does not change any more is counted once.
///
/// ```swift
/// let reader = LedgerStatisticsReader(ledger)
/// let held = try reader.read().studies[.held]
/// ```
public final class LedgerStatisticsReader: Sendable {
  /// Totals over rows that nothing changes any more, and the last row that each covers.
  private struct Settled {
    var instance: Int64 = 0
    var association: Int64 = 0
    var attempt: Int64 = 0
    var statistics = LedgerStatistics()
  }

  private let ledger: Ledger
  private let settled = Mutex(Settled())

  public init(_ ledger: Ledger) { self.ledger = ledger }

  /// - Throws: ``LedgerError``
  public func read() throws(LedgerError) -> LedgerStatistics {
    let before = settled.withLock { $0 }
    let (after, read) = try ledger.read { db in
      var settled = before
      try Self.settle(&settled, db)
      var statistics = settled.statistics
      try Self.addUnsettled(to: &statistics, after: settled, db)
      try ledger.addCurrent(to: &statistics, db)
      return (settled, statistics)
    }
    settled.withLock { $0 = after }
    var statistics = read
    statistics.goldenChecks = try ledger.lastGoldenChecks()
    return statistics
  }

  /// Counts the rows before the first that is still open.
  private static func settle(_ settled: inout Settled, _ db: Database) throws {
    let instance = try Int64.fetchOne(db, sql: "SELECT max(id) FROM instances") ?? 0
    try countInstances(&settled.statistics, after: settled.instance, through: instance, db)
    settled.instance = instance

    let association = try lastSettled("associations", "ended_at", db)
    try countAssociations(&settled.statistics, settled.association, association, db)
    settled.association = max(settled.association, association)

    let attempt = try lastSettled("attempts", "finished_at", db)
    try countAttempts(&settled.statistics, settled.attempt, attempt, db)
    settled.attempt = max(settled.attempt, attempt)
  }

  private static func addUnsettled(
    to statistics: inout LedgerStatistics, after settled: Settled, _ db: Database
  ) throws {
    try countAssociations(&statistics, settled.association, .max, db)
    try countAttempts(&statistics, settled.attempt, .max, db)
  }

  /// The last row before the first one without an end.
  private static func lastSettled(_ table: String, _ end: String, _ db: Database) throws -> Int64 {
    try Int64.fetchOne(
      db,
      sql: """
        SELECT coalesce((SELECT min(id) FROM \(table) WHERE \(end) IS NULL) - 1,
          (SELECT max(id) FROM \(table)), 0)
        """) ?? 0
  }

  private static func countInstances(
    _ statistics: inout LedgerStatistics, after first: Int64, through last: Int64, _ db: Database
  ) throws {
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT source, count(*) AS count, sum(byte_count) AS bytes FROM instances
        WHERE id > ? AND id <= ? GROUP BY source
        """, arguments: [first, last])
    for row in rows {
      var volume = statistics.instances[try row.value("source")] ?? .init()
      volume.count += try row.value("count")
      volume.bytes += try row.value("bytes")
      statistics.instances[try row.value("source")] = volume
    }
  }

  private static func countAssociations(
    _ statistics: inout LedgerStatistics, _ first: Int64, _ last: Int64, _ db: Database
  ) throws {
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT outcome, count(*) AS count FROM associations
        WHERE id > ? AND id <= ? AND outcome IS NOT NULL GROUP BY outcome
        """, arguments: [first, last])
    for row in rows {
      statistics.associations[try row.value("outcome"), default: 0] += try row.value("count")
    }
  }

  private static func countAttempts(
    _ statistics: inout LedgerStatistics, _ first: Int64, _ last: Int64, _ db: Database
  ) throws {
    let outcomes = try Row.fetchAll(
      db,
      sql: """
        SELECT model, outcome, count(*) AS count FROM attempts JOIN jobs ON jobs.id = job_id
        WHERE attempts.id > ? AND attempts.id <= ? AND outcome IS NOT NULL GROUP BY model, outcome
        """, arguments: [first, last])
    for row in outcomes {
      let kind = LedgerStatistics.AttemptKind(
        model: try row.value("model"), outcome: try row.value("outcome"))
      statistics.attempts[kind, default: 0] += try row.value("count")
    }
    let stages = try Row.fetchCursor(
      db,
      sql: """
        SELECT model, stage.key AS name, CAST(stage.value AS REAL) AS seconds
        FROM attempts JOIN jobs ON jobs.id = job_id, json_each(attempts.seconds) AS stage
        WHERE attempts.id > ? AND attempts.id <= ? AND outcome IS NOT NULL
        """, arguments: [first, last])
    while let row = try stages.next() {
      let stage = LedgerStatistics.Stage(model: try row.value("model"), name: try row.value("name"))
      statistics.stages[stage, default: Histogram()].add(try row.value("seconds"))
    }
  }
}

extension Ledger {
  /// What is so now, whatever it was before.
  fileprivate func addCurrent(to statistics: inout LedgerStatistics, _ db: Database) throws {
    statistics.studies = try studyStates(db)
    statistics.openAssociations =
      try Int.fetchOne(db, sql: "SELECT count(*) FROM associations WHERE ended_at IS NULL") ?? 0
    for row in try Row.fetchAll(db, sql: "SELECT state, count(*) AS count FROM jobs GROUP BY state")
    {
      statistics.jobs[try row.value("state")] = try row.value("count")
    }
    statistics.oldestWaitingJob = try Double.fetchOne(
      db, sql: "SELECT min(created_at) FROM jobs WHERE state IN ('available', 'retryable')"
    ).map(date)
    let refusals = try Row.fetchAll(
      db, sql: "SELECT status, sum(count) AS count FROM refused_instances GROUP BY status")
    for row in refusals { statistics.refusals[row["status"] as Int?] = try row.value("count") }
    try addDeliveries(to: &statistics, db)
    statistics.quality = try quality(db)
    statistics.mode = try processingState(db).mode
  }

  private func addDeliveries(to statistics: inout LedgerStatistics, _ db: Database) throws {
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT destination, state, count(*) AS count, min(results.created_at) AS oldest
        FROM deliveries JOIN results USING (job_id) GROUP BY destination, state
        """)
    for row in rows {
      let (destination, state) = (
        try row.value("destination") as String, try row.value("state") as String
      )
      statistics.deliveries[.init(destination: destination, state: state)] = try row.value("count")
      guard DeliveryState(rawValue: state)?.isOver == false else { continue }
      let oldest = try date(row, "oldest")
      statistics.oldestUndelivered[destination] = min(
        statistics.oldestUndelivered[destination] ?? oldest, oldest)
    }
  }

  /// Of several versions of a segmentation of others the last counts, as in ``comparisons(model:since:)``.
  private func quality(_ db: Database) throws -> [LedgerStatistics.Quality] {
    try Row.fetchAll(
      db,
      sql: """
        SELECT model, segment, count(*) AS count, avg(dice) AS mean, min(dice) AS least
        FROM comparison_scores
        JOIN comparisons ON comparisons.id = comparison_id
        JOIN jobs ON jobs.id = comparisons.job_id
        JOIN instances ON instances.id = comparisons.instance_id
        WHERE NOT EXISTS (
          SELECT 1 FROM instances AS later WHERE later.series_uid = instances.series_uid
            AND later.sop_uid = instances.sop_uid AND later.revision > instances.revision)
        GROUP BY model, segment ORDER BY model, segment
        """
    ).map { row in
      LedgerStatistics.Quality(
        model: try row.value("model"), structure: try row.value("segment"),
        count: try row.value("count"), mean: try row.value("mean"), least: try row.value("least"))
    }
  }

  private func studyStates(_ db: Database) throws -> [LedgerStatistics.StudyState: Int] {
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT rank, count(*) AS count FROM (
          SELECT study_uid, max(rank) AS rank FROM (
            SELECT study_uid, CASE WHEN assembled_revision < revision THEN 5
              WHEN held_as_incomplete THEN 2 ELSE 0 END AS rank FROM series
            UNION ALL
            SELECT study_uid, CASE jobs.state WHEN 'running' THEN 4 WHEN 'available' THEN 3
              WHEN 'retryable' THEN 3 WHEN 'held' THEN 2 WHEN 'discarded' THEN 2
              WHEN 'completed' THEN 1 ELSE 0 END
            FROM jobs JOIN series USING (series_uid)
          ) GROUP BY study_uid
        ) GROUP BY rank
        """)
    let states: [LedgerStatistics.StudyState] = [
      .unselected, .done, .held, .waiting, .running, .receiving,
    ]
    return try rows.reduce(into: [:]) {
      $0[states[try $1.value("rank") as Int]] = try $1.value("count")
    }
  }
}
