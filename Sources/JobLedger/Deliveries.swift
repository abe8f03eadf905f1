import Foundation
import GRDB

/// A result on its way to one destination.
public struct ClaimedDelivery: Sendable, Equatable {
  public var id: Int64
  public var job: Int64
  public var destination: String
  public var attempt: Int
  /// The DICOM objects of the result; all are sent, in this order.
  public var objects: [StoredObject]
}

/// Why a destination has not taken a result.
public enum DeliveryFailure: String, Sendable, Codable {
  /// It did not answer, or the connection broke.
  case unreachable
  /// It answered, and refused the object.
  case refused
}

extension Ledger {
  /// Takes the delivery that is due longest, to the given destination or of the result of the given job;
  /// nil when there is none.
  public func claimDelivery(destination: String? = nil, job: Int64? = nil) throws(LedgerError)
    -> ClaimedDelivery?
  {
    try write { db in
      let row = try Row.fetchOne(
        db,
        sql: """
          UPDATE deliveries SET state = 'sending', attempt_count = attempt_count + 1
          WHERE id = (
            SELECT id FROM deliveries
            WHERE state = 'waiting' AND scheduled_at <= ?1 AND (?2 IS NULL OR job_id =
                ifnull((SELECT same_as FROM results WHERE results.job_id = ?2), ?2))
              AND (?3 IS NULL OR destination = ?3)
            ORDER BY scheduled_at, id LIMIT 1)
          RETURNING *
          """, arguments: [now, job, destination])
      return try row.map {
        ClaimedDelivery(
          id: try $0.value("id"), job: try $0.value("job_id"),
          destination: try $0.value("destination"),
          attempt: try $0.value("attempt_count"),
          objects: try objects(job: try $0.value("job_id"), db).filter(\.kind.isSent))
      }
    }
  }

  /// The destination has taken the result; `warning` is what it reported besides success.
  public func markDelivered(_ delivery: ClaimedDelivery, warning: String? = nil)
    throws(LedgerError)
  {
    try write { db in
      try db.execute(
        sql: """
          UPDATE deliveries
          SET state = 'delivered', delivered_at = ?, last_failure = NULL, last_error = ?
          WHERE id = ? AND state = 'sending'
          """, arguments: [now, warning, delivery.id])
      try expectChange(of: delivery, db)
      try event(
        db, "delivered", by: .peer, job: delivery.job,
        "to \(delivery.destination)" + (warning.map { ": \($0)" } ?? ""))
    }
  }

  /// The result stays in the outbox and is tried again after a pause, or is held where that is of no use.
  ///
  /// Where a newer result has come in the meantime, this one is not tried again.
  public func markDeliveryFailed(
    _ delivery: ClaimedDelivery, _ failure: DeliveryFailure? = nil, error: String,
    isPermanent: Bool = false, policy: RetryPolicy = .deliveries
  ) throws(LedgerError) {
    try write { db in
      let pause = isPermanent ? nil : policy.pause(after: delivery.attempt)
      let isSuperseded =
        try Bool.fetchOne(
          db, sql: "SELECT superseded_by IS NOT NULL FROM results WHERE job_id = ?",
          arguments: [delivery.job]) ?? false
      let state = isSuperseded ? "superseded" : pause == nil ? "held" : "waiting"
      try db.execute(
        sql: """
          UPDATE deliveries SET state = ?, scheduled_at = ?, last_failure = ?, last_error = ?
          WHERE id = ? AND state = 'sending'
          """, arguments: [state, now + (pause ?? 0), failure?.rawValue, error, delivery.id])
      try expectChange(of: delivery, db)
      try event(
        db, state == "held" ? "delivery held" : "not delivered",
        by: failure == .refused ? .peer : .fault, job: delivery.job,
        "to \(delivery.destination): \(error)")
    }
  }

  private func expectChange(of delivery: ClaimedDelivery, _ db: Database) throws {
    guard db.changesCount == 1 else {
      throw LedgerError.notSending(job: delivery.job, destination: delivery.destination)
    }
  }

  /// What was being sent is sent again: whether it arrived is not known, and the same object twice
  /// does no harm.
  func rescueDeliveries(_ db: Database) throws {
    try db.execute(
      sql: """
        UPDATE deliveries SET state =
          CASE (SELECT superseded_by IS NULL FROM results WHERE results.job_id = deliveries.job_id)
            WHEN 1 THEN 'waiting' ELSE 'superseded' END
        WHERE state = 'sending'
        """)
  }
}
