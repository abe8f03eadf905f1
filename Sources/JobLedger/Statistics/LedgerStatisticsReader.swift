import Foundation
import GRDB
import Synchronization

/// Counts what a ledger holds, again and again: what does not change any more is counted once, and the rest
/// as far as something happened to it.
///
/// ```swift
/// let reader = LedgerStatisticsReader(ledger)
/// let held = try reader.read().studies[.held]
/// ```
public final class LedgerStatisticsReader: Sendable {
  /// What was counted, and up to which row.
  private struct Counted: Sendable {
    var instance: Int64 = 0
    var association: Int64 = 0
    var attempt: Int64 = 0
    /// Totals over rows that nothing changes any more.
    var settled = LedgerStatistics()
    var rows = KnownRows()
    var quality = KnownQuality()
  }

  private let ledger: Ledger
  private let counted = Mutex(Counted())

  public init(_ ledger: Ledger) { self.ledger = ledger }

  /// - Throws: ``LedgerError``
  public func read() throws(LedgerError) -> LedgerStatistics {
    var statistics = try counted.withLock { counted throws(LedgerError) -> LedgerStatistics in
      // What was counted by half is not kept.
      var next = counted
      counted = Counted()
      let statistics = try ledger.read { db in try Self.count(&next, ledger, db) }
      counted = next
      return statistics
    }
    statistics.goldenChecks = try ledger.lastGoldenChecks()
    statistics.handover = try ledger.handoverState()
    statistics.listeners = try ledger.listeners()
    return statistics
  }

  private static func count(_ counted: inout Counted, _ ledger: Ledger, _ db: Database) throws
    -> LedgerStatistics
  {
    try counted.rows.update(openAfter: counted.association, now: ledger.now, db)
    try counted.quality.update(now: ledger.now, ledger, db)
    try settle(&counted, db)
    var statistics = counted.settled
    try countAssociations(&statistics, counted.association, .max, db)
    try countAttempts(&statistics, counted.attempt, .max, db)
    try ledger.addCurrent(to: &statistics, db)
    statistics.studies = counted.rows.studies.counts
    statistics.jobs = counted.rows.jobs.counts
    statistics.deliveries = counted.rows.deliveries.counts
    statistics.refusals = counted.rows.refusals.counts
    for result in counted.rows.undelivered.values {
      let since = ledger.date(result.since)
      statistics.oldestUndelivered[result.destination] = min(
        statistics.oldestUndelivered[result.destination] ?? since, since)
    }
    statistics.quality = counted.quality.quality
    return statistics
  }

  /// Counts the rows before the first that is still open.
  private static func settle(_ counted: inout Counted, _ db: Database) throws {
    let instance = try Int64.fetchOne(db, sql: "SELECT max(id) FROM instances") ?? 0
    try countInstances(&counted.settled, after: counted.instance, through: instance, db)
    counted.instance = instance

    let association = try lastSettled("associations", "ended_at", index: "associations_open", db)
    try countAssociations(&counted.settled, counted.association, association, db)
    counted.association = max(counted.association, association)

    let attempt = try lastSettled("attempts", "finished_at", index: "attempts_open", db)
    try countAttempts(&counted.settled, counted.attempt, attempt, db)
    counted.attempt = max(counted.attempt, attempt)
  }

  /// The last row before the first one without an end, by the index that has only those.
  private static func lastSettled(
    _ table: String, _ end: String, index: String, _ db: Database
  ) throws -> Int64 {
    try Int64.fetchOne(
      db,
      sql: """
        SELECT coalesce((SELECT min(id) FROM \(table) INDEXED BY \(index) WHERE \(end) IS NULL) - 1,
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
    statistics.openAssociations =
      try Int.fetchOne(
        db,
        sql: """
          SELECT count(*) FROM associations INDEXED BY associations_open WHERE ended_at IS NULL
          """) ?? 0
    statistics.oldestWaitingJob = try Double.fetchOne(
      db, sql: "SELECT min(created_at) FROM jobs WHERE state IN ('available', 'retryable')"
    ).map(date)
    statistics.mode = try processingState(db).mode
  }
}
