import Foundation
import GRDB

extension Ledger {
  /// Whether a job on the present instances of a series ended without a result.
  func isHeld(_ series: String, _ db: Database) throws -> Bool {
    try Bool.fetchOne(
      db,
      sql: """
        SELECT EXISTS (
          SELECT 1 FROM series JOIN jobs ON jobs.series_uid = series.series_uid
              AND jobs.revision = series.revision
            WHERE series.series_uid = ?1 AND jobs.state = 'held'
          UNION ALL
          SELECT 1 FROM series JOIN job_inputs ON job_inputs.series_uid = series.series_uid
              AND job_inputs.revision = series.revision
            JOIN jobs ON jobs.id = job_inputs.job_id
            WHERE series.series_uid = ?1 AND jobs.state = 'held')
        """, arguments: [series]) ?? false
  }

  /// Path of the file of a recorded instance with the same content; nil where it was purged.
  public func spoolPath(of record: InstanceRecord) throws(LedgerError) -> String? {
    try read { db in
      try String.fetchOne(
        db,
        sql: """
          SELECT spool_path FROM instances
          WHERE sop_uid = ? AND series_uid = ? AND content_hash = ? AND purged_at IS NULL
          """, arguments: [record.sopInstanceUID, record.seriesInstanceUID, record.contentHash])
    }
  }

  /// Takes the file of `record` in the place of the one that was recorded and is lost, damaged or purged.
  ///
  /// A series whose last job was held, as for lack of the file, is assembled again.
  public func replaceFile(with record: InstanceRecord) throws(LedgerError) {
    try write(patience: intakePatience) { db in
      let series = record.seriesInstanceUID
      let wasPurged = try Bool.fetchOne(
        db,
        sql: """
          SELECT purged_at IS NOT NULL FROM instances
          WHERE sop_uid = ? AND series_uid = ? AND content_hash = ?
          """, arguments: [record.sopInstanceUID, series, record.contentHash])
      try db.execute(
        sql: """
          UPDATE instances SET spool_path = ?, lost_at = NULL, purged_at = NULL
          WHERE sop_uid = ? AND series_uid = ? AND content_hash = ?
          """,
        arguments: [
          record.spoolPath, record.sopInstanceUID, record.seriesInstanceUID, record.contentHash,
        ])
      if try isHeld(record.seriesInstanceUID, db) { try touchSeries(record, db) }
      if wasPurged == true {
        try noteReturn(of: series, by: record.source.cause, db)
      } else {
        try event(
          db, "replaced", by: record.source.cause, series: series,
          "the lost or damaged file of instance \(record.sopInstanceUID) came again")
      }
      try reopenIfComplete(series, db)
    }
  }

  /// A purged series is kept anew from now on. The first of its instances is an event.
  private func noteReturn(of series: String, by cause: EventCause, _ db: Database) throws {
    let isFirst = try Bool.fetchOne(
      db, sql: "SELECT purged_at IS NOT NULL FROM series WHERE series_uid = ?", arguments: [series])
    try db.execute(
      sql: "UPDATE series SET purged_at = NULL, last_received_at = ? WHERE series_uid = ?",
      arguments: [now, series])
    guard isFirst == true else { return }
    try event(db, "returned", by: cause, series: series, "its purged originals come again")
  }

  /// Takes back an instance whose file did not reach the disk; it was not acknowledged. An earlier
  /// version of it counts again. Nothing happens where it was not recorded.
  public func withdraw(_ record: InstanceRecord) throws(LedgerError) {
    try write(patience: intakePatience) { db in
      try db.execute(
        sql: "DELETE FROM instances WHERE spool_path = ?", arguments: [record.spoolPath])
      guard db.changesCount > 0 else { return }
      try touchSeries(record, db)
      try event(
        db, "withdrawn", by: .fault, series: record.seriesInstanceUID,
        "the file of instance \(record.sopInstanceUID) did not reach the disk; it was not acknowledged"
      )
    }
  }

  /// Instances whose row may have reached the disk without their file, because the process ended before
  /// they were acknowledged: those that came over associations which are open in the ledger.
  ///
  /// - Parameter sessions: of the processes that ended.
  public func instancesInDoubt(of sessions: ReceivingSessions = .all(exceptOfDaemon: nil))
    throws(LedgerError) -> [InstanceRecord]
  {
    try read { db in
      let rows = try Row.fetchAll(
        db,
        sql: """
          SELECT DISTINCT instances.*, study_uid, modality
          FROM associations INDEXED BY associations_open
            CROSS JOIN association_series ON association_id = associations.id
            CROSS JOIN instances ON instances.series_uid = association_series.series_uid
              AND received_at >= started_at AND instances.purged_at IS NULL
            CROSS JOIN series ON series.series_uid = instances.series_uid
          WHERE ended_at IS NULL AND \(sessions.condition) ORDER BY instances.id
          """, arguments: sessions.arguments)
      return try rows.map(InstanceRecord.init)
    }
  }

  /// The paths of recorded files in a folder of the spool, those included that are about to be removed.
  ///
  /// - Parameter folder: relative to the state directory, such as `spool/ab/cd`.
  public func spoolPaths(inFolder folder: String) throws(LedgerError) -> Set<String> {
    try read { db in
      // "0" follows "/" in the order of bytes.
      Set(
        try String.fetchAllCached(
          db,
          sql: """
            SELECT spool_path FROM instances
            WHERE spool_path > ?1 AND spool_path < ?2 AND purged_at IS NULL
            UNION ALL SELECT path FROM purge_files WHERE path > ?1 AND path < ?2
            """, arguments: [folder + "/", folder + "0"]))
    }
  }
}

extension InstanceRecord {
  /// - Parameter row: of the instance, with study and modality of its series.
  init(_ row: Row) throws {
    self.init(
      studyInstanceUID: try row.value("study_uid"),
      seriesInstanceUID: try row.value("series_uid"), sopInstanceUID: try row.value("sop_uid"),
      sopClassUID: try row.value("sop_class_uid"), modality: try row.value("modality"),
      transferSyntaxUID: try row.value("transfer_syntax"),
      spoolPath: try row.value("spool_path"), byteCount: try row.value("byte_count"),
      contentHash: try row.value("content_hash"),
      source: InstanceSource(rawValue: try row.value("source")) ?? .command,
      callingAETitle: try row.value("calling_ae"))
    isPurged = try (row.value("purged_at") as Double?) != nil
  }
}
