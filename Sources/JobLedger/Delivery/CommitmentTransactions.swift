import Foundation
import GRDB
import Wording

extension Ledger {
  /// Notes that a destination is about to be asked for storage commitment: its report may come before
  /// the answer to the request.
  ///
  /// - Parameters:
  ///   - transactionUID: of our choice, never used before.
  ///   - claim: what is asked about.
  public func recordTransaction(_ transactionUID: String, of claim: ClaimedProof)
    throws(LedgerError)
  {
    try write { db in
      try db.execute(
        sql: """
          INSERT INTO commitment_transactions (transaction_uid, delivery_id, requested_at)
          VALUES (?, ?, ?)
          """, arguments: [transactionUID, claim.id, now])
      try event(
        db, "commitment asked", by: .program, job: claim.job,
        "of \(claim.destination) for \(counted(claim.objects.count, "object")) (transaction \(transactionUID))"
      )
    }
  }

  /// Writes a report on storage commitment that we asked for (PS3.4 J.3.3).
  ///
  /// What is kept is proved, whichever of several requests it answers, also where it comes a second
  /// time. What is missing counts once, and only where it was not sent again since the request.
  ///
  /// - Parameters:
  ///   - transactionUID: of the request.
  ///   - kept: SOP Instance UIDs.
  ///   - missing: what the destination does not keep.
  /// - Returns: whether we asked for it.
  public func recordReport(
    _ transactionUID: String, kept: [String], missing: [MissingObject]
  ) throws(LedgerError) -> Bool {
    try write { db in
      let found = try Row.fetchOne(
        db,
        sql: """
          SELECT delivery_id, job_id, destination, requested_at, reported_at IS NULL AS counts
          FROM commitment_transactions JOIN deliveries ON deliveries.id = delivery_id
          WHERE transaction_uid = ?
          """, arguments: [transactionUID])
      guard let row = found else { return false }
      let delivery: Int64 = try row.value("delivery_id")
      let counts: Bool = try row.value("counts")
      try db.execute(
        sql: """
          UPDATE commitment_transactions SET reported_at = ifnull(reported_at, ?)
          WHERE transaction_uid = ?
          """, arguments: [now, transactionUID])
      if counts {
        let destination: String = try row.value("destination")
        try event(
          db, "commitment answered", by: .peer, job: try row.value("job_id"),
          "by \(destination): it keeps \(counted(kept.count, "object")) and does not keep \(missing.count) "
            + "(transaction \(transactionUID))")
      }
      try prove(kept, by: .commitment, delivery: delivery, db)
      try settle(
        delivery, by: .commitment, missing: counts ? missing : [],
        askedAt: try row.value("requested_at"), db)
      return true
    }
  }

  /// SOP Instance UIDs of the objects of the delivery that a transaction is about.
  public func sopInstanceUIDs(transaction: String) throws(LedgerError) -> [String] {
    try read { db in
      try String.fetchAll(
        db,
        sql: """
          SELECT sop_uid FROM delivery_objects JOIN commitment_transactions USING (delivery_id)
          WHERE transaction_uid = ?
          """, arguments: [transaction])
    }
  }
}
