import Foundation
import GRDB

/// What a ledger's daemon got done in a time.
public struct Throughput: Sendable, Codable, Equatable {
  /// Jobs that were completed.
  public var jobs: Int
  /// Instances that were received, and their bytes.
  public var instances: Int
  public var bytes: Int
}

extension Ledger {
  /// What was done since a date. Reads the newest rows alone: those of the time, and one before.
  public func throughput(since date: Date) throws(LedgerError) -> Throughput {
    let time = time(of: date)
    return try read { db in
      let jobs = try Int.fetchOne(
        db,
        sql: """
          SELECT count(*) FROM attempts WHERE outcome = 'completed' AND finished_at >= ?1 AND id >
            ifnull((SELECT id FROM attempts WHERE started_at < ?1 AND finished_at < ?1
              ORDER BY id DESC LIMIT 1), 0)
          """, arguments: [time])
      let row = try Row.fetchOne(
        db,
        sql: """
          SELECT count(*) AS count, ifnull(sum(byte_count), 0) AS bytes FROM instances WHERE id >
            ifnull((SELECT id FROM instances WHERE received_at < ? ORDER BY id DESC LIMIT 1), 0)
          """, arguments: [time])
      return Throughput(
        jobs: jobs ?? 0, instances: try row?.value("count") ?? 0,
        bytes: try row?.value("bytes") ?? 0)
    }
  }
}
