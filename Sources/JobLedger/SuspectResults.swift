import Foundation
import GRDB

/// Results that are outside of what their model calls usual, and that are held for it until a person has looked at them.
extension Ledger {
  /// What the reason of a job begins with that is held as its result is suspect.
  static let suspectSign = "suspect: "

  func isHeldAsSuspect(job id: Int64, _ db: Database) throws -> Bool {
    let reason = try String.fetchOne(
      db, sql: "SELECT reason FROM jobs WHERE id = ? AND state = 'held'", arguments: [id])
    return reason?.hasPrefix(Self.suspectSign) == true
  }

  /// Whether a person has released the result of a job although it is suspect. It counts until the job is held again, and
  /// for the result that was looked at: not where the job depends on something else since, as on another version of its
  /// model (``identifyJob(_:_:seriesInstanceUID:replaced:)``).
  ///
  /// - Parameter id: the job's number.
  public func isResultReleased(job id: Int64) throws(LedgerError) -> Bool {
    try read { db in try isResultReleased(job: id, db) }
  }

  func isResultReleased(job id: Int64, _ db: Database) throws -> Bool {
    let last = try String.fetchOne(
      db,
      sql: """
        SELECT kind FROM events
        WHERE job_id = ? AND kind IN ('result released', 'release lapsed', 'held')
        ORDER BY id DESC LIMIT 1
        """, arguments: [id])
    return last == "result released"
  }

  /// Notes that the release of a job's result does not count any more, where the job comes to another result.
  ///
  /// - Parameters:
  ///   - id: the job's number.
  ///   - identity: what it comes to now; the job's own is still that of the result that was looked at.
  ///   - db: the transaction.
  func lapseRelease(ofJob id: Int64, for identity: JobIdentity, _ db: Database) throws {
    guard try isResultReleased(job: id, db),
      let row = try Row.fetchOne(
        db, sql: "SELECT series_uid, fingerprint FROM jobs WHERE id = ?", arguments: [id])
    else { return }
    let (series, fingerprint): (String, String?) = (
      try row.value("series_uid"), try row.value("fingerprint")
    )
    guard fingerprint != identity.fingerprint else { return }
    try event(
      db, "release lapsed", by: .program, series: series, job: id,
      "its result is another one than that which was released")
  }
}
