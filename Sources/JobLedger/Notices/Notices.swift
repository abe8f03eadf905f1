import Foundation
import GRDB

/// Something in the history that people want to be told of.
public struct Notice: Sendable, Codable, Equatable {
  /// As the event is called.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    case held
    case deliveryHeld = "delivery held"
    case destinationFailing = "destination failing"
    case destinationRecovered = "destination recovered"
    case diskShort = "disk short"
    case diskRecovered = "disk recovered"
    case checkFailed = "golden check failed"
    case checkRecovered = "golden check recovered"
  }

  /// The number of the event.
  public var event: Int64
  public var kind: Kind
  public var at: Date
  /// Study Instance UID, of what is held.
  public var study: String?
  public var series: String?
  public var job: Int64?
  public var model: String?
  /// Why, without patient data.
  public var reason: String

  public init(
    event: Int64, kind: Kind, at: Date, study: String? = nil, series: String? = nil,
    job: Int64? = nil, model: String? = nil, reason: String
  ) {
    self.event = event
    self.kind = kind
    self.at = at
    self.study = study
    self.series = series
    self.job = job
    self.model = model
    self.reason = reason
  }
}

/// What a recipient does not know yet.
public struct UntoldNotices: Sendable, Equatable {
  /// The oldest first.
  public var notices: [Notice]
  /// The last event that was looked at.
  public var upTo: Int64
  /// How many seconds ago the first one happened.
  public var age: Double
  /// How many messages the recipient had within the last hour.
  public var messagesInLastHour: Int
}

extension Ledger {
  private static let noticesAtOnce = 1000

  /// What happened since the recipient was told something last. One that is new is told of nothing that was
  /// before; what is not held any more is left out.
  public func untold(to recipient: String, kinds: Set<Notice.Kind>) throws(LedgerError)
    -> UntoldNotices
  {
    guard let position = try position(of: recipient) else {
      let head = try read { db in try EventChain.head(db).event }
      try markTold(to: recipient, upTo: head, isMessage: false)
      return UntoldNotices(notices: [], upTo: head, age: 0, messagesInLastHour: 0)
    }
    let untold = try read { db in try self.untold(recipient, position, kinds, db) }
    // What is of no interest is not looked at again.
    if untold.notices.isEmpty, untold.upTo > position + 1000 {
      try markTold(to: recipient, upTo: untold.upTo, isMessage: false)
    }
    return untold
  }

  private func untold(
    _ recipient: String, _ position: Int64, _ kinds: Set<Notice.Kind>, _ db: Database
  ) throws -> UntoldNotices {
    let head = try EventChain.head(db).event
    let names = kinds.map(\.rawValue).sorted()
    let marks = names.map { _ in "?" }.joined(separator: ", ")
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT events.id, events.at, kind, message, job_id, model, series.series_uid, study_uid
        FROM events LEFT JOIN jobs ON jobs.id = job_id
          LEFT JOIN series ON series.series_uid = ifnull(events.series_uid, jobs.series_uid)
        WHERE events.id > ? AND kind IN (\(marks)) AND (kind <> 'held'
          OR job_id IS NOT NULL AND jobs.state = 'held' AND cause IS NOT 'person')
        ORDER BY events.id LIMIT \(Self.noticesAtOnce)
        """, arguments: StatementArguments([position] + names as [any DatabaseValueConvertible]))
    let notices = try rows.compactMap { row -> Notice? in
      guard let kind = Notice.Kind(rawValue: try row.value("kind")) else { return nil }
      let model: String? = try row.value("model")
      return Notice(
        event: try row.value("id"), kind: kind,
        at: Date(timeIntervalSince1970: try row.value("at")), study: try row.value("study_uid"),
        series: try row.value("series_uid"), job: try row.value("job_id"),
        model: model?.isEmpty == true ? nil : model, reason: try row.value("message"))
    }
    let isAll = rows.count < Self.noticesAtOnce
    let count =
      try Int.fetchOne(
        db, sql: "SELECT count(*) FROM notices WHERE recipient = ? AND at > ?",
        arguments: [recipient, now - 3600]) ?? 0
    return UntoldNotices(
      notices: notices, upTo: isAll ? head : notices.last?.event ?? head,
      age: notices.first.map { source.wall().timeIntervalSince($0.at) } ?? 0,
      messagesInLastHour: count)
  }

  /// The recipient knows the events up to this one.
  ///
  /// - Parameters:
  ///   - recipient: its name in the configuration.
  ///   - event: the last that it knows.
  ///   - isMessage: whether it was told anything.
  public func markTold(to recipient: String, upTo event: Int64, isMessage: Bool = true)
    throws(LedgerError)
  {
    try write { db in
      try db.execute(
        sql: "DELETE FROM notices WHERE recipient = ? AND (at IS NULL OR at < ?)",
        arguments: [recipient, now - 86_400])
      try db.execute(
        sql: "INSERT INTO notices (recipient, event_id, at) VALUES (?, ?, ?)",
        arguments: [recipient, event, isMessage ? now : nil])
    }
  }

  /// The last event that a recipient knows; nil for one that is new.
  func position(of recipient: String) throws(LedgerError) -> Int64? {
    try read { db in
      try Int64.fetchOne(
        db, sql: "SELECT max(event_id) FROM notices WHERE recipient = ?", arguments: [recipient])
    }
  }
}
