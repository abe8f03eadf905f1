import Foundation
import GRDB
import Wording

/// Why instances of a series may be missing: what was refused and has not arrived since, interrupted
/// associations that no later one has made up for, and what the query source says.
public struct SeriesIncompleteness: Sendable, Codable, Equatable {
  public var refused: [RefusalRecord]
  public var associations: [AssociationRecord]
  /// SOP Instance UIDs whose file is lost or damaged here.
  public var lost: [String]
  /// SOP Instance UIDs whose file was purged.
  public var purged: [String]
  /// Listeners where instances wait, and that are away.
  public var awayListeners: [String] = []
  /// What the query source has and we do not, or that it does not answer.
  public var unconfirmed: String?
  /// That the query source does not answer, where the series is processed all the same.
  public var unchecked: String?

  /// When a person decided that the series is processed all the same; nil where nobody did, or where
  /// something was found to be missing later.
  public var releasedAt: Date?

  /// Whether there is no reason to hold the series.
  public var isEmpty: Bool { reasons.isEmpty }

  /// How many refused instances the reasons name.
  private static let named = 5

  /// Why the series is held, for people, the gravest first; empty where nothing is known to be missing,
  /// or a person released it. Without a file that is here no more, nobody can have it processed.
  public var reasons: [String] {
    (lost.isEmpty ? [] : [Ledger.lostReason(lost)])
      + (purged.isEmpty ? [] : [Ledger.purgedReason(purged)]) + (releasedAt == nil ? missing : [])
  }

  /// What is known of it where it is not held.
  public var remarks: [String] {
    let released =
      releasedAt.map { ["released by an administrator at \($0.formatted(.iso8601))"] + missing }
      ?? []
    return [unchecked].compactMap(\.self) + released
  }

  private var missing: [String] {
    var reasons = refused.prefix(Self.named).map { refusal in
      let peer = refusal.callingAETitle.map { title in
        ", from \(title)" + (refusal.peerAddress.map { " at \($0)" } ?? "")
      }
      return "instance \(refusal.instance.line)\(peer ?? "")"
    }
    if refused.count > Self.named {
      reasons.append(
        counted(
          refused.count - Self.named, "more instance was refused", "more instances were refused"))
    }
    let away = awayListeners.map {
      "instances of the series wait at listener \($0), which is away: they come once it is back"
    }
    return reasons + away + [unconfirmed].compactMap(\.self) + associations.map(\.reason)
  }
}

extension AssociationRecord {
  /// "the association of MODALITY at 10.0.0.5 …".
  fileprivate var reason: String {
    let end =
      switch outcome {
      case .abortedByPeer: "was aborted by the peer"
      case .connectionLost: "ended with a lost connection"
      case .timedOut: "was aborted because the peer was silent"
      case .aborted: "was aborted for a violation of the protocol"
      case .shutDown: "was aborted because segmentd was stopping"
      case .interrupted: "was interrupted when segmentd's receiving process ended"
      case .released, nil: "is open"
      }
    if outcome == nil, let message {
      return
        "the association of \(callingAETitle) at \(peerAddress) is open \(message) after "
        + "\(counted(stored, "instance")) of the series: the rest comes once the listener is back"
    }
    if callingAETitle.isEmpty, peerAddress.isEmpty {
      // Of a ledger that was rebuilt.
      return
        "\(message ?? end): whether more than \(counted(stored, "instance")) of the series came is not known, "
        + "send it again"
    }
    let peer = callingAETitle.isEmpty ? peerAddress : "\(callingAETitle) at \(peerAddress)"
    return
      "the association of \(peer) \(end) after \(counted(stored, "instance")) of the series: more may "
      + "be missing, send the series again"
  }
}

extension Ledger {
  /// What a series lacks, or may lack.
  public func incompleteness(series: String) throws(LedgerError) -> SeriesIncompleteness {
    try read { db in try incompleteness(series: series, db) }
  }

  /// Whether what a series lacks may still be sent: instances were refused, an association broke off or a
  /// listener is away, and neither is a file lost here nor has a person released it. It may be asked at an
  /// interval.
  public func waitsForMissing(series: String) throws(LedgerError) -> Bool {
    try read { db in try waitsForMissing(series: series, db) }
  }

  func waitsForMissing(series: String, _ db: Database) throws -> Bool {
    let isIncomplete = try Bool.fetchOne(
      db,
      sql: """
        SELECT EXISTS (SELECT 1 FROM association_series JOIN associations
              ON associations.id = association_id
            WHERE association_series.series_uid = ?1 AND \(Self.isUnresolved))
          OR EXISTS (SELECT 1 FROM series CROSS JOIN refused_instances INDEXED BY refused_open
            WHERE series.series_uid = ?1 AND refused_instances.resolved_at IS NULL
              AND \(Self.concerns))
        """, arguments: [series])
    let isAwaited = try !awayListeners(awaitedFor: series, db).isEmpty
    guard isIncomplete == true || isAwaited, try lostInstances(of: series, db).isEmpty,
      try purgedInstances(of: series, db).isEmpty
    else { return false }
    let isUnconfirmed = try unconfirmedReason(series: series, db)?.isHeld == true
    return try release(of: series, isUnconfirmed: isUnconfirmed, db) == nil
  }

  /// Refused instances that have not arrived since, the oldest first.
  ///
  /// - Parameter withoutSeries: only those of which it cannot be told which series lacks them.
  public func refusals(withoutSeries: Bool = false) throws(LedgerError) -> [RefusalRecord] {
    try read { db in
      try Row.fetchAll(
        db, sql: "SELECT * FROM refused_instances WHERE resolved_at IS NULL ORDER BY id"
      ).filter { row in
        guard withoutSeries else { return true }
        return try seriesConcerned(byRefusal: try row.value("id"), db).isEmpty
      }.map(refusal)
    }
  }

  func incompleteness(series: String, _ db: Database) throws -> SeriesIncompleteness {
    let unconfirmed = try unconfirmedReason(series: series, db)
    var found = SeriesIncompleteness(
      refused: try refusals(of: series, onlyUnresolved: true, db),
      associations: try associations(series: series, db).filter(\.isUnresolved),
      lost: try lostInstances(of: series, db), purged: try purgedInstances(of: series, db),
      unconfirmed: unconfirmed?.isHeld == true ? unconfirmed?.reason : nil,
      unchecked: unconfirmed?.isHeld == false ? unconfirmed?.reason : nil)
    found.awayListeners = try awayListeners(awaitedFor: series, db)
    found.releasedAt = try release(of: series, isUnconfirmed: found.unconfirmed != nil, db)
    return found
  }

  /// When a series was released; nil where something happened since: a refusal, the end of an
  /// association, or an instance after which the query source does not confirm it.
  private func release(of series: String, isUnconfirmed: Bool, _ db: Database) throws -> Date? {
    let released = try Double.fetchOne(
      db,
      sql: """
        SELECT released_at FROM series
        WHERE series_uid = ?1 AND released_at IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM refused_instances
            WHERE resolved_at IS NULL AND last_at > released_at AND \(Self.concerns))
          AND NOT EXISTS (SELECT 1 FROM association_series JOIN associations
              ON associations.id = association_id
            WHERE association_series.series_uid = ?1 AND \(Self.isUnresolved)
              AND ifnull(ended_at, away_since) > released_at)
          AND NOT (?2 AND EXISTS (SELECT 1 FROM instances
            WHERE instances.series_uid = ?1 AND received_at > released_at))
        """, arguments: [series, isUnconfirmed])
    return released.map { date($0) }
  }

  /// Refused instances that a series lacks or lacked, the oldest first.
  func refusals(of series: String, onlyUnresolved: Bool = false, _ db: Database) throws
    -> [RefusalRecord]
  {
    try Row.fetchAll(
      db,
      sql: """
        SELECT refused_instances.* FROM series JOIN refused_instances ON \(Self.concerns)
        WHERE series.series_uid = ? AND (NOT ? OR resolved_at IS NULL)
        ORDER BY refused_instances.id
        """, arguments: [series, onlyUnresolved]
    ).map(refusal)
  }

  /// The series that a refused instance concerns.
  func seriesConcerned(byRefusal id: Int64, _ db: Database) throws -> [String] {
    // As in `concerns`, each way by its index.
    try String.fetchAllCached(
      db,
      sql: """
        SELECT series.series_uid FROM refused_instances
          CROSS JOIN series ON series.series_uid = refused_instances.series_uid
        WHERE refused_instances.id = ?1
        UNION SELECT series.series_uid FROM refused_instances
          CROSS JOIN series ON series.study_uid = refused_instances.study_uid
        WHERE refused_instances.id = ?1 AND refused_instances.series_uid IS NULL
          AND \(Self.isOfClass)
        UNION SELECT series.series_uid FROM refused_instances
          CROSS JOIN association_series
            ON association_series.association_id = refused_instances.association_id
          CROSS JOIN series ON series.series_uid = association_series.series_uid
        WHERE refused_instances.id = ?1 AND refused_instances.series_uid IS NULL
          AND refused_instances.study_uid IS NULL AND \(Self.isOfClass)
        ORDER BY 1
        """, arguments: [id])
  }

  /// Whether a series has instances of the class that a refused one has, where that is known.
  private static let isOfClass = """
    (refused_instances.sop_class_uid IS NULL OR EXISTS
      (SELECT 1 FROM instances WHERE instances.series_uid = series.series_uid
        AND instances.sop_class_uid = refused_instances.sop_class_uid))
    """

  /// Whether a refused instance concerns a series: the dataset names it, or where that cannot be read,
  /// the study is the same or unknown, as is the SOP class, and both came over one association.
  private static let concerns = """
    (refused_instances.series_uid = series.series_uid
     OR refused_instances.series_uid IS NULL
      AND (refused_instances.study_uid = series.study_uid
        OR refused_instances.study_uid IS NULL AND EXISTS
          (SELECT 1 FROM association_series
           WHERE association_series.association_id = refused_instances.association_id
             AND association_series.series_uid = series.series_uid))
      AND \(isOfClass))
    """

  /// Notes that an instance arrived completely, and has the series that waited for it assembled again.
  ///
  /// - Parameters:
  ///   - record: the instance.
  ///   - file: the file of a watch folder that it is from. It resolves only a refusal that could be of
  ///     this instance: exports use the same file names for every study.
  ///   - db: the transaction.
  func resolveRefusals(of record: InstanceRecord, file: String?, _ db: Database) throws {
    let resolved = try Int64.fetchAllCached(
      db,
      sql: """
        UPDATE refused_instances SET resolved_at = ?1, resolution = 'received'
        WHERE resolved_at IS NULL AND (sop_uid = ?2 OR file = ?3 AND sop_uid IS NULL
          AND ifnull(series_uid, ?4) = ?4 AND ifnull(study_uid, ?5) = ?5) RETURNING id
        """,
      arguments: [
        now, record.sopInstanceUID, file, record.seriesInstanceUID, record.studyInstanceUID,
      ])
    for id in resolved {
      for series in try seriesConcerned(byRefusal: id, db) {
        try event(
          db, "received", by: record.source.cause, series: series,
          "instance \(record.sopInstanceUID), refused before")
        try reopenIfComplete(series, db)
      }
    }
  }

  /// Has a series assembled again that was held as incomplete and that lacks nothing now.
  func reopenIfComplete(_ series: String, _ db: Database) throws {
    let isHeld = try Bool.fetchOne(
      db, sql: "SELECT held_as_incomplete FROM series WHERE series_uid = ?", arguments: [series])
    guard isHeld == true, try incompleteness(series: series, db).isEmpty else { return }
    try db.execute(
      sql: """
        UPDATE series
        SET revision = revision + 1, last_received_at = ?, held_as_incomplete = 0
        WHERE series_uid = ?
        """, arguments: [now, series])
  }

  func refusal(_ row: Row) throws -> RefusalRecord {
    let source: String = try row.value("source")
    var instance = RefusedInstance(
      reason: try row.value("reason"), source: InstanceSource(rawValue: source) ?? .command)
    instance.sopInstanceUID = try row.value("sop_uid")
    instance.sopClassUID = try row.value("sop_class_uid")
    instance.seriesInstanceUID = try row.value("series_uid")
    instance.studyInstanceUID = try row.value("study_uid")
    instance.modality = try row.value("modality")
    instance.transferSyntaxUID = try row.value("transfer_syntax")
    instance.status = (try row.value("status") as Int?).map { UInt16(clamping: $0) }
    instance.file = try row.value("file")
    return RefusalRecord(
      instance: instance, callingAETitle: try row.value("calling_ae"),
      peerAddress: try row.value("peer_address"), firstAt: try date(row, "first_at"),
      lastAt: try date(row, "last_at"), count: try row.value("count"),
      resolution: (try row.value("resolution") as String?)
        .flatMap(RefusalRecord.Resolution.init(rawValue:)),
      resolvedAt: try optionalDate(row, "resolved_at"))
  }
}
