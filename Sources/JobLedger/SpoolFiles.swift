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

  /// Path of the file of a recorded instance with the same content.
  public func spoolPath(of record: InstanceRecord) throws(LedgerError) -> String? {
    try read { db in
      try String.fetchOne(
        db,
        sql: """
          SELECT spool_path FROM instances
          WHERE sop_uid = ? AND series_uid = ? AND content_hash = ?
          """, arguments: [record.sopInstanceUID, record.seriesInstanceUID, record.contentHash])
    }
  }

  /// Takes the file of `record` in the place of the one that was recorded and is lost or damaged.
  ///
  /// A series whose last job was held, as for lack of the file, is assembled again.
  public func replaceFile(with record: InstanceRecord) throws(LedgerError) {
    try write(patience: intakePatience) { db in
      try db.execute(
        sql: """
          UPDATE instances SET spool_path = ?, lost_at = NULL
          WHERE sop_uid = ? AND series_uid = ? AND content_hash = ?
          """,
        arguments: [
          record.spoolPath, record.sopInstanceUID, record.seriesInstanceUID, record.contentHash,
        ])
      if try isHeld(record.seriesInstanceUID, db) { try touchSeries(record, db) }
      try event(
        db, "replaced", by: record.source.cause, series: record.seriesInstanceUID,
        "the lost or damaged file of instance \(record.sopInstanceUID) came again")
      try reopenIfComplete(record.seriesInstanceUID, db)
    }
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
          FROM associations JOIN association_series ON association_id = associations.id
            JOIN instances ON instances.series_uid = association_series.series_uid
              AND received_at >= started_at
            JOIN series ON series.series_uid = instances.series_uid
          WHERE ended_at IS NULL AND \(sessions.condition) ORDER BY instances.id
          """, arguments: sessions.arguments)
      return try rows.map(InstanceRecord.init)
    }
  }

  /// The paths of recorded files in a folder of the spool.
  ///
  /// - Parameter folder: relative to the state directory, such as `spool/ab/cd`.
  public func spoolPaths(inFolder folder: String) throws(LedgerError) -> Set<String> {
    try read { db in
      // "0" follows "/" in the order of bytes.
      Set(
        try String.fetchAllCached(
          db, sql: "SELECT spool_path FROM instances WHERE spool_path > ? AND spool_path < ?",
          arguments: [folder + "/", folder + "0"]))
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
  }
}
