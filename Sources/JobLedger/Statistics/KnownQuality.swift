import Foundation
import GRDB

/// How far results agree with segmentations of others: computed again only once there is another comparison,
/// or another version of a segmentation.
struct KnownQuality: Sendable {
  private(set) var quality: [LedgerStatistics.Quality] = []
  private var seen: [Int64] = []
  /// A comparison was under way, whose scores come without another row.
  private var isUnfinished = false

  /// - Parameters:
  ///   - now: the ledger's time.
  ///   - ledger: whose they are.
  ///   - db: a transaction.
  mutating func update(now: Double, _ ledger: Ledger, _ db: Database) throws {
    let last = try Int64.fetchAll(
      db,
      sql: """
        SELECT ifnull((SELECT max(id) FROM comparisons), 0)
        UNION ALL SELECT ifnull((SELECT max(instance_id) FROM external_segmentations), 0)
        """)
    guard isUnfinished || last != seen else { return }
    quality = try ledger.quality(db)
    isUnfinished = try ledger.isComparing(since: now - Ledger.longestComparison, db)
    seen = last
  }
}

extension Ledger {
  fileprivate func isComparing(since time: Double, _ db: Database) throws -> Bool {
    try Bool.fetchOne(
      db, sql: "SELECT EXISTS (SELECT 1 FROM comparisons WHERE fault = ? AND compared_at >= ?)",
      arguments: [Self.unfinishedComparison, time]) ?? false
  }

  /// Of several versions of a segmentation of others the last counts, as in ``comparisons(model:since:)``.
  fileprivate func quality(_ db: Database) throws -> [LedgerStatistics.Quality] {
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
}
