import Foundation
import GRDB

/// A series of which no job is made yet, or that is arriving again.
public struct PendingSeries: Sendable, Codable, Equatable {
  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  public var modality: String
  /// Different instances that are here.
  public var instances: Int
  /// Instances that were refused and have not arrived since.
  public var refused: Int
  public var lastReceivedAt: Date
  /// Who is sending it, over an association that is open; nil where nobody is.
  public var sender: String?
  /// Whether the query source is asked about it, and when next.
  public var isAskedAbout: Bool
  public var askedNextAt: Date?
  /// What the query source said last, or what waits to be handed over.
  public var reason: String?
  /// Whether instances are known to be missing that may still come.
  public var waitsForMissing = false

  // As the schema of the output has it.
  private enum CodingKeys: String, CodingKey {
    case studyInstanceUID, seriesInstanceUID, modality, instances, refused, lastReceivedAt, sender
    case isAskedAbout, askedNextAt, reason
  }
}

extension Ledger {
  /// Of an open association: who sends a series.
  static let senderOfSeries = """
    SELECT iif(calling_ae = '', peer_address, calling_ae || ' at ' || peer_address)
    FROM association_series JOIN associations ON associations.id = association_id
    WHERE association_series.series_uid = ? AND resolved_by IS NULL AND ended_at IS NULL LIMIT 1
    """

  /// Series that wait to be assembled, and those that are on their way over an open association.
  static let pendingSeriesQuery = """
    SELECT series_uid FROM series WHERE assembled_revision < revision
    UNION SELECT association_series.series_uid FROM associations INDEXED BY associations_open
      CROSS JOIN association_series ON association_series.association_id = associations.id
      CROSS JOIN series ON series.series_uid = association_series.series_uid
    WHERE associations.ended_at IS NULL
    """

  /// How many series wait to be assembled or are arriving.
  public func pendingSeriesCount() throws(LedgerError) -> Int {
    try read { db in
      try Int.fetchOne(db, sql: "SELECT count(*) FROM (\(Self.pendingSeriesQuery))") ?? 0
    }
  }

  /// Series that wait to be assembled or are arriving, the one that waits longest first.
  public func pendingSeries() throws(LedgerError) -> [PendingSeries] {
    try read { db in
      let rows = try Row.fetchAll(
        db,
        sql: """
          SELECT series.*, asked.state AS asked_state, asked.scheduled_at AS asked_next,
            asked.reason AS asked_reason,
            (SELECT count(DISTINCT sop_uid) FROM instances
              WHERE instances.series_uid = series.series_uid) AS n,
            (SELECT count(*) FROM refused_instances
              WHERE refused_instances.series_uid = series.series_uid
                AND resolved_at IS NULL) AS refused
          FROM (\(Self.pendingSeriesQuery)) AS pending JOIN series USING (series_uid)
            LEFT JOIN completeness_checks AS asked ON asked.series_uid = series.series_uid
              AND asked.revision = series.revision AND asked.state = 'waiting'
          ORDER BY last_received_at, series.series_uid
          """)
      return try rows.map { row in
        let series: String = try row.value("series_uid")
        return PendingSeries(
          studyInstanceUID: try row.value("study_uid"), seriesInstanceUID: series,
          modality: try row.value("modality"), instances: try row.value("n"),
          refused: try row.value("refused"), lastReceivedAt: try date(row, "last_received_at"),
          sender: try String.fetchOne(db, sql: Self.senderOfSeries, arguments: [series]),
          isAskedAbout: try (row.value("asked_state") as String?) != nil,
          askedNextAt: try optionalDate(row, "asked_next"),
          reason: try row.value("asked_reason") ?? handoverText(series: series, db),
          waitsForMissing: try self.waitsForMissing(series: series, db))
      }
    }
  }
}
