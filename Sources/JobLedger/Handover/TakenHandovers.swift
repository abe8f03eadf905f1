import Clocks
import Foundation
import GRDB

/// The head's side: each entry is recorded as if it had been received here, in one transaction with its number,
/// by which it is known where it comes again.
extension Ledger {
  /// The last number of a listener's run that was taken; 0 before the first.
  public func lastTaken(of sender: HandoverSender) throws(LedgerError) -> Int64 {
    try read { db in
      try Int64.fetchOne(
        db, sql: "SELECT taken FROM listeners WHERE name = ? AND run = ?",
        arguments: [sender.name, sender.run]) ?? 0
    }
  }

  /// Takes an entry, without waiting for the disk. Those of one listener are to be given in order.
  ///
  /// - Parameters:
  ///   - entry: the entry; of an instance, the record of its file here, which is on disk.
  ///   - record: of the instance; nil for another entry, and for an instance that is not taken.
  ///   - previous: the number before it, so that none is left out.
  ///   - sender: the listener.
  ///   - refusal: why an instance is not taken; it counts as refused here.
  /// - Returns: what throws ``LedgerError/failed(path:reason:)`` where an entry before it was not taken.
  public func beginTaking(
    _ entry: HandoverEntry, as record: InstanceRecord? = nil, after previous: Int64,
    from sender: HandoverSender, refusal: RefusedInstance? = nil
  ) -> PendingCommit<HandoverOutcome> {
    submit(patience: intakePatience) { [self] db in
      let listener = try seen(sender, db)
      guard entry.number > listener.taken else { return .repeated }
      guard listener.taken == previous else {
        throw LedgerError.failed(
          path: path,
          reason: "entry \(entry.number) of listener \(sender.name) came after \(previous), "
            + "and \(listener.taken) was the last")
      }
      let outcome = try take(entry, as: record, refusal, of: listener.id, sender, db)
      try db.executeCached(
        sql: "UPDATE listeners SET taken = ?, taken_mark = ? WHERE id = ?",
        arguments: [entry.number, entry.mark, listener.id])
      return .taken(outcome)
    }
  }

  private func take(
    _ entry: HandoverEntry, as record: InstanceRecord?, _ refusal: RefusedInstance?,
    of listener: Int64, _ sender: HandoverSender, _ db: Database
  ) throws -> InstanceOutcome? {
    let association = entry.association.map { self.association($0, of: sender) }
    let beganAt = entry.beganAt.map { steadyTime($0) }
    if let end = entry.end {
      guard let association else { return nil }
      try endAssociation(key: association.key, end.outcome, message: end.message, db)
      return nil
    }
    if var refusal = refusal ?? entry.refusal {
      refusal.file = refusal.file.map { "\(sender.name): \($0)" }
      try self.record(refusal, association: association, at: beganAt, db)
      try mark(association, of: listener, db)
      return nil
    }
    guard let record else { return nil }
    let outcome = try self.record(
      record, association: association, beganAt: beganAt,
      file: entry.instance?.file.map { "\(sender.name): \($0)" }, db)
    try mark(association, of: listener, db)
    return outcome
  }

  /// As it is called here: two listeners may give the same keys.
  private func association(_ source: HandoverEntry.Source, of sender: HandoverSender)
    -> ReceivingAssociation
  {
    ReceivingAssociation(
      key: "\(sender.name):\(source.key)", callingAETitle: source.callingAETitle,
      calledAETitle: source.calledAETitle, peerAddress: source.peerAddress,
      startedAt: steadyTime(source.startedAt))
  }

  /// A moment of another machine's clock by the ledger's time.
  private func steadyTime(_ date: Date) -> SteadyTime {
    SteadyTime(seconds: time(of: date) - timeline.withLock { $0.origin })
  }

  private func mark(
    _ association: ReceivingAssociation?, of listener: Int64, _ db: Database
  ) throws {
    guard let association else { return }
    try db.executeCached(
      sql: "UPDATE associations SET listener_id = ? WHERE key = ? AND listener_id IS NULL",
      arguments: [listener, association.key])
  }

  // MARK: Listeners

  /// Takes note of what waits at a listener: a series of which instances do is not assembled.
  ///
  /// - Returns: the last entry that was taken.
  @discardableResult
  public func record(_ backlog: HandoverBacklog, of sender: HandoverSender) throws(LedgerError)
    -> HandoverPosition
  {
    try write(patience: intakePatience) { db in
      let listener = try seen(sender, db)
      try db.execute(
        sql: "UPDATE listeners SET waiting = ?, oldest_at = ? WHERE id = ?",
        arguments: [backlog.waiting, backlog.oldestAt.map { time(of: $0) }, listener.id])
      let known = Set(
        try String.fetchAll(
          db,
          sql: """
            SELECT series_uid FROM awaited_series INDEXED BY awaited_by_listener
            WHERE listener_id = ?
            """, arguments: [listener.id]))
      let awaited = Set(backlog.series)
      for series in awaited.subtracting(known) {
        try db.executeCached(
          sql: "INSERT INTO awaited_series (series_uid, listener_id) VALUES (?, ?)",
          arguments: [series, listener.id])
      }
      for series in known.subtracting(awaited) {
        try db.executeCached(
          sql: "DELETE FROM awaited_series WHERE series_uid = ? AND listener_id = ?",
          arguments: [series, listener.id])
        try reopenIfComplete(series, db)
      }
      return HandoverPosition(number: listener.taken, mark: listener.mark)
    }
  }

  /// The row of a listener from which something came just now.
  private func seen(_ sender: HandoverSender, _ db: Database) throws -> (
    id: Int64, taken: Int64, mark: String?
  ) {
    let isKnown = try Bool.fetchOneCached(
      db, sql: "SELECT EXISTS (SELECT 1 FROM listeners WHERE name = ? AND run = ?)",
      arguments: [sender.name, sender.run])
    let row = try Row.fetchOne(
      db,
      sql: """
        INSERT INTO listeners (name, run, first_seen, last_seen) VALUES (?1, ?2, ?3, ?3)
        ON CONFLICT (name, run) DO UPDATE SET last_seen = max(last_seen, excluded.last_seen)
        RETURNING id, taken, taken_mark, away_since
        """, arguments: [sender.name, sender.run, now])
    guard let row else {
      throw LedgerError.failed(path: path, reason: "listener \(sender.name) has no row")
    }
    let id: Int64 = try row.value("id")
    if isKnown == false { try endRuns(before: id, of: sender.name, db) }
    if try (row.value("away_since") as Double?) != nil { try isBack(id, sender.name, db) }
    return (id, try row.value("taken"), try row.value("taken_mark"))
  }

  /// A listener that begins anew has lost what it had told of before: nothing of that comes any more but what it
  /// tells again.
  private func endRuns(before id: Int64, of name: String, _ db: Database) throws {
    let former = try Int64.fetchAll(
      db, sql: "SELECT id FROM listeners WHERE name = ? AND id <> ?", arguments: [name, id])
    for listener in former {
      let open = try Int64.fetchAll(
        db,
        sql: """
          SELECT id FROM associations INDEXED BY associations_of_listener
          WHERE listener_id IS NOT NULL AND listener_id = ? AND ended_at IS NULL
          """, arguments: [listener])
      for association in open {
        try end(
          association: association, .interrupted, message: "listener \(name) began anew", db)
      }
      let awaited = try String.fetchAll(
        db,
        sql: """
          SELECT series_uid FROM awaited_series INDEXED BY awaited_by_listener
          WHERE listener_id = ?
          """, arguments: [listener])
      try db.execute(
        sql: "DELETE FROM awaited_series WHERE listener_id = ?", arguments: [listener])
      for series in awaited { try reopenIfComplete(series, db) }
      try db.execute(
        sql: "UPDATE listeners SET away_since = ifnull(away_since, last_seen) WHERE id = ?",
        arguments: [listener])
    }
  }

  /// Series that came, come or wait at a listener and are not whole without it.
  private func seriesConcerned(byListener id: Int64, _ db: Database) throws -> [String] {
    try String.fetchAll(
      db,
      sql: """
        SELECT series_uid FROM awaited_series INDEXED BY awaited_by_listener WHERE listener_id = ?1
        UNION SELECT association_series.series_uid
          FROM associations INDEXED BY associations_of_listener
          CROSS JOIN association_series ON association_id = associations.id
        WHERE listener_id IS NOT NULL AND listener_id = ?1 AND ended_at IS NULL ORDER BY 1
        """, arguments: [id])
  }

  /// Notes which listeners have said nothing for a time: what waits there, and what is on its way over
  /// associations there, may not come. Such a series counts as after a lost connection.
  ///
  /// - Parameter patience: seconds.
  /// - Returns: their names.
  public func markAwayListeners(patience: TimeInterval) throws(LedgerError) -> [String] {
    func isAway(_ db: Database) throws -> [Row] {
      try Row.fetchAll(
        db, sql: "SELECT id, name FROM listeners WHERE away_since IS NULL AND last_seen < ?",
        arguments: [now - patience])
    }
    guard try !read({ try isAway($0).isEmpty }) else { return [] }
    return try write { db in
      var names: [String] = []
      for row in try isAway(db) {
        let (id, name): (Int64, String) = (try row.value("id"), try row.value("name"))
        names.append(name)
        try db.execute(
          sql: "UPDATE listeners SET away_since = last_seen WHERE id = ?", arguments: [id])
        try db.execute(
          sql: """
            UPDATE associations SET away_since = ?1, message = ?2
            WHERE listener_id IS NOT NULL AND listener_id = ?3 AND ended_at IS NULL
            """, arguments: [now, "at listener \(name), which is away,", id])
        for series in try seriesConcerned(byListener: id, db) {
          try event(db, "listener", by: .fault, series: series, "listener \(name) is away")
        }
      }
      return names
    }
  }

  private func isBack(_ id: Int64, _ name: String, _ db: Database) throws {
    for series in try seriesConcerned(byListener: id, db) {
      try event(db, "listener", by: .peer, series: series, "listener \(name) is back")
    }
    try db.execute(
      sql: "UPDATE listeners SET away_since = NULL WHERE id = ?", arguments: [id])
    try db.execute(
      sql: """
        UPDATE associations SET away_since = NULL, message = NULL
        WHERE listener_id IS NOT NULL AND listener_id = ? AND ended_at IS NULL
        """, arguments: [id])
  }

  /// Listeners of which instances of a series wait and that are away, by name.
  func awayListeners(awaitedFor series: String, _ db: Database) throws -> [String] {
    try String.fetchAll(
      db,
      sql: """
        SELECT DISTINCT name FROM awaited_series JOIN listeners ON listeners.id = listener_id
        WHERE series_uid = ? AND away_since IS NOT NULL ORDER BY name
        """, arguments: [series])
  }

  /// Every listener that ever handed anything over, by name; of each its last run.
  public func listeners() throws(LedgerError) -> [KnownListener] {
    try read { db in
      try Row.fetchAll(
        db,
        sql: "SELECT *, max(id) FROM listeners GROUP BY name ORDER BY name"
      ).map { row in
        KnownListener(
          name: try row.value("name"), taken: try row.value("taken"),
          lastSeenAt: try date(row, "last_seen"),
          awaySince: try optionalDate(row, "away_since"), waiting: try row.value("waiting"),
          oldestAt: try optionalDate(row, "oldest_at"))
      }
    }
  }
}

/// A listener that hands over to this head.
public struct KnownListener: Sendable, Equatable {
  public var name: String
  /// The last number that was taken.
  public var taken: Int64
  public var lastSeenAt: Date
  /// Nil while it is heard.
  public var awaySince: Date?
  /// What waits there, as it said last, and since when the oldest does.
  public var waiting: Int
  public var oldestAt: Date?
}
