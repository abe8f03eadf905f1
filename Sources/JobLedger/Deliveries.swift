import Foundation
import GRDB

/// A result on its way to one destination.
public struct ClaimedDelivery: Sendable, Equatable {
  public var id: Int64
  public var job: Int64
  public var destination: String
  public var attempt: Int
  /// Relative to the state directory.
  public var path: String
  public var sopInstanceUID: String
}

extension JobLedger {
  /// Takes the delivery that is due longest, or one of the given job; nil when there is none.
  public func claimDelivery(job: Int64? = nil) throws(LedgerError) -> ClaimedDelivery? {
    try write { db in
      let row = try Row.fetchOne(
        db,
        sql: """
          UPDATE deliveries SET state = 'sending', attempt_count = attempt_count + 1
          WHERE id = (
            SELECT id FROM deliveries WHERE state = 'waiting' AND scheduled_at <= ?1
              AND (?2 IS NULL OR job_id = ?2)
            ORDER BY scheduled_at, id LIMIT 1)
          RETURNING *,
            (SELECT path FROM results WHERE results.job_id = deliveries.job_id) AS path,
            (SELECT sop_uid FROM results WHERE results.job_id = deliveries.job_id) AS sop_uid
          """, arguments: [now, job])
      return row.map {
        ClaimedDelivery(
          id: $0["id"], job: $0["job_id"], destination: $0["destination"],
          attempt: $0["attempt_count"], path: $0["path"], sopInstanceUID: $0["sop_uid"])
      }
    }
  }

  /// The destination has taken the result; `warning` is what it said besides.
  public func markDelivered(_ delivery: ClaimedDelivery, warning: String? = nil)
    throws(LedgerError)
  {
    try write { db in
      try db.execute(
        sql: """
          UPDATE deliveries SET state = 'delivered', delivered_at = ?, last_error = ? WHERE id = ?
          """, arguments: [now, warning, delivery.id])
      try event(
        db, "delivered", job: delivery.job,
        "to \(delivery.destination)" + (warning.map { ": \($0)" } ?? ""))
    }
  }

  /// The result stays in the outbox and is tried again after a pause.
  public func markDeliveryFailed(
    _ delivery: ClaimedDelivery, error: String, policy: RetryPolicy = .deliveries
  ) throws(LedgerError) {
    try write { db in
      let pause = policy.pause(after: delivery.attempt) ?? policy.longestPause
      try db.execute(
        sql: """
          UPDATE deliveries SET state = 'waiting', scheduled_at = ?, last_error = ? WHERE id = ?
          """, arguments: [now + pause, error, delivery.id])
      try event(db, "not delivered", job: delivery.job, "to \(delivery.destination): \(error)")
    }
  }
}
