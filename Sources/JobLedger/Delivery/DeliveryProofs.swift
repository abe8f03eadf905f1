import Foundation
import GRDB
import Wording

/// A result that was sent, and whose destination is to be asked whether it keeps it.
public struct ClaimedProof: Sendable, Equatable {
  /// Of the delivery.
  public var id: Int64
  public var job: Int64
  public var destination: String
  /// How many times it was asked for since the result was sent, this time included.
  public var attempt: Int
  /// How many answers lacked an object since it was sent.
  public var missingAnswers: Int
  /// The objects that are not proved yet. Empty where all are and the process ended before that was
  /// noted.
  public var objects: [StoredObject]
}

/// An object that a destination took and does not have.
public struct MissingObject: Sendable, Equatable {
  public var sopInstanceUID: String
  /// For people; without patient data.
  public var reason: String
  /// Whether sending it again is of no use.
  public var isPermanent: Bool

  public init(sopInstanceUID: String, reason: String, isPermanent: Bool = false) {
    self.sopInstanceUID = sopInstanceUID
    self.reason = reason
    self.isPermanent = isPermanent
  }
}

extension Ledger {
  /// So often an object is taken and found missing before its delivery is held.
  static let maximumTakes = 5

  /// Takes the sent result whose proof is due longest, to the given destination or of the given job; nil
  /// when there is none.
  ///
  /// It stays `sent`, and is due again after the pause that the policy gives by the number of times:
  /// whatever becomes of the question, it is asked again unless proof comes.
  public func claimProof(
    destination: String? = nil, job: Int64? = nil, policy: RetryPolicy
  ) throws(LedgerError) -> ClaimedProof? {
    try write { db in
      let (chosen, arguments) = Self.dueDelivery("sent", destination, job, now)
      let found = try Row.fetchOne(
        db,
        sql: """
          SELECT id, job_id, destination, missing_count, proof_count + 1 AS n FROM deliveries
          WHERE id = (\(chosen))
          """, arguments: arguments)
      guard let row = found else { return nil }
      let (id, count): (Int64, Int) = (try row.value("id"), try row.value("n"))
      let pause = policy.pause(after: count) ?? policy.longestPause
      try db.execute(
        sql: "UPDATE deliveries SET proof_count = ?, scheduled_at = ? WHERE id = ?",
        arguments: [count, now + pause, id])
      return ClaimedProof(
        id: id, job: try row.value("job_id"), destination: try row.value("destination"),
        attempt: count, missingAnswers: try row.value("missing_count"),
        objects: try objects(
          delivery: id, where: "proved_at IS NULL AND declined_at IS NULL", db))
    }
  }

  /// Writes what a destination said of objects that were sent to it: what it keeps is proved, what it
  /// lacks is sent again, or held where it was taken and lost five times or sending is of no use.
  ///
  /// - Parameters:
  ///   - claim: what it was asked about.
  ///   - proof: how it was asked.
  ///   - kept: SOP Instance UIDs.
  ///   - missing: those that it lacks; of others nothing is known yet.
  public func recordProof(
    _ claim: ClaimedProof, by proof: ProofOfArrival, kept: some Sequence<String>,
    missing: [MissingObject]
  ) throws(LedgerError) {
    let kept = Array(kept)
    try write { db in
      try prove(kept, by: proof, delivery: claim.id, db)
      try settle(claim.id, by: proof, missing: missing, askedAt: now, db)
    }
  }

  /// The question had no answer that can be used: it is asked again when it is due, or held.
  ///
  /// - Parameters:
  ///   - claim: what was asked about.
  ///   - failure: what the destination has to do with it; nil where the fault is ours.
  ///   - error: why, for people; without patient data.
  ///   - isPermanent: whether the delivery is held.
  public func markProofFailed(
    _ claim: ClaimedProof, _ failure: DeliveryFailure?, error: String, isPermanent: Bool = false
  ) throws(LedgerError) {
    try write { db in
      let end = try isSuperseded(job: claim.job, db) ? "superseded" : "held"
      try db.execute(
        sql: """
          UPDATE deliveries SET state = ?, last_failure = ?, last_error = ?,
            missing_count = missing_count + ?
          WHERE id = ? AND state = 'sent'
          """,
        arguments: [
          isPermanent ? end : "sent", failure?.rawValue, error, failure == .missing, claim.id,
        ])
      guard db.changesCount == 1 else { return }
      let cause: EventCause = failure == .unreachable || failure == nil ? .fault : .peer
      if isPermanent {
        try tellHeld(claim.job, claim.destination, as: end, by: cause, error, db)
      } else {
        try event(
          db, "not proved", by: cause, job: claim.job, "to \(claim.destination): \(error)")
      }
    }
  }

  /// No proof is asked for any more: what was sent is delivered.
  public func markProofNeedless(_ claim: ClaimedProof) throws(LedgerError) {
    try write { db in
      try db.execute(
        sql: """
          UPDATE deliveries SET state = 'delivered', delivered_at = ? WHERE id = ? AND state = 'sent'
          """, arguments: [now, claim.id])
      guard db.changesCount == 1 else { return }
      try event(
        db, "delivered", by: .rule, job: claim.job,
        "to \(claim.destination), which is not asked for proof any more")
    }
  }

  func isProved(_ delivery: Int64, _ db: Database) throws -> Bool {
    try Bool.fetchOne(
      db,
      sql: """
        SELECT count(*) = count(proved_at) + count(declined_at)
          AND (count(declined_at) = 0 OR count(proved_at) > 0)
        FROM delivery_objects WHERE delivery_id = ?
        """, arguments: [delivery]) ?? false
  }

  func prove(
    _ kept: [String], by proof: ProofOfArrival, delivery: Int64, _ db: Database
  ) throws {
    for uid in kept {
      try db.execute(
        sql: """
          UPDATE delivery_objects
          SET proved_at = ?1, proof = ?2, arrived_at = ifnull(arrived_at, ?1), declined_at = NULL
          WHERE delivery_id = ?3 AND sop_uid = ?4 AND proved_at IS NULL
          """, arguments: [now, proof.rawValue, delivery, uid])
    }
  }

  /// Ends the wait for proof where all is proved, or where an object is to be sent again.
  func settle(
    _ id: Int64, by proof: ProofOfArrival, missing: [MissingObject], askedAt: Double, _ db: Database
  ) throws {
    // One that is held may be proved all the same, as by the report to an earlier request.
    guard
      let row = try Row.fetchOne(
        db,
        sql: """
          SELECT job_id, destination, state FROM deliveries
          WHERE id = ? AND state IN ('sent', 'held')
          """, arguments: [id])
    else { return }
    let (job, destination): (Int64, String) = (
      try row.value("job_id"), try row.value("destination")
    )
    let isSent = try row.value("state") == DeliveryState.sent.rawValue
    let lost = try missing.filter { try isSent && forget($0, delivery: id, askedAt: askedAt, db) }
    if !lost.isEmpty {
      try sendAgain(id, job: job, destination: destination, lost, db)
    } else if try isProved(id, db) {
      try db.execute(
        sql: """
          UPDATE deliveries SET state = 'delivered', delivered_at = ?1, last_failure = NULL,
            last_error = (SELECT note FROM delivery_objects
              WHERE delivery_id = ?2 AND note IS NOT NULL AND declined_at IS NULL LIMIT 1)
          WHERE id = ?2
          """, arguments: [now, id])
      try event(db, "delivered", by: .peer, job: job, "to \(destination), \(proof.words)")
    }
  }

  /// An object that is missing is to be sent again.
  ///
  /// - Returns: whether it was not proved, nor sent again since it was asked for, so that it counts.
  private func forget(
    _ object: MissingObject, delivery: Int64, askedAt: Double, _ db: Database
  ) throws -> Bool {
    try db.execute(
      sql: """
        UPDATE delivery_objects SET arrived_at = NULL, note = ?
        WHERE delivery_id = ? AND sop_uid = ? AND proved_at IS NULL AND arrived_at <= ?
        """, arguments: [object.reason, delivery, object.sopInstanceUID, askedAt])
    return db.changesCount == 1
  }

  private func sendAgain(
    _ id: Int64, job: Int64, destination: String, _ missing: [MissingObject], _ db: Database
  ) throws {
    let takes =
      try Int.fetchOne(
        db,
        sql: """
          SELECT max(taken_count) FROM delivery_objects WHERE delivery_id = ? AND arrived_at IS NULL
          """, arguments: [id]) ?? 0
    let isGivenUp = takes >= Self.maximumTakes
    let isHeld = isGivenUp || missing.contains(where: \.isPermanent)
    let state = try isSuperseded(job: job, db) ? "superseded" : isHeld ? "held" : "waiting"
    var reason = missing.first { $0.isPermanent }?.reason ?? missing[0].reason
    if missing.count > 1 { reason += " (and \(missing.count - 1) more)" }
    if isGivenUp {
      reason = "it took an object \(counted(takes, "time")) and does not have it: \(reason)"
    }
    let pause = RetryPolicy.deliveries.pause(after: max(takes, 1)) ?? 0
    try db.execute(
      sql: """
        UPDATE deliveries
        SET state = ?, scheduled_at = ?, last_failure = 'missing', last_error = ?,
          missing_count = 0
        WHERE id = ?
        """, arguments: [state, now + pause, reason, id])
    try event(
      db, state == "held" ? "delivery held" : "not delivered", by: .peer, job: job,
      "to \(destination): \(reason)")
    if state == "superseded" { try tellSuperseded(job, destination, by: .program, db) }
  }
}

extension ProofOfArrival {
  fileprivate var words: String {
    switch self {
    case .commitment: "which committed itself to keep it"
    case .query: "which lists it"
    }
  }
}
