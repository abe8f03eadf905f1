import FileSystem
import Foundation
import GRDB

/// An event and its hash, by which all events up to it can be recognised.
public struct EventMark: Sendable, Codable, Equatable {
  public var event: Int64
  /// As 64 hexadecimal digits.
  public var sha256: String

  public init(event: Int64, sha256: String) {
    self.event = event
    self.sha256 = sha256
  }
}

/// What is found of the history of a ledger.
public struct EventChainReport: Sendable, Codable, Equatable {
  /// A removal of the oldest events.
  public struct Removal: Sendable, Codable, Equatable {
    /// The last event that was removed.
    public var upTo: EventMark
    public var at: Date
    public var reason: String
  }

  /// How many events there are.
  public var events: Int
  /// The last event that was written.
  public var head: EventMark
  public var removals: [Removal]
  /// What is wrong, each with the number of the event; the first ``namedFindings`` of them.
  public var findings: [String]
  /// How many things are wrong.
  public var findingCount: Int

  static let namedFindings = 20

  fileprivate mutating func add(_ finding: String) {
    findingCount += 1
    if findings.count < Self.namedFindings { findings.append(finding) }
  }
}

/// The chain of the events' hashes.
enum EventChain {
  struct Head {
    var event: Int64
    var hash: Data
  }

  /// The last event as the head of the chain has it.
  ///
  /// - Throws: `LedgerError` where the head is gone.
  static func head(_ db: Database) throws -> Head {
    let statement = try db.cachedStatement(
      sql: "SELECT event_id, hash FROM event_head WHERE id = 1")
    guard let row = try Row.fetchOne(statement) else {
      throw DatabaseError(
        resultCode: .SQLITE_CORRUPT, message: "the head of the chain of events is gone")
    }
    return Head(event: try row.value("event_id"), hash: try row.value("hash"))
  }

  static func check(_ db: Database, mark: EventMark? = nil) throws -> EventChainReport {
    try EventChainCheck(db, mark: mark).report
  }
}

extension Ledger {
  /// Computes the hash of every event again.
  ///
  /// Finds an event that was changed, removed, added or put in another place, also the last ones. It
  /// cannot find that the whole chain was made anew: note its head elsewhere and give it as `mark`.
  ///
  /// - Parameter mark: an event that is to be in the chain, noted before.
  public func checkEvents(mark: EventMark? = nil) throws(LedgerError) -> EventChainReport {
    try read { db in try EventChain.check(db, mark: mark) }
  }

  /// Removes the oldest events and leaves an anchor in their place, by which the chain is still checked.
  ///
  /// - Parameters:
  ///   - id: the last one that is removed.
  ///   - reason: why, for people.
  ///   - db: the transaction.
  /// - Returns: how many were removed.
  func removeEvents(upTo id: Int64, reason: String, _ db: Database) throws -> Int {
    let count =
      try Int.fetchOne(db, sql: "SELECT count(*) FROM events WHERE id <= ?", arguments: [id]) ?? 0
    guard count > 0 else { return 0 }
    try db.execute(
      sql: """
        INSERT INTO event_anchors (event_id, hash, at, reason)
        SELECT id, hash, ?, ? FROM events WHERE id = ?
        """, arguments: [source.wall().timeIntervalSince1970, reason, id])
    return count
  }
}

private struct EventChainCheck {
  var report: EventChainReport
  private var last: (event: Int64, hash: Data)

  init(_ db: Database, mark: EventMark?) throws {
    let head = try? EventChain.head(db)
    report = EventChainReport(
      events: 0,
      head: EventMark(event: head?.event ?? 0, sha256: hexadecimal(head?.hash ?? Data())),
      removals: [], findings: [], findingCount: 0)
    last = (0, EventColumns.start)
    if head == nil { report.add("the head of the chain of events is gone") }
    try readAnchors(db)
    var isMarkFound = mark.map {
      $0 == EventMark(event: last.event, sha256: hexadecimal(last.hash))
    }
    let rows = try Row.fetchCursor(
      db,
      sql: "SELECT id, at, kind, series_uid, job_id, cause, message, hash FROM events ORDER BY id")
    while let row = try rows.next() {
      try check(row)
      if let mark, mark.event == last.event { isMarkFound = hexadecimal(last.hash) == mark.sha256 }
    }
    if let head { checkEnd(head) }
    if let mark, isMarkFound == false { missing(mark) }
  }

  private mutating func readAnchors(_ db: Database) throws {
    for row in try Row.fetchAll(db, sql: "SELECT * FROM event_anchors ORDER BY event_id") {
      let (event, hash): (Int64, Data) = (try row.value("event_id"), try row.value("hash"))
      last = (event, hash)
      report.removals.append(
        .init(
          upTo: EventMark(event: event, sha256: hexadecimal(hash)),
          at: Date(timeIntervalSince1970: try row.value("at")),
          reason: try row.value("reason")))
    }
  }

  private mutating func check(_ row: Row) throws {
    let columns = EventColumns((0..<7).map { row[$0] as DatabaseValue })
    let (id, kind, hash): (Int64, String, Data) = (
      try row.value("id"), try row.value("kind"), try row.value("hash")
    )
    report.events += 1
    if id <= last.event {
      report.add("event \(id) (\(kind)) is there although it was removed, or was added")
      return
    }
    if id > last.event + 1 {
      report.add(
        id == last.event + 2
          ? "event \(last.event + 1) is missing"
          : "events \(last.event + 1) to \(id - 1) are missing")
    } else if hash != columns.hash(after: last.hash) {
      report.add(
        "event \(id) (\(kind)) was changed, or is not the one that followed event \(last.event)")
    }
    last = (id, hash)
  }

  private mutating func checkEnd(_ head: EventChain.Head) {
    if last.event < head.event {
      report.add(
        last.event + 1 == head.event
          ? "event \(head.event), the last, is missing"
          : "events \(last.event + 1) to \(head.event), the last ones, are missing")
    } else if last.event > head.event {
      report.add("events after \(head.event) were added, up to event \(last.event)")
    } else if last.hash != head.hash {
      report.add("event \(head.event), the last, is not the one that was written")
    }
  }

  private mutating func missing(_ mark: EventMark) {
    if mark.event < (report.removals.last?.upTo.event ?? 0),
      !report.removals.contains(where: { $0.upTo.event == mark.event })
    {
      report.add(
        "event \(mark.event), which was noted elsewhere, was removed with the oldest events: "
          + "whether it was the same cannot be told")
    } else {
      report.add("event \(mark.event) is not the one that was noted elsewhere, or is missing")
    }
  }
}
