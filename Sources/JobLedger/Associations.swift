import Clocks
import Foundation
import GRDB

/// An association (PS3.8) over which a peer sends instances.
public struct ReceivingAssociation: Sendable, Equatable {
  /// Unique among all associations, those of earlier processes included: `DAEMON/PROCESS/NUMBER`.
  public var key: String
  public var callingAETitle: String
  public var calledAETitle: String
  public var peerAddress: String
  public var startedAt: SteadyTime

  public init(
    key: String, callingAETitle: String, calledAETitle: String, peerAddress: String,
    startedAt: SteadyTime
  ) {
    self.key = key
    self.callingAETitle = callingAETitle
    self.calledAETitle = calledAETitle
    self.peerAddress = peerAddress
    self.startedAt = startedAt
  }
}

/// How an association ended.
public enum AssociationOutcome: String, Sendable, Codable, CaseIterable {
  /// By A-RELEASE of the peer (PS3.8 7.2), the only end that says that it has sent everything.
  case released
  /// By A-ABORT of the peer (PS3.8 7.3).
  case abortedByPeer = "aborted by peer"
  /// The TCP connection was closed or reset without either.
  case connectionLost = "connection lost"
  /// The peer was silent for too long, and we aborted.
  case timedOut = "timed out"
  /// We aborted for a violation of the protocol.
  case aborted
  /// We aborted because segmentd was stopping.
  case shutDown = "shut down"
  /// The process was killed, or lost power, while the association was open.
  case interrupted

  var cause: EventCause {
    switch self {
    case .released, .abortedByPeer, .connectionLost, .timedOut, .aborted: .peer
    case .shutDown: .program
    case .interrupted: .fault
    }
  }
}

/// An association as the ledger keeps it.
public struct AssociationRecord: Sendable, Codable, Equatable {
  public var callingAETitle: String
  public var calledAETitle: String
  public var peerAddress: String
  public var startedAt: Date
  /// Nil while it is open.
  public var endedAt: Date?
  public var outcome: AssociationOutcome?
  /// Why it ended early, where more is known.
  public var message: String?
  /// Instances that were acknowledged and refused over it, of the series in question.
  public var stored: Int
  public var refused: Int
  /// Whether it did not end by release, no later association has made up for it, and no query source
  /// has confirmed that nothing is missing.
  public var isUnresolved: Bool
}

extension Ledger {
  /// Writes how an association ended. One over which no instance came is not in the ledger, and
  /// nothing happens.
  ///
  /// Every end but a release leaves the series that came over it incomplete, until a later
  /// association makes up for it: one that
  /// - began after the last instance of the series came over the broken one,
  /// - brought at least one instance of the series, new or known,
  /// - was released by the peer, and
  /// - has the same calling AE title, or else brought as many instances as are known of the series.
  public func endAssociation(
    _ association: ReceivingAssociation, _ outcome: AssociationOutcome, message: String? = nil
  ) throws(LedgerError) {
    try write(patience: intakePatience) { db in
      try endAssociation(key: association.key, outcome, message: message, db)
    }
  }

  func endAssociation(
    key: String, _ outcome: AssociationOutcome, message: String?, _ db: Database
  ) throws {
    let id = try Int64.fetchOne(
      db, sql: "SELECT id FROM associations WHERE key = ? AND ended_at IS NULL", arguments: [key])
    guard let id else { return }
    try end(association: id, outcome, message: message, db)
  }

  /// Ends what a receiving process left open that has ended by itself: its associations count as
  /// interrupted. Those of other processes are not touched.
  ///
  /// - Parameters:
  ///   - session: the process's, as the keys of its associations begin.
  ///   - message: how it ended, for the events.
  public func endReception(ofSession session: String, message: String) throws(LedgerError) {
    try write { db in
      try closeInterruptedAssociations(.one(session), message, db)
      try event(db, "receiver", by: .fault, message)
    }
  }

  /// Closes the associations that processes left open which were killed.
  func closeInterruptedAssociations(
    _ sessions: ReceivingSessions, _ message: String, _ db: Database
  ) throws {
    let open = try Int64.fetchAll(
      db, sql: "SELECT id FROM associations WHERE ended_at IS NULL AND \(sessions.condition)",
      arguments: sessions.arguments)
    for id in open { try end(association: id, .interrupted, message: message, db) }
  }

  func end(
    association id: Int64, _ outcome: AssociationOutcome, message: String?, _ db: Database
  ) throws {
    try db.execute(
      sql: """
        UPDATE associations SET ended_at = ?, outcome = ?, message = ?, away_since = NULL
        WHERE id = ?
        """, arguments: [now, outcome.rawValue, message, id])
    try logHandover(ofAssociation: id, db)
    if outcome == .released {
      try db.execute(
        sql: "UPDATE association_series SET resolved_by = association_id WHERE association_id = ?",
        arguments: [id])
    }
    let series = try String.fetchAll(
      db, sql: "SELECT series_uid FROM association_series WHERE association_id = ?",
      arguments: [id])
    for series in series {
      if outcome != .released {
        let text = (["association \(outcome.rawValue)"] + [message].compactMap(\.self))
          .joined(separator: ": ")
        try event(db, "association", by: outcome.cause, series: series, text)
      }
      try resolveAssociations(of: series, db)
    }
  }

  /// Notes which broken associations of a series later ones have made up for.
  private func resolveAssociations(of series: String, _ db: Database) throws {
    try db.execute(
      sql: """
        UPDATE association_series AS broken SET resolved_by = (
          SELECT min(later.id) FROM association_series AS again
            CROSS JOIN associations AS later ON later.id = again.association_id
          WHERE again.series_uid = broken.series_uid AND again.stored > 0
            AND later.outcome = 'released' AND later.started_at >= broken.last_at
            AND (later.calling_ae =
                (SELECT calling_ae FROM associations WHERE id = broken.association_id)
              OR again.stored >=
                (SELECT count(DISTINCT sop_uid) FROM instances
                 WHERE instances.series_uid = broken.series_uid)))
        WHERE series_uid = ? AND resolved_by IS NULL AND EXISTS (SELECT 1 FROM associations
          WHERE associations.id = broken.association_id
            AND (outcome IS NOT NULL OR away_since IS NOT NULL))
        """, arguments: [series])
    try reopenIfComplete(series, db)
  }

  /// Notes that an instance came over an association, which is recorded with its first one.
  ///
  /// - Parameters:
  ///   - association: the association.
  ///   - series: nil where it could not be read.
  ///   - stored: how many instances were acknowledged.
  ///   - refused: how many instances were refused.
  ///   - time: when the instance began to come.
  ///   - db: the transaction.
  /// - Returns: the association's row.
  func count(
    _ association: ReceivingAssociation, series: String?, stored: Int = 0, refused: Int = 0,
    at time: Double, _ db: Database
  ) throws -> Int64 {
    let id = try Int64.fetchOneCached(
      db,
      sql: """
        INSERT INTO associations (key, calling_ae, called_ae, peer_address, started_at, stored,
          refused)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (key) DO UPDATE SET
          stored = stored + excluded.stored, refused = refused + excluded.refused
        RETURNING id
        """,
      arguments: [
        association.key, association.callingAETitle, association.calledAETitle,
        association.peerAddress, self.time(association.startedAt), stored, refused,
      ])
    guard let id else {
      throw LedgerError.failed(path: path, reason: "association \(association.key) has no row")
    }
    guard let series else { return id }
    try db.executeCached(
      sql: """
        INSERT INTO association_series (association_id, series_uid, stored, refused, last_at)
        VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (association_id, series_uid) DO UPDATE SET
          stored = stored + excluded.stored, refused = refused + excluded.refused,
          last_at = max(last_at, excluded.last_at)
        """, arguments: [id, series, stored, refused, time])
    return id
  }

  /// Whether an association did not end by release, or is open at a listener that is away, no later one has
  /// made up for it, and no query source has confirmed that nothing is missing.
  static let isUnresolved = """
    (outcome IS NOT NULL OR away_since IS NOT NULL) AND resolved_by IS NULL
      AND confirmed_at IS NULL
    """

  /// Associations over which instances came and that did not end by release, the last first.
  public func brokenAssociations(limit: Int) throws(LedgerError) -> [AssociationRecord] {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT *, stored AS series_stored, refused AS series_refused, 0 AS unresolved
          FROM associations WHERE outcome <> 'released' ORDER BY id DESC LIMIT ?
          """, arguments: [limit]
      ).map(association)
    }
  }

  /// The associations over which a series came, the oldest first.
  func associations(series: String, _ db: Database) throws -> [AssociationRecord] {
    try Row.fetchAll(
      db,
      sql: """
        SELECT associations.*, association_series.stored AS series_stored,
          association_series.refused AS series_refused,
          \(Self.isUnresolved) AS unresolved
        FROM association_series JOIN associations ON associations.id = association_id
        WHERE series_uid = ? ORDER BY associations.id
        """, arguments: [series]
    ).map(association)
  }

  private func association(_ row: Row) throws -> AssociationRecord {
    let outcome: String? = try row.value("outcome")
    return AssociationRecord(
      callingAETitle: try row.value("calling_ae"), calledAETitle: try row.value("called_ae"),
      peerAddress: try row.value("peer_address"), startedAt: try date(row, "started_at"),
      endedAt: try optionalDate(row, "ended_at"),
      outcome: outcome.flatMap(AssociationOutcome.init(rawValue:)),
      message: try row.value("message"), stored: try row.value("series_stored"),
      refused: try row.value("series_refused"), isUnresolved: try row.value("unresolved"))
  }
}
