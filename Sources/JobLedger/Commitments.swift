import Foundation
import GRDB

/// A request for storage commitment, and what is to be reported on it.
public struct CommitmentRecord: Sendable, Equatable {
  /// An object that the peer asks about.
  public struct Reference: Sendable, Equatable {
    public var sopClassUID: String
    public var sopInstanceUID: String
    /// Failure Reason (0008,1197); nil where the object is held, and before it was looked at.
    public var failureReason: Int?

    public init(sopClassUID: String, sopInstanceUID: String, failureReason: Int? = nil) {
      self.sopClassUID = sopClassUID
      self.sopInstanceUID = sopInstanceUID
      self.failureReason = failureReason
    }
  }

  public var id: Int64
  public var transactionUID: String
  public var callingAETitle: String
  public var references: [Reference]
}

extension Ledger {
  /// Records a request; when this returns, a restart does not lose it.
  ///
  /// - Parameters:
  ///   - transactionUID: of the peer's choice.
  ///   - callingAETitle: who asks.
  ///   - peerAddress: from where.
  ///   - references: the objects.
  /// - Returns: its number.
  public func recordCommitment(
    transactionUID: String, callingAETitle: String, peerAddress: String,
    references: [CommitmentRecord.Reference]
  ) throws(LedgerError) -> Int64 {
    try write { db in
      try db.execute(
        sql: """
          INSERT INTO commitments (transaction_uid, calling_ae, peer_address, requested_at, state,
            scheduled_at)
          VALUES (?1, ?2, ?3, ?4, 'requested', ?4)
          """, arguments: [transactionUID, callingAETitle, peerAddress, now])
      let id = db.lastInsertedRowID
      for (position, reference) in references.enumerated() {
        try db.executeCached(
          sql: """
            INSERT INTO commitment_references (commitment_id, position, sop_class_uid, sop_uid)
            VALUES (?, ?, ?, ?)
            """, arguments: [id, position, reference.sopClassUID, reference.sopInstanceUID])
      }
      return id
    }
  }

  /// The oldest request whose objects have not been looked at.
  public func requestedCommitment() throws(LedgerError) -> CommitmentRecord? {
    try read { db in
      try Row.fetchOne(
        db,
        sql: """
          SELECT * FROM commitments INDEXED BY commitments_due
          WHERE state IN ('requested', 'ready') AND state = 'requested' ORDER BY id LIMIT 1
          """
      ).map { try commitment($0, db) }
    }
  }

  /// Writes what became of the objects of a request, in its order; its report is due now.
  ///
  /// - Parameters:
  ///   - id: the request.
  ///   - failureReasons: nil for each object that is held.
  public func recordCommitmentOutcome(_ id: Int64, failureReasons: [Int?]) throws(LedgerError) {
    try write { db in
      for (position, reason) in failureReasons.enumerated() where reason != nil {
        try db.executeCached(
          sql: """
            UPDATE commitment_references SET failure_reason = ?
            WHERE commitment_id = ? AND position = ?
            """, arguments: [reason, id, position])
      }
      try db.execute(
        sql: """
          UPDATE commitments SET state = 'ready', scheduled_at = ?
          WHERE id = ? AND state = 'requested'
          """, arguments: [now, id])
    }
  }

  /// A request whose objects have been looked at and whose report has not arrived.
  public func readyCommitment(_ id: Int64) throws(LedgerError) -> CommitmentRecord? {
    try read { db in
      try Row.fetchOne(
        db, sql: "SELECT * FROM commitments WHERE id = ? AND state = 'ready'", arguments: [id]
      ).map { try commitment($0, db) }
    }
  }

  /// Requests whose report is due, the oldest first.
  public func dueCommitments() throws(LedgerError) -> [Int64] {
    try read { db in
      try Int64.fetchAll(
        db,
        sql: """
          SELECT id FROM commitments INDEXED BY commitments_due
          WHERE state IN ('requested', 'ready') AND state = 'ready' AND scheduled_at <= ?
          ORDER BY scheduled_at, id
          """, arguments: [now])
    }
  }

  /// The peer has the report.
  public func markReported(_ id: Int64) throws(LedgerError) {
    try write { db in
      try db.execute(
        sql: """
          UPDATE commitments SET state = 'reported', reported_at = ?, last_error = NULL
          WHERE id = ? AND state = 'ready'
          """, arguments: [now, id])
    }
  }

  /// The report did not arrive: it is tried again after a pause, or given up after the policy's last
  /// attempt.
  ///
  /// - Parameters:
  ///   - id: the request.
  ///   - error: why.
  ///   - policy: when it is tried again.
  public func markNotReported(
    _ id: Int64, error: String, policy: RetryPolicy = .commitmentReports
  ) throws(LedgerError) {
    try write { db in
      let attempts = try Int.fetchOne(
        db, sql: "SELECT attempt_count + 1 FROM commitments WHERE id = ?", arguments: [id])
      guard let attempts else { return }
      let pause = policy.pause(after: attempts)
      try db.execute(
        sql: """
          UPDATE commitments SET state = ?, attempt_count = ?, scheduled_at = ?, last_error = ?
          WHERE id = ? AND state = 'ready'
          """,
        arguments: [pause == nil ? "discarded" : "ready", attempts, now + (pause ?? 0), error, id])
    }
  }

  /// The series of which an instance was received: one, but for objects that contradict each other.
  public func series(ofInstance sopInstanceUID: String) throws(LedgerError) -> [String] {
    try read { db in
      try String.fetchAll(
        db, sql: "SELECT DISTINCT series_uid FROM instances WHERE sop_uid = ? ORDER BY series_uid",
        arguments: [sopInstanceUID])
    }
  }

  private func commitment(_ row: Row, _ db: Database) throws -> CommitmentRecord {
    let id: Int64 = try row.value("id")
    let references = try Row.fetchAll(
      db, sql: "SELECT * FROM commitment_references WHERE commitment_id = ? ORDER BY position",
      arguments: [id])
    return CommitmentRecord(
      id: id, transactionUID: try row.value("transaction_uid"),
      callingAETitle: try row.value("calling_ae"),
      references: try references.map {
        CommitmentRecord.Reference(
          sopClassUID: try $0.value("sop_class_uid"), sopInstanceUID: try $0.value("sop_uid"),
          failureReason: try $0.value("failure_reason"))
      })
  }
}

extension RetryPolicy {
  /// Reports on storage commitment: a modality that was switched off comes back.
  public static let commitmentReports = jittered(first: 5, longest: 3600)
}
