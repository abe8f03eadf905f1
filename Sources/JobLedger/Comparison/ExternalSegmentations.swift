import Foundation
import GRDB

/// A segmentation object that was received, and may be somebody else's of a series of ours.
public struct ExternalSegmentation: Sendable, Equatable {
  /// Of its version in the ledger.
  public var instance: Int64
  public var sopInstanceUID: String
  /// Relative to the state directory.
  public var spoolPath: String
}

/// A segmentation of somebody else, and a result of ours on the same series.
public struct DueComparison: Sendable, Equatable {
  public var external: ExternalSegmentation
  public var job: Int64
  public var model: String
  public var seriesInstanceUID: String
  /// Our segmentation objects, relative to the state directory.
  public var paths: [String]
}

extension Ledger {
  /// SQL: of several versions of an instance, whether a row is the one received last; its file is here.
  private static let isCurrent = """
    instances.purged_at IS NULL AND instances.lost_at IS NULL AND NOT EXISTS (
      SELECT 1 FROM instances AS later WHERE later.series_uid = instances.series_uid
        AND later.sop_uid = instances.sop_uid AND later.revision > instances.revision)
    """

  /// The segmentation object, label map or structure set that was received next after those that were looked at; nil
  /// for none.
  ///
  /// - Parameter position: the instance up to which label maps and structure sets were looked for, 0 at first: no index
  ///   has them, so that only what came since is read. Moved where there is none.
  public func nextExternalSegmentation(
    unindexedAfter position: inout Int64
  ) throws(LedgerError) -> ExternalSegmentation? {
    // In one snapshot: those that are looked at have to be so in the order in which they came.
    let (found, next) = try read { [position] db in
      let last =
        try Int64.fetchOne(db, sql: "SELECT max(instance_id) FROM external_segmentations") ?? 0
      let segmentation = try Row.fetchOne(
        db,
        sql: """
          SELECT id, sop_uid, spool_path FROM instances INDEXED BY instances_by_class
          WHERE sop_class_uid = '1.2.840.10008.5.1.4.1.1.66.4' AND \(Self.isCurrent) AND id > ?
          ORDER BY id LIMIT 1
          """, arguments: [last])
      let other = try Row.fetchOne(
        db,
        sql: """
          SELECT id, sop_uid, spool_path FROM instances NOT INDEXED
          WHERE id > ? AND sop_class_uid
              IN ('1.2.840.10008.5.1.4.1.1.66.7', '1.2.840.10008.5.1.4.1.1.481.3')
            AND \(Self.isCurrent)
          ORDER BY id LIMIT 1
          """, arguments: [max(last, position)])
      let newest = try Int64.fetchOne(db, sql: "SELECT max(id) FROM instances") ?? 0
      let both = try [segmentation, other].compactMap(\.self).map(external)
      return (both.min { $0.instance < $1.instance }, other == nil ? newest : position)
    }
    position = next
    return found
  }

  private func external(_ row: Row) throws -> ExternalSegmentation {
    ExternalSegmentation(
      instance: try row.value("id"), sopInstanceUID: try row.value("sop_uid"),
      spoolPath: try row.value("spool_path"))
  }

  /// The file of a result of ours by its SOP Instance UID; nil where no result has it.
  public func resultObject(_ sopInstanceUID: String) throws(LedgerError) -> StoredObject? {
    try read { db in
      try Row.fetchOne(
        db, sql: "SELECT * FROM result_objects WHERE sop_uid = ?", arguments: [sopInstanceUID]
      ).map(storedObject)
    }
  }

  /// Notes that a segmentation object is about to be read, so that one that ends the program is read once.
  public func beginReading(_ external: ExternalSegmentation) throws(LedgerError) {
    try record(
      external, of: [], madeWith: "", isOurs: false, fault: "the program ended while it was read")
  }

  /// Writes what a segmentation object says of itself, in place of what was noted before.
  ///
  /// - Parameters:
  ///   - external: as ``nextExternalSegmentation(unindexedAfter:)`` gives it.
  ///   - series: Series Instance UIDs that it is of.
  ///   - madeWith: the program, as it says.
  ///   - isOurs: whether it is a result of segmentd, which is compared with nothing.
  ///   - fault: why it is compared with nothing; nil where it is compared.
  public func record(
    _ external: ExternalSegmentation, of series: [String], madeWith: String, isOurs: Bool,
    fault: String? = nil
  ) throws(LedgerError) {
    try write { db in
      try db.execute(
        sql: """
          INSERT INTO external_segmentations (instance_id, made_with, is_ours, fault, read_at)
          VALUES (?, ?, ?, ?, ?) ON CONFLICT (instance_id) DO UPDATE SET
            made_with = excluded.made_with, is_ours = excluded.is_ours, fault = excluded.fault
          """, arguments: [external.instance, madeWith, isOurs, fault, now])
      for uid in Set(series) where !uid.isEmpty {
        try db.execute(
          sql: "INSERT OR IGNORE INTO external_segmentation_sources VALUES (?, ?)",
          arguments: [external.instance, uid])
      }
    }
  }

  /// The next pair of a segmentation of others and a result that counts, of one series, that was not
  /// compared; nil for none.
  ///
  /// A pair arises from another segmentation or from a job that is completed: what came after a position is
  /// all that is looked at. A file that comes back belongs to a pair that is found from the start alone.
  ///
  /// - Parameter position: up to where all pairs were found; moved where there is none.
  public func nextComparison(after position: inout ComparisonPosition) throws(LedgerError)
    -> DueComparison?
  {
    let (due, next) = try read { [position] db in
      var row = try Row.fetchOne(
        db, sql: Self.pairs(Self.ofSegmentations), arguments: [position.segmentation])
      if row == nil, let event = position.event {
        row = try Row.fetchOne(db, sql: Self.pairs(Self.ofResults), arguments: [event])
      }
      if let row { return (try dueComparison(row, db) as DueComparison?, position) }
      let last = try Int64.fetchOne(db, sql: "SELECT max(instance_id) FROM external_segmentations")
      return (
        nil,
        ComparisonPosition(segmentation: last ?? 0, event: try EventChain.head(db).event)
      )
    }
    position = next
    return due
  }

  /// SQL: segmentations after ?1 with the jobs of their series.
  private static let ofSegmentations = (
    tables: """
    external_segmentations
    CROSS JOIN external_segmentation_sources AS sources
      ON sources.instance_id = external_segmentations.instance_id
    CROSS JOIN jobs ON jobs.series_uid = sources.series_uid
    """, condition: "external_segmentations.instance_id > ?1"
  )

  /// SQL: jobs that were completed after the event ?1 with the segmentations of their series.
  private static let ofResults = (
    tables: """
    events NOT INDEXED
    CROSS JOIN jobs ON jobs.id = events.job_id
    CROSS JOIN external_segmentation_sources AS sources ON sources.series_uid = jobs.series_uid
    CROSS JOIN external_segmentations ON external_segmentations.instance_id = sources.instance_id
    """, condition: "events.id > ?1 AND events.kind = 'completed'"
  )

  private static func pairs(_ way: (tables: String, condition: String)) -> String {
    """
    SELECT instances.id, instances.sop_uid, spool_path, jobs.id AS job, jobs.model, jobs.series_uid
    FROM \(way.tables)
      CROSS JOIN instances ON instances.id = external_segmentations.instance_id
      CROSS JOIN results ON results.job_id = jobs.id AND results.superseded_by IS NULL
    WHERE \(way.condition) AND +jobs.state = 'completed' AND is_ours = 0 AND fault IS NULL
      AND \(isCurrent)
      AND EXISTS (SELECT 1 FROM results AS files
        JOIN result_objects ON result_objects.job_id = files.job_id
        WHERE files.job_id = ifnull(results.same_as, results.job_id) AND files.purged_at IS NULL
          AND kind = 'seg')
      AND NOT EXISTS (SELECT 1 FROM comparisons AS done
        JOIN results AS compared ON compared.job_id = done.job_id
        WHERE done.instance_id = instances.id AND ifnull(compared.same_as, compared.job_id)
          = ifnull(results.same_as, results.job_id))
    ORDER BY instances.id, jobs.id LIMIT 1
    """
  }

  private func dueComparison(_ row: Row, _ db: Database) throws -> DueComparison {
    let job: Int64 = try row.value("job")
    return DueComparison(
      external: try external(row), job: job, model: try row.value("model"),
      seriesInstanceUID: try row.value("series_uid"),
      paths: try objects(job: job, db).filter { $0.kind == .segmentation }.map(\.path))
  }
}

/// Up to where pairs for a comparison were looked for.
public struct ComparisonPosition: Sendable, Equatable {
  /// The last segmentation of others.
  var segmentation: Int64
  /// The last event; nil before all segmentations were looked at.
  var event: Int64?
  public static let start = ComparisonPosition(segmentation: 0, event: nil)
}
