import Foundation
import GRDB
import Wording

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
      try tell(id, "commitment requested", by: .peer, db) {
        "\(callingAETitle) at \(peerAddress) asks about \(counted($0.objects, "object"))"
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
  /// - Throws: ``LedgerError/wrongCommitmentState(request:state:next:)`` where they were looked at already.
  public func recordCommitmentOutcome(_ id: Int64, failureReasons: [Int?]) throws(LedgerError) {
    try write { db in
      try expect(id, toBecome: .ready, db)
      for (position, reason) in failureReasons.enumerated() where reason != nil {
        try db.executeCached(
          sql: """
            UPDATE commitment_references SET failure_reason = ?
            WHERE commitment_id = ? AND position = ?
            """, arguments: [reason, id, position])
      }
      try db.execute(
        sql: "UPDATE commitments SET state = 'ready', scheduled_at = ? WHERE id = ?",
        arguments: [now, id])
      try tell(id, "commitment decided", by: .program, db) {
        "held as sent: \($0.objects - $0.failed) of \(counted($0.objects, "object"))"
      }
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
  ///
  /// - Throws: ``LedgerError/wrongCommitmentState(request:state:next:)`` where it was not to be sent.
  public func markReported(_ id: Int64) throws(LedgerError) {
    try write { db in
      try expect(id, toBecome: .reported, db)
      try db.execute(
        sql: """
          UPDATE commitments SET state = 'reported', reported_at = ?, last_error = NULL WHERE id = ?
          """, arguments: [now, id])
      try tell(id, "commitment reported", by: .peer, db) { _ in "the peer took the report" }
    }
  }

  /// The report did not arrive: it is tried again after a pause, or given up after the policy's last
  /// attempt.
  ///
  /// - Parameters:
  ///   - id: the request.
  ///   - error: why.
  ///   - policy: when it is tried again.
  /// - Throws: ``LedgerError/wrongCommitmentState(request:state:next:)`` where it was not to be sent.
  public func markNotReported(
    _ id: Int64, error: String, policy: RetryPolicy = .commitmentReports
  ) throws(LedgerError) {
    try write { db in
      try expect(id, toBecome: .discarded, db)
      let row = try Row.fetchOne(
        db, sql: "SELECT attempt_count, last_error FROM commitments WHERE id = ?", arguments: [id])
      guard let row else { return }
      let attempts: Int = try row.value("attempt_count") + 1
      let pause = policy.pause(after: attempts)
      let state: CommitmentState = pause == nil ? .discarded : .ready
      try db.execute(
        sql: """
          UPDATE commitments SET state = ?, attempt_count = ?, scheduled_at = ?, last_error = ?
          WHERE id = ?
          """, arguments: [state.rawValue, attempts, now + (pause ?? 0), error, id])
      let known: String? = try row.value("last_error")
      if state == .discarded {
        try tell(id, "commitment given up", by: .fault, db) { _ in
          "the report did not arrive in \(counted(attempts, "attempt")), at last: \(error)"
        }
      } else if known != error {
        // A modality that is off all night is told once.
        try tell(id, "commitment not reported", by: .fault, db) { _ in error }
      }
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

// MARK: - Transitions

extension Ledger {
  /// How many objects of a series or a result a request names, and how many of these are not held.
  private struct Named {
    var series: String?
    var job: Int64?
    var objects: Int
    var failed: Int
  }

  /// - Throws: ``LedgerError/wrongCommitmentState(request:state:next:)`` where a request may not go to a state.
  private func expect(_ id: Int64, toBecome next: CommitmentState, _ db: Database) throws {
    let state = try String.fetchOne(
      db, sql: "SELECT state FROM commitments WHERE id = ?", arguments: [id])
    guard let known = state.flatMap(CommitmentState.init(rawValue:)), known.next.contains(next)
    else { throw LedgerError.wrongCommitmentState(request: id, state: state, next: next) }
  }

  /// Appends what happened to a request to the history of every series and every result that it names; to
  /// that of none where nothing of it is known.
  private func tell(
    _ id: Int64, _ kind: String, by cause: EventCause, _ db: Database, _ text: (Named) -> String
  ) throws {
    let transaction =
      try String.fetchOne(
        db, sql: "SELECT transaction_uid FROM commitments WHERE id = ?", arguments: [id]) ?? ""
    var named = try named(byCommitment: id, db)
    if named.isEmpty {
      let row = try Row.fetchOne(
        db,
        sql: """
          SELECT count(*) AS n, count(failure_reason) AS failed FROM commitment_references
          WHERE commitment_id = ?
          """, arguments: [id])
      named = [Named(objects: try row?.value("n") ?? 0, failed: try row?.value("failed") ?? 0)]
    }
    for part in named {
      try event(
        db, kind, by: cause, series: part.series, job: part.job,
        "transaction \(transaction): \(text(part))")
    }
  }

  private func named(byCommitment id: Int64, _ db: Database) throws -> [Named] {
    let ofSeries = try Row.fetchAll(
      db,
      sql: """
        SELECT series_uid, count(DISTINCT instances.sop_uid) AS n,
          count(DISTINCT instances.sop_uid) FILTER (WHERE failure_reason IS NOT NULL) AS failed
        FROM commitment_references
          CROSS JOIN instances ON instances.sop_uid = commitment_references.sop_uid
        WHERE commitment_id = ? GROUP BY series_uid ORDER BY series_uid
        """, arguments: [id]
    ).map {
      Named(
        series: try $0.value("series_uid"), objects: try $0.value("n"),
        failed: try $0.value("failed"))
    }
    let ofResults = try Row.fetchAll(
      db,
      sql: """
        SELECT jobs.id, series_uid, count(*) AS n, count(failure_reason) AS failed
        FROM commitment_references
          CROSS JOIN result_objects ON result_objects.sop_uid = commitment_references.sop_uid
          CROSS JOIN jobs ON jobs.id = result_objects.job_id
        WHERE commitment_id = ? GROUP BY jobs.id ORDER BY jobs.id
        """, arguments: [id]
    ).map {
      Named(
        series: try $0.value("series_uid"), job: try $0.value("id"), objects: try $0.value("n"),
        failed: try $0.value("failed"))
    }
    return ofSeries + ofResults
  }
}

extension RetryPolicy {
  /// Reports on storage commitment: a modality that was switched off comes back.
  public static let commitmentReports = jittered(first: 5, longest: 3600)
}
