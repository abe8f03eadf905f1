import Foundation
import GRDB

/// What made something happen, as the history of the ledger says.
public enum EventCause: String, Sendable, Codable, CaseIterable {
  /// A peer: what it sent, asked, answered or broke off.
  case peer
  /// A rule of the configuration or of the geometry gate.
  case rule
  /// An administrator.
  case person
  /// A fault of this machine, of the network or of a program.
  case fault
  /// The program in its ordinary course.
  case program

  /// - Parameter column: of an event; nil of one that an older version wrote.
  init?(_ column: String?) {
    guard let column else { return nil }
    self.init(rawValue: column)
  }
}

extension Ledger {
  /// Appends to the history, in the transaction of the change that it tells.
  ///
  /// - Parameters:
  ///   - db: the transaction. The last event is read in it: other processes write too.
  ///   - kind: a word for what happened.
  ///   - cause: what made it happen.
  ///   - series: Series Instance UID of the series that it happened to.
  ///   - job: number of the job that it happened to.
  ///   - person: of an event that a person caused, who it was (``EventPerson``); nil for ``account``.
  ///   - message: for people; without patient data.
  func event(
    _ db: Database, _ kind: String, by cause: EventCause, series: String? = nil, job: Int64? = nil,
    person: String? = nil, _ message: String
  ) throws {
    var message = message
    if cause == .person, let name = person ?? account {
      message = EventPerson.message(message, by: name)
    }
    let head = try EventChain.head(db)
    let event = EventColumns(
      id: head.event + 1, at: source.wall().timeIntervalSince1970, kind: kind, series: series,
      job: job, cause: cause.rawValue,
      // SQLite's text ends at a zero.
      message: message.replacing("\0", with: "\u{FFFD}"))
    try db.executeCached(
      sql: """
        INSERT INTO events (id, at, kind, series_uid, job_id, cause, message, hash)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: StatementArguments(event.values + [event.hash(after: head.hash).databaseValue]))
  }
}
