import Foundation
import GRDB

/// A result on its way to one destination.
public struct ClaimedDelivery: Sendable, Equatable {
  public var id: Int64
  public var job: Int64
  public var destination: String
  public var attempt: Int
  /// The DICOM objects that the destination neither has nor declined; they are sent in this order. Empty
  /// where all arrived and the process ended before that was noted.
  public var objects: [StoredObject]
}

/// Why a destination has not taken a result.
public enum DeliveryFailure: String, Sendable, Codable {
  /// It did not answer, or the connection broke.
  case unreachable
  /// It answered, and refused.
  case refused
  /// It took an object, and said later that it does not have it.
  case missing
}

extension Ledger {
  /// Takes the delivery that is due longest, to the given destination or of the result of the given job;
  /// nil when there is none.
  public func claimDelivery(destination: String? = nil, job: Int64? = nil) throws(LedgerError)
    -> ClaimedDelivery?
  {
    try write { db in
      let (chosen, arguments) = Self.dueDelivery("waiting", destination, job, now)
      let row = try Row.fetchOne(
        db,
        sql: """
          UPDATE deliveries SET state = 'sending', attempt_count = attempt_count + 1
          WHERE id = (\(chosen)) RETURNING *
          """, arguments: arguments)
      guard let row else { return nil }
      let id: Int64 = try row.value("id")
      let claim = ClaimedDelivery(
        id: id, job: try row.value("job_id"), destination: try row.value("destination"),
        attempt: try row.value("attempt_count"),
        objects: try objects(
          delivery: id, where: "arrived_at IS NULL AND declined_at IS NULL", db))
      try event(
        db, "sending", by: .program, job: claim.job,
        "to \(claim.destination) (attempt \(claim.attempt))")
      return claim
    }
  }

  /// The delivery in a state that is due longest, to a destination or of the result of a job: each is found by
  /// an index of its own.
  static func dueDelivery(
    _ state: String, _ destination: String?, _ job: Int64?, _ now: Double
  ) -> (sql: String, arguments: StatementArguments) {
    var condition = "state = '\(state)' AND scheduled_at <= ?"
    var arguments: StatementArguments = [now]
    if let destination {
      condition += " AND destination = ?"
      arguments += [destination]
    }
    if let job {
      condition +=
        " AND job_id = ifnull((SELECT same_as FROM results WHERE results.job_id = ?), ?)"
      arguments += [job, job]
    }
    return (
      "SELECT id FROM deliveries WHERE \(condition) ORDER BY scheduled_at, id LIMIT 1", arguments
    )
  }

  /// Writes what the destination answered about one object, while others are still to be sent: an object
  /// that arrived is not sent again, whatever happens next.
  public func record(_ answer: ObjectAnswer, of delivery: ClaimedDelivery) throws(LedgerError) {
    try write { db in try record(answer, delivery: delivery.id, db) }
  }

  /// The destination has taken all objects of the result, but for those that it declined.
  ///
  /// Where it declined all of them the delivery is held: nothing arrived.
  ///
  /// - Parameters:
  ///   - delivery: what was sent.
  ///   - answers: about its objects, also those that were recorded before; those of which nothing is said
  ///     were taken.
  ///   - awaitsProof: whether it has to be proved that the destination keeps them.
  ///   - warning: what it reported besides success.
  public func markDelivered(
    _ delivery: ClaimedDelivery, answers: [ObjectAnswer] = [], awaitsProof: Bool = false,
    warning: String? = nil
  ) throws(LedgerError) {
    try write { db in
      for answer in answers { try record(answer, delivery: delivery.id, db) }
      for object in delivery.objects {
        let uid = object.sopInstanceUID ?? ""
        if answers.contains(where: { $0.sopInstanceUID == uid }) { continue }
        try record(
          ObjectAnswer(sopInstanceUID: uid, status: nil, isStored: true), delivery: delivery.id, db)
      }
      try tell(declined: answers, of: delivery, db)
      if try hasDeclinedAll(delivery.id, db) { return try holdDeclined(delivery, db) }
      let lacksProof = try awaitsProof && !isProved(delivery.id, db)
      try db.execute(
        sql: """
          UPDATE deliveries
          SET state = ?1, sent_at = ?2, delivered_at = iif(?1 = 'delivered', ?2, NULL),
            scheduled_at = ?2, proof_count = 0, missing_count = 0, last_failure = NULL, last_error = ?3
          WHERE id = ?4 AND state = 'sending'
          """, arguments: [lacksProof ? "sent" : "delivered", now, warning, delivery.id])
      try expectChange(of: delivery, db)
      try event(
        db, lacksProof ? "sent" : "delivered", by: .peer, job: delivery.job,
        "to \(delivery.destination)" + (warning.map { ": \($0)" } ?? ""))
    }
  }

  private func hasDeclinedAll(_ delivery: Int64, _ db: Database) throws -> Bool {
    try Bool.fetchOne(
      db,
      sql: """
        SELECT count(*) > 0 AND count(*) = count(declined_at) FROM delivery_objects
        WHERE delivery_id = ?
        """, arguments: [delivery]) ?? false
  }

  private func holdDeclined(_ delivery: ClaimedDelivery, _ db: Database) throws {
    let note = try String.fetchOne(
      db,
      sql: """
        SELECT note FROM delivery_objects WHERE delivery_id = ? AND note IS NOT NULL
        ORDER BY declined_at DESC LIMIT 1
        """, arguments: [delivery.id])
    let reason =
      "it takes none of the objects, so nothing was sent" + (note.map { ": \($0)" } ?? "")
    let state = try isSuperseded(job: delivery.job, db) ? "superseded" : "held"
    try db.execute(
      sql: """
        UPDATE deliveries SET state = ?, scheduled_at = ?, last_failure = 'refused', last_error = ?
        WHERE id = ? AND state = 'sending'
        """, arguments: [state, now, reason, delivery.id])
    try expectChange(of: delivery, db)
    try tellHeld(delivery.job, delivery.destination, as: state, by: .peer, reason, db)
  }

  /// That a delivery is held or, where a newer result has come in the meantime, given up.
  func tellHeld(
    _ job: Int64, _ destination: String, as state: String, by cause: EventCause, _ reason: String,
    _ db: Database
  ) throws {
    let isHeld = state == "held"
    try event(
      db, isHeld ? "delivery held" : "not delivered", by: cause, job: job,
      "to \(destination): \(reason)")
    if !isHeld { try tellSuperseded(job, destination, by: .program, db) }
  }

  func tellSuperseded(_ job: Int64, _ destination: String, by cause: EventCause, _ db: Database)
    throws
  {
    try event(
      db, "delivery superseded", by: cause, job: job,
      "to \(destination), as a newer result takes its place")
  }

  /// The result stays in the outbox and is tried again after a pause, or is held where that is of no use.
  ///
  /// Where a newer result has come in the meantime, this one is not tried again.
  ///
  /// - Parameters:
  ///   - delivery: what was sent.
  ///   - failure: what the destination has to do with it; nil where the fault is ours.
  ///   - answers: about its objects, as far as any came.
  ///   - error: why, for people; without patient data.
  ///   - isPermanent: whether it is held.
  ///   - policy: gives the pause by the number of attempts.
  ///   - shortestPause: seconds before which it is not tried again, as the destination asked.
  public func markDeliveryFailed(
    _ delivery: ClaimedDelivery, _ failure: DeliveryFailure? = nil, answers: [ObjectAnswer] = [],
    error: String, isPermanent: Bool = false, policy: RetryPolicy = .deliveries,
    shortestPause: TimeInterval = 0
  ) throws(LedgerError) {
    try write { db in
      for answer in answers { try record(answer, delivery: delivery.id, db) }
      try tell(declined: answers, of: delivery, db)
      let pause = isPermanent ? nil : policy.pause(after: delivery.attempt)
      let state =
        try isSuperseded(job: delivery.job, db) ? "superseded" : pause == nil ? "held" : "waiting"
      try db.execute(
        sql: """
          UPDATE deliveries SET state = ?, scheduled_at = ?, last_failure = ?, last_error = ?
          WHERE id = ? AND state = 'sending'
          """,
        arguments: [
          state, now + max(pause ?? 0, shortestPause), failure?.rawValue, error, delivery.id,
        ])
      try expectChange(of: delivery, db)
      try event(
        db, state == "held" ? "delivery held" : "not delivered",
        by: failure == .refused ? .peer : .fault, job: delivery.job,
        "to \(delivery.destination): \(error)")
      if state == "superseded" {
        try tellSuperseded(delivery.job, delivery.destination, by: .program, db)
      }
    }
  }

  /// Holds what waits for destinations that do not exist any more: nobody would ever send it.
  ///
  /// - Parameters:
  ///   - names: of the destinations that there are.
  ///   - reason: why, for people.
  public func holdDeliveries(toOthersThan names: Set<String>, reason: (String) -> String)
    throws(LedgerError)
  {
    try write { db in
      let found = try Row.fetchAll(
        db,
        sql: """
          SELECT id, job_id, destination FROM deliveries WHERE state = 'waiting'
          UNION ALL SELECT id, job_id, destination FROM deliveries WHERE state = 'sent'
          """)
      for row in found {
        let destination: String = try row.value("destination")
        guard !names.contains(destination) else { continue }
        let (id, job): (Int64, Int64) = (try row.value("id"), try row.value("job_id"))
        let why = reason(destination)
        let state = try isSuperseded(job: job, db) ? "superseded" : "held"
        try db.execute(
          sql: """
            UPDATE deliveries SET state = ?, last_failure = NULL, last_error = ? WHERE id = ?
            """, arguments: [state, why, id])
        try tellHeld(job, destination, as: state, by: .rule, why, db)
      }
    }
  }

  /// Whether the files of a job's result are those of a current one, of this job or of a later one that came to
  /// the same.
  static func isCurrent(_ job: String) -> String {
    """
    EXISTS (SELECT 1 FROM results AS own JOIN jobs AS owner ON owner.id = own.job_id
        JOIN jobs AS later ON later.series_uid = owner.series_uid
        JOIN results AS current ON current.job_id = later.id
      WHERE own.job_id = \(job) AND current.superseded_by IS NULL
        AND ifnull(current.same_as, current.job_id) = own.job_id)
    """
  }

  func isSuperseded(job: Int64, _ db: Database) throws -> Bool {
    try Bool.fetchOne(db, sql: "SELECT NOT \(Self.isCurrent("?1"))", arguments: [job]) ?? false
  }

  private func expectChange(of delivery: ClaimedDelivery, _ db: Database) throws {
    guard db.changesCount == 1 else {
      throw LedgerError.notSending(job: delivery.job, destination: delivery.destination)
    }
  }

  /// What was being sent is sent again, without the objects of which it is known that they arrived. Of
  /// the one that was under way it is not known, and the same object twice does no harm.
  func rescueDeliveries(_ db: Database) throws {
    let rescued = try Row.fetchAll(
      db,
      sql: """
        UPDATE deliveries
        SET state = iif(\(Self.isCurrent("deliveries.job_id")), 'waiting', 'superseded')
        WHERE state = 'sending' RETURNING job_id, destination, state
        """)
    for row in rescued {
      let (job, destination): (Int64, String) = (
        try row.value("job_id"), try row.value("destination")
      )
      try event(
        db, "not delivered", by: .fault, job: job,
        "to \(destination): segmentd ended while it was sent")
      if try row.value("state") == DeliveryState.superseded.rawValue {
        try tellSuperseded(job, destination, by: .program, db)
      }
    }
  }
}
