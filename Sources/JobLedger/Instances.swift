import Foundation
import GRDB

/// Where an instance came from.
public enum InstanceSource: String, Sendable, Codable { case listener, watch, command }

/// A received instance as the ledger keeps it.
public struct InstanceRecord: Sendable, Codable, Equatable {
  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  public var sopInstanceUID: String
  public var sopClassUID: String
  public var modality: String
  public var transferSyntaxUID: String
  /// Relative to the state directory.
  public var spoolPath: String
  public var byteCount: Int
  /// SHA-256 of the dataset, as 64 hexadecimal digits.
  public var contentHash: String
  public var source: InstanceSource
  public var callingAETitle: String?

  public init(
    studyInstanceUID: String, seriesInstanceUID: String, sopInstanceUID: String,
    sopClassUID: String, modality: String, transferSyntaxUID: String, spoolPath: String,
    byteCount: Int, contentHash: String, source: InstanceSource, callingAETitle: String? = nil
  ) {
    self.studyInstanceUID = studyInstanceUID
    self.seriesInstanceUID = seriesInstanceUID
    self.sopInstanceUID = sopInstanceUID
    self.sopClassUID = sopClassUID
    self.modality = modality
    self.transferSyntaxUID = transferSyntaxUID
    self.spoolPath = spoolPath
    self.byteCount = byteCount
    self.contentHash = contentHash
    self.source = source
    self.callingAETitle = callingAETitle
  }
}

/// What recording an instance changed.
public enum InstanceOutcome: Sendable, Equatable {
  case added
  /// The same instance with the same content is there already; the new file is not needed.
  case identical
  /// The same SOP instance UID is there with other content. Both are kept; within a series both
  /// are judged, so that it is held.
  case conflicting
}

extension JobLedger {
  /// Records an instance whose file is on disk; when this returns, a loss of power does not undo it.
  ///
  /// The same record again changes no instance, but it holds back a series that is not assembled
  /// yet: a sender that was interrupted and starts over has more to send.
  public func recordInstance(_ record: InstanceRecord) throws(LedgerError) -> InstanceOutcome {
    try write { db in
      let isIdentical = try exists(
        "sop_uid = ? AND series_uid = ? AND content_hash = ?",
        [record.sopInstanceUID, record.seriesInstanceUID, record.contentHash], db)
      if isIdentical {
        try db.execute(
          sql: """
            UPDATE series SET last_received_at = ?
            WHERE series_uid = ? AND assembled_revision < revision
            """, arguments: [now, record.seriesInstanceUID])
        return .identical
      }
      // In any series: an SOP Instance UID is unique in the world (PS3.3 C.12.1.1.1).
      let isKnown = try exists("sop_uid = ?", [record.sopInstanceUID], db)
      try insert(record, db)
      guard isKnown else { return .added }
      try event(
        db, "conflict", series: record.seriesInstanceUID,
        "instance \(record.sopInstanceUID) came again with other content")
      return .conflicting
    }
  }

  private func insert(_ record: InstanceRecord, _ db: Database) throws {
    if let title = record.callingAETitle {
      try db.execute(
        sql: """
          INSERT INTO peers (ae_title, first_seen, last_seen) VALUES (?1, ?2, ?2)
          ON CONFLICT (ae_title) DO UPDATE SET last_seen = excluded.last_seen
          """, arguments: [title, now])
    }
    try db.execute(
      sql: "INSERT INTO studies (study_uid, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
      arguments: [record.studyInstanceUID, now])
    // A series keeps the study it came with; the geometry gate sees the study of each instance.
    try db.execute(
      sql: """
        INSERT INTO series (series_uid, study_uid, modality, revision, last_received_at)
        VALUES (?, ?, ?, 1, ?)
        ON CONFLICT (series_uid) DO UPDATE SET
          revision = revision + 1, last_received_at = excluded.last_received_at
        """,
      arguments: [record.seriesInstanceUID, record.studyInstanceUID, record.modality, now])
    try db.execute(
      sql: """
        INSERT INTO instances (sop_uid, series_uid, revision, sop_class_uid, transfer_syntax,
          spool_path, byte_count, content_hash, source, calling_ae, received_at)
        SELECT ?, series_uid, revision, ?, ?, ?, ?, ?, ?, ?, ? FROM series WHERE series_uid = ?
        """,
      arguments: [
        record.sopInstanceUID, record.sopClassUID, record.transferSyntaxUID, record.spoolPath,
        record.byteCount, record.contentHash, record.source.rawValue, record.callingAETitle, now,
        record.seriesInstanceUID,
      ])
  }

  /// Where the file of a recorded instance with the same content lies.
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

  /// Takes the file of `record` in the place of the one that was recorded and is lost.
  public func replaceFile(with record: InstanceRecord) throws(LedgerError) {
    try write { db in
      try db.execute(
        sql: """
          UPDATE instances SET spool_path = ?
          WHERE sop_uid = ? AND series_uid = ? AND content_hash = ?
          """,
        arguments: [
          record.spoolPath, record.sopInstanceUID, record.seriesInstanceUID, record.contentHash,
        ])
      try event(
        db, "replaced", series: record.seriesInstanceUID,
        "the lost file of instance \(record.sopInstanceUID) came again")
    }
  }

  /// The spool paths of every instance of a series, in the order of arrival.
  public func spoolPaths(series: String) throws(LedgerError) -> [String] {
    try read { db in
      try String.fetchAll(
        db, sql: "SELECT spool_path FROM instances WHERE series_uid = ? ORDER BY id",
        arguments: [series])
    }
  }

  /// The spool paths of the instances that a job is about, in the order of arrival.
  ///
  /// What arrived after its series was assembled is not among them: that is for the next job.
  public func spoolPaths(job: Int64) throws(LedgerError) -> [String] {
    try read { db in
      try String.fetchAll(
        db,
        sql: """
          SELECT spool_path FROM jobs JOIN instances USING (series_uid)
          WHERE jobs.id = ? AND instances.revision <= jobs.revision ORDER BY instances.id
          """, arguments: [job])
    }
  }

  /// The files of each channel of a job, in the model's order; empty for a job of one series alone.
  ///
  /// As with ``spoolPaths(job:)``, what arrived after the job was made is not among them.
  public func inputs(job: Int64) throws(LedgerError) -> [JobInputFiles] {
    try read { db in
      try Row.fetchAll(
        db, sql: "SELECT * FROM job_inputs WHERE job_id = ? ORDER BY position", arguments: [job]
      ).map { row in
        let series: String = try row.value("series_uid")
        let revision: Int = try row.value("revision")
        return JobInputFiles(
          channel: try row.value("channel"), seriesInstanceUID: series,
          spoolPaths: try String.fetchAll(
            db,
            sql: """
              SELECT spool_path FROM instances WHERE series_uid = ? AND revision <= ? ORDER BY id
              """, arguments: [series, revision]))
      }
    }
  }

  /// Every instance of a series, in the order of arrival.
  public func instances(series: String) throws(LedgerError) -> [InstanceRecord] {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT * FROM instances JOIN series USING (series_uid) WHERE series_uid = ?
          ORDER BY instances.id
          """, arguments: [series]
      ).map {
        InstanceRecord(
          studyInstanceUID: try $0.value("study_uid"),
          seriesInstanceUID: try $0.value("series_uid"),
          sopInstanceUID: try $0.value("sop_uid"), sopClassUID: try $0.value("sop_class_uid"),
          modality: try $0.value("modality"), transferSyntaxUID: try $0.value("transfer_syntax"),
          spoolPath: try $0.value("spool_path"), byteCount: try $0.value("byte_count"),
          contentHash: try $0.value("content_hash"),
          source: InstanceSource(rawValue: try $0.value("source")) ?? .command,
          callingAETitle: try $0.value("calling_ae"))
      }
    }
  }

  /// Whether a spool file is known.
  public func knows(spoolPath: String) throws(LedgerError) -> Bool {
    try read { db in try exists("spool_path = ?", [spoolPath], db) }
  }

  private func exists(_ condition: String, _ arguments: StatementArguments, _ db: Database) throws
    -> Bool
  {
    try Bool.fetchOne(
      db, sql: "SELECT EXISTS (SELECT 1 FROM instances WHERE \(condition))",
      arguments: arguments) ?? false
  }
}
