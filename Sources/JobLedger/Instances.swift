import Foundation
import GRDB

/// Where an instance came from.
public enum InstanceSource: String, Sendable, Codable { case listener, watch, command }

/// A received instance as the ledger keeps it.
public struct InstanceRecord: Sendable, Equatable {
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
  /// The same SOP instance UID is there with other content; both are kept and judged together.
  case conflicting
}

extension JobLedger {
  /// Records an instance whose file is on disk.
  public func recordInstance(_ record: InstanceRecord) throws(LedgerError) -> InstanceOutcome {
    try write { db in
      let known = try String.fetchAll(
        db, sql: "SELECT content_hash FROM instances WHERE sop_uid = ? AND series_uid = ?",
        arguments: [record.sopInstanceUID, record.seriesInstanceUID])
      if known.contains(record.contentHash) { return .identical }
      try insert(record, db)
      guard !known.isEmpty else { return .added }
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
        INSERT INTO instances (sop_uid, series_uid, sop_class_uid, transfer_syntax, spool_path,
          byte_count, content_hash, source, calling_ae, received_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        record.sopInstanceUID, record.seriesInstanceUID, record.sopClassUID,
        record.transferSyntaxUID, record.spoolPath, record.byteCount, record.contentHash,
        record.source.rawValue, record.callingAETitle, now,
      ])
  }

  /// The spool paths of every instance of a series, in the order of arrival.
  public func spoolPaths(series: String) throws(LedgerError) -> [String] {
    try read { db in
      try String.fetchAll(
        db, sql: "SELECT spool_path FROM instances WHERE series_uid = ? ORDER BY id",
        arguments: [series])
    }
  }

  /// Whether a spool file is known.
  public func knows(spoolPath: String) throws(LedgerError) -> Bool {
    try read { db in
      try Bool.fetchOne(
        db, sql: "SELECT EXISTS (SELECT 1 FROM instances WHERE spool_path = ?)",
        arguments: [spoolPath]) ?? false
    }
  }
}
