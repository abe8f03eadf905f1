import Cryptography
import Foundation
import GRDB
import Wording

/// The listener's side: what is to be handed over is written in the transaction that records it, and marked in
/// one after the head has answered.
extension Ledger {
  /// Has everything that is recorded from now on handed over. Nothing happens where it is so already.
  ///
  /// - Returns: the run of numbers.
  @discardableResult
  public func beginHandover() throws(LedgerError) -> String {
    if let run = try handoverRun() { return run }
    return try write { db in
      try db.execute(
        sql: "INSERT INTO handover (id, run) VALUES (1, ?) ON CONFLICT DO NOTHING",
        arguments: [UUID().uuidString.lowercased()])
      return try Self.run(db) ?? ""
    }
  }

  /// The run of numbers; nil where this ledger is not a listener's.
  public func handoverRun() throws(LedgerError) -> String? { try read(Self.run) }

  private static func run(_ db: Database) throws -> String? {
    try String.fetchOne(db, sql: "SELECT run FROM handover")
  }

  // MARK: What is recorded

  /// An instance that is acknowledged. Its series counts as unfinished until it is handed over, so that its
  /// file is kept.
  func logHandover(
    _ record: InstanceRecord, association: Int64?, beganAt: Double?, file: String?, _ db: Database
  ) throws {
    guard try isHandedOver(db) else { return }
    try db.executeCached(
      sql: """
        INSERT INTO handovers (kind, at, series_uid, instance_id, association_id, began_at, detail)
        SELECT 'instance', ?1, series_uid, id, ?2, ?3, ?4 FROM instances
        WHERE sop_uid = ?5 AND series_uid = ?6 AND content_hash = ?7
        """,
      arguments: [
        now, association, beganAt, file.map(hashedFileName), record.sopInstanceUID,
        record.seriesInstanceUID, record.contentHash,
      ])
    try db.executeCached(
      sql: """
        UPDATE series SET assembled_revision = revision - 1, last_received_at = ?
        WHERE series_uid = ? AND assembled_revision = revision
        """, arguments: [now, record.seriesInstanceUID])
  }

  /// A refused instance.
  func logHandover(
    _ refusal: RefusedInstance, association: Int64?, beganAt: Double?, _ db: Database
  ) throws {
    guard try isHandedOver(db) else { return }
    var refusal = refusal
    refusal.file = refusal.file.map(hashedFileName)
    let text = String(decoding: try JSONEncoder().encode(refusal), as: UTF8.self)
    try db.execute(
      sql: """
        INSERT INTO handovers (kind, at, series_uid, association_id, began_at, detail)
        VALUES ('refusal', ?, ?, ?, ?, ?)
        """, arguments: [now, refusal.seriesInstanceUID, association, beganAt, text])
  }

  /// The end of an association.
  func logHandover(ofAssociation id: Int64, _ db: Database) throws {
    guard try isHandedOver(db) else { return }
    try db.execute(
      sql: "INSERT INTO handovers (kind, at, association_id) VALUES ('end', ?, ?)",
      arguments: [now, id])
  }

  private func isHandedOver(_ db: Database) throws -> Bool {
    try Bool.fetchOneCached(db, sql: "SELECT EXISTS (SELECT 1 FROM handover)", arguments: [])
      ?? false
  }

  // MARK: What waits

  /// The last number that was given; 0 before the first.
  public func lastHandover() throws(LedgerError) -> Int64 {
    try read { db in
      try Int64.fetchOne(db, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'handovers'") ?? 0
    }
  }

  /// Whether an entry that the head knows is another one than that of the same number here: this ledger was
  /// restored from a copy, and has given the number again, or not yet.
  public func isOlder(than position: HandoverPosition) throws(LedgerError) -> Bool {
    guard try position.number <= lastHandover() else { return true }
    let mark = try read { db in
      try String.fetchOne(
        db, sql: "SELECT mark FROM handovers WHERE id = ?", arguments: [position.number])
    }
    // Entries that are long handed over are forgotten.
    return mark.map { $0 != position.mark } ?? false
  }

  /// What waits, in numbers and by series.
  public func handoverBacklog() throws(LedgerError) -> HandoverBacklog {
    try read { db in
      let row = try Row.fetchOne(
        db,
        sql: """
          SELECT count(*) AS n, min(at) AS oldest FROM handovers INDEXED BY handovers_waiting
          WHERE handed_at IS NULL
          """)
      return HandoverBacklog(
        waiting: try row?.value("n") ?? 0,
        oldestAt: try row.flatMap { try optionalDate($0, "oldest") },
        series: try String.fetchAll(
          db,
          sql: """
            SELECT DISTINCT series_uid FROM handovers INDEXED BY handovers_waiting
            WHERE handed_at IS NULL AND series_uid IS NOT NULL ORDER BY series_uid
            """))
    }
  }

  /// The next entries, in order.
  ///
  /// - Parameters:
  ///   - number: those after it.
  ///   - count: how many at most.
  public func handovers(after number: Int64, count: Int) throws(LedgerError) -> [HandoverEntry] {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT handovers.*, associations.key, calling_ae, called_ae, peer_address, started_at,
            outcome, message
          FROM handovers LEFT JOIN associations ON associations.id = handovers.association_id
          WHERE handovers.id > ? ORDER BY handovers.id LIMIT ?
          """, arguments: [number, count]
      ).map { try entry($0, db) }
    }
  }

  private func entry(_ row: Row, _ db: Database) throws -> HandoverEntry {
    var entry = HandoverEntry(
      number: try row.value("id"), mark: try row.value("mark"), at: try date(row, "at"),
      beganAt: try optionalDate(row, "began_at"))
    if let key: String = try row.value("key") {
      entry.association = .init(
        key: key, callingAETitle: try row.value("calling_ae"),
        calledAETitle: try row.value("called_ae"), peerAddress: try row.value("peer_address"),
        startedAt: try date(row, "started_at"))
    }
    let detail: String? = try row.value("detail")
    switch try row.value("kind") as String {
    case "instance":
      let instance = try Row.fetchOne(
        db,
        sql: """
          SELECT instances.*, study_uid, modality FROM instances JOIN series USING (series_uid)
          WHERE instances.id = ?
          """, arguments: [try row.value("instance_id") as Int64])
      entry.instance = try instance.map { .init(record: try InstanceRecord($0), file: detail) }
    case "refusal":
      entry.refusal = try detail.map {
        try JSONDecoder().decode(RefusedInstance.self, from: Data($0.utf8))
      }
    default:
      let outcome: String? = try row.value("outcome")
      entry.end = .init(
        outcome: outcome.flatMap(AssociationOutcome.init(rawValue:)) ?? .interrupted,
        message: try row.value("message"))
    }
    return entry
  }

  // MARK: What the head answered

  /// The head has everything up to a number on disk. A series of which nothing waits any more is finished here.
  ///
  /// - Parameters:
  ///   - first: the last that it had before, where that is known and everything up to it is marked: the entries behind it
  ///     alone are read then. Nil for all that wait.
  ///   - number: the last that it took.
  ///   - refused: why it did not take instances, by number.
  public func markHandedOver(
    after first: Int64? = nil, upTo number: Int64, refused: [Int64: String] = [:]
  ) throws(LedgerError) {
    try write { db in
      try db.execute(
        sql: "UPDATE handover SET answered_at = ?, failing_since = NULL, last_error = NULL",
        arguments: [now])
      if let first {
        try db.execute(
          // By their numbers: all that wait may be many more.
          sql: """
            UPDATE handovers NOT INDEXED SET handed_at = ?
            WHERE id > ? AND id <= ? AND handed_at IS NULL
            """, arguments: [now, first, number])
      } else {
        try db.execute(
          // By its number SQLite would read everything that was ever handed over.
          sql: """
            UPDATE handovers INDEXED BY handovers_waiting SET handed_at = ?
            WHERE handed_at IS NULL AND id <= ?
            """, arguments: [now, number])
      }
      let isNew = db.changesCount > 0
      for (number, reason) in refused.sorted(by: { $0.key < $1.key }) {
        try db.execute(
          sql: "UPDATE handovers SET refused = ? WHERE id = ? AND handed_at IS NOT NULL",
          arguments: [reason, number])
      }
      if isNew { try finishSeries(db) }
    }
  }

  /// Series of which nothing waits are finished here, unless the head did not take an instance of them.
  private func finishSeries(_ db: Database) throws {
    let finished = try String.fetchAll(
      db,
      sql: """
        SELECT series_uid FROM series WHERE assembled_revision < revision
          AND NOT EXISTS (SELECT 1 FROM handovers INDEXED BY handovers_waiting
            WHERE handovers.series_uid = series.series_uid AND handed_at IS NULL)
          AND series_uid NOT IN (SELECT series_uid FROM handovers INDEXED BY handovers_refused
            WHERE refused IS NOT NULL AND series_uid IS NOT NULL)
        """)
    for series in finished {
      try db.execute(
        sql: "UPDATE series SET assembled_revision = revision WHERE series_uid = ?",
        arguments: [series])
      try event(
        db, "handed over", by: .program, series: series,
        "the head has everything of it that has come so far")
    }
  }

  /// The head did not answer, or not as it has to.
  ///
  /// - Returns: whether that is new.
  @discardableResult
  public func markNotHandedOver(reason: String) throws(LedgerError) -> Bool {
    try write { db in
      let known = try Row.fetchOne(db, sql: "SELECT failing_since, last_error FROM handover")
      let before: String? = try known?.value("last_error")
      try db.execute(
        sql: "UPDATE handover SET failing_since = ifnull(failing_since, ?), last_error = ?",
        arguments: [now, reason])
      if before == nil { try event(db, "not handed over", by: .fault, reason) }
      return before != reason
    }
  }

  /// The head knows less than it has answered for: its ledger was restored from a copy, or lost. What is kept
  /// here is handed over again.
  ///
  /// - Parameter number: the last that it knows.
  /// - Returns: how many entries wait again.
  public func handOverAgain(after number: Int64) throws(LedgerError) -> Int {
    let isNeeded = try read { db in
      try Bool.fetchOne(
        db,
        sql: "SELECT EXISTS (SELECT 1 FROM handovers WHERE id > ? AND handed_at IS NOT NULL)",
        arguments: [number]) ?? false
    }
    guard isNeeded else { return 0 }
    return try write { db in
      let again = try Optional<String>.fetchAll(
        db,
        sql: """
          UPDATE handovers SET handed_at = NULL, refused = NULL
          WHERE id > ? AND handed_at IS NOT NULL RETURNING series_uid
          """, arguments: [number])
      for series in Set(again.compactMap(\.self)) {
        try db.execute(
          sql: """
            UPDATE series SET assembled_revision = revision - 1
            WHERE series_uid = ? AND assembled_revision = revision AND revision > 0
            """, arguments: [series])
      }
      if !again.isEmpty {
        try event(
          db, "handed over again", by: .fault,
          "the head knows entries up to \(number) alone: \(again.count) wait again")
      }
      return again.count
    }
  }

  /// This ledger gives numbers again that the head knows, as it was restored from a copy: it begins another run,
  /// and hands over everything that it has.
  public func beginHandoverAnew() throws(LedgerError) -> String {
    let run = UUID().uuidString.lowercased()
    try write { db in
      try db.execute(sql: "UPDATE handover SET run = ?", arguments: [run])
      try event(
        db, "handed over again", by: .fault,
        "this ledger was restored from a copy: everything in it is handed over again")
    }
    _ = try handOverAgain(after: 0)
    return run
  }

  /// Forgets entries that were handed over, of instances whose file is purged, and ends and refusals before the
  /// first of the others. Call it now and then.
  public func forgetHandedOver() throws(LedgerError) {
    try write { db in
      try db.execute(
        sql: """
          DELETE FROM handovers WHERE handed_at IS NOT NULL AND refused IS NULL AND instance_id IN
            (SELECT id FROM instances INDEXED BY instances_purged WHERE purged_at IS NOT NULL)
          """)
      try db.execute(
        sql: """
          DELETE FROM handovers WHERE handed_at IS NOT NULL AND instance_id IS NULL AND id <
            ifnull((SELECT min(id) FROM handovers WHERE instance_id IS NOT NULL OR handed_at IS NULL),
              (SELECT max(id) FROM handovers))
          """)
    }
  }
}

/// How handing over goes at a listener.
public struct HandoverState: Sendable, Codable, Equatable {
  public var backlog: HandoverBacklog
  /// When the head answered last; nil before it ever did.
  public var answeredAt: Date?
  /// Since when it does not, and why.
  public var failingSince: Date?
  public var lastError: String?
  /// Instances that it did not take.
  public var refused: Int
}

extension Ledger {
  /// Nil where this ledger is not a listener's.
  public func handoverState() throws(LedgerError) -> HandoverState? {
    let backlog = try handoverBacklog()
    return try read { db in
      guard let row = try Row.fetchOne(db, sql: "SELECT * FROM handover") else { return nil }
      return HandoverState(
        backlog: backlog, answeredAt: try optionalDate(row, "answered_at"),
        failingSince: try optionalDate(row, "failing_since"),
        lastError: try row.value("last_error"),
        refused: try Int.fetchOne(
          db,
          sql: """
            SELECT count(*) FROM handovers INDEXED BY handovers_refused WHERE refused IS NOT NULL
            """) ?? 0)
    }
  }
}

extension Ledger {
  /// What of a series waits to be handed over, for people; nil where nothing does.
  func handoverText(series: String, _ db: Database) throws -> String? {
    let own = try Row.fetchOne(
      db,
      sql: """
        SELECT count(*) AS n, min(at) AS oldest FROM handovers INDEXED BY handovers_waiting
        WHERE series_uid = ? AND handed_at IS NULL
        """, arguments: [series])
    let count: Int = try own?.value("n") ?? 0
    if count > 0, let since = try own.flatMap({ try optionalDate($0, "oldest") }) {
      return
        "the head, to which \(counted(count, "entry is", "entries are")) to be handed over since "
        + since.formatted(.iso8601)
    }
    let listeners = try String.fetchAll(
      db,
      sql: """
        SELECT DISTINCT name FROM awaited_series JOIN listeners ON listeners.id = listener_id
        WHERE series_uid = ? ORDER BY name
        """, arguments: [series])
    guard !listeners.isEmpty else { return nil }
    return "listener " + listeners.joined(separator: ", ") + ", where more of it waits"
  }
}
