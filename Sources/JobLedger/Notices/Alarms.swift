import Foundation
import GRDB
import Wording

/// What can be wrong for a while.
public enum AlarmKind: String, Sendable, Codable, CaseIterable {
  /// A destination does not take results.
  case destination
  /// The disk has little space left.
  case disk

  /// The kinds of the events that say when it began, and that it is over.
  var begin: String { self == .disk ? "disk short" : "destination failing" }
  var end: String { self == .disk ? "disk recovered" : "destination recovered" }
}

/// What a destination that does not take results has waiting.
public struct FailingDestination: Sendable, Equatable {
  public var name: String
  /// Results that it has not taken although they were sent.
  public var waiting: Int
  /// Of the last attempt.
  public var error: String
}

extension Ledger {
  /// Destinations at which the last attempt to deliver a result failed that still waits.
  public func failingDestinations() throws(LedgerError) -> [FailingDestination] {
    try read { db in
      var failing: [String: FailingDestination] = [:]
      // Each state by its own index.
      for state in ["waiting", "sending"] {
        let rows = try Row.fetchAll(
          db,
          sql: """
            SELECT destination, count(*) AS n, max(id), last_error FROM deliveries
            WHERE state = '\(state)' AND last_failure IS NOT NULL GROUP BY destination
            """)
        for row in rows {
          let name: String = try row.value("destination")
          let error: String? = try row.value("last_error")
          failing[
            name, default: FailingDestination(name: name, waiting: 0, error: error ?? "")
          ].waiting += try row.value("n")
        }
      }
      return failing.values.sorted { $0.name < $1.name }
    }
  }

  /// What is or may be wrong, by kind.
  public func alarms(_ kind: AlarmKind) throws(LedgerError) -> [String] {
    try read { db in
      try String.fetchAll(
        db, sql: "SELECT subject FROM alarms WHERE kind = ? ORDER BY subject",
        arguments: [kind.rawValue])
    }
  }

  /// Says whether something is wrong at the moment. Once it has been for so long, an event says so, and
  /// another one that it is over; both are told to whoever wants to know.
  ///
  /// - Parameters:
  ///   - kind: of what may be wrong.
  ///   - subject: such as the name of a destination.
  ///   - fault: what is wrong, without patient data; nil where nothing is.
  ///   - patience: seconds that it has to last.
  public func watch(_ kind: AlarmKind, _ subject: String, fault: String?, patience: Double)
    throws(LedgerError)
  {
    let known = try read { db in try Self.alarm(kind, subject, db) }
    guard fault != nil || known != nil else { return }
    if fault != nil, let known, known.isRaised || now - known.since < patience { return }
    try write { db in
      let known = try Self.alarm(kind, subject, db)
      guard let fault else { return try end(kind, subject, known, db) }
      let since = known?.since ?? now
      try db.execute(
        sql: "INSERT OR IGNORE INTO alarms (kind, subject, since) VALUES (?, ?, ?)",
        arguments: [kind.rawValue, subject, since])
      guard known?.isRaised != true, now - since >= patience else { return }
      try db.execute(
        sql: "UPDATE alarms SET raised_at = ? WHERE kind = ? AND subject = ?",
        arguments: [now, kind.rawValue, subject])
      let time = date(since).formatted(.iso8601)
      try event(db, kind.begin, by: .fault, "\(subject), since \(time): \(fault)")
    }
  }

  private func end(
    _ kind: AlarmKind, _ subject: String, _ known: (since: Double, isRaised: Bool)?, _ db: Database
  ) throws {
    guard let known else { return }
    try db.execute(
      sql: "DELETE FROM alarms WHERE kind = ? AND subject = ?", arguments: [kind.rawValue, subject])
    guard known.isRaised else { return }
    let minutes = Int(((now - known.since) / 60).rounded())
    try event(
      db, kind.end, by: .program, "\(subject), after \(counted(minutes, "minute"))")
  }

  private static func alarm(_ kind: AlarmKind, _ subject: String, _ db: Database) throws -> (
    since: Double, isRaised: Bool
  )? {
    try Row.fetchOne(
      db,
      sql: """
        SELECT since, raised_at IS NOT NULL AS is_raised FROM alarms WHERE kind = ? AND subject = ?
        """, arguments: [kind.rawValue, subject]
    ).map { (try $0.value("since"), try $0.value("is_raised")) }
  }
}
