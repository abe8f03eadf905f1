import Clocks
import Foundation
import GRDB

/// Where an instance came from.
public enum InstanceSource: String, Sendable, Codable {
  case listener, watch, command

  var cause: EventCause { self == .command ? .program : .peer }
}

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
  /// Whether retention has removed its file, so that it has to come again to be used.
  public var isPurged = false

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
  /// The same SOP Instance UID is there with other content, as after a correction. Both are kept;
  /// within a series the new one replaces the earlier one, with which its pixels are compared.
  case conflicting
  /// A version of the instance that a later one had replaced came again: it counts again, and the
  /// new file is not needed.
  case restored
}

extension Ledger {
  /// Records an instance whose file is on disk; when this returns, a loss of power does not undo it.
  ///
  /// The same record again changes no instance, but it holds back a series that is not assembled
  /// yet: a sender that was interrupted and starts over has more to send. Of several versions of one
  /// instance the one that was received last counts, whichever it is. A refusal of the instance
  /// before is resolved.
  ///
  /// - Parameters:
  ///   - record: the instance.
  ///   - association: the one that it came over, which the first instance of it records.
  ///   - time: when the instance began to come over it; nil for now.
  ///   - file: the file of a watch folder that it is from.
  public func recordInstance(
    _ record: InstanceRecord, association: ReceivingAssociation? = nil,
    beganAt time: SteadyTime? = nil,
    file: String? = nil
  ) throws(LedgerError) -> InstanceOutcome {
    try beginRecording(record, association: association, beganAt: time, file: file).wait()
  }

  /// The same without waiting for the disk, for whoever has something else to sync meanwhile.
  ///
  /// - Parameters:
  ///   - record: the instance.
  ///   - association: the one that it came over, which the first instance of it records.
  ///   - time: when the instance began to come over it; nil for now.
  ///   - file: the file of a watch folder that it is from.
  public func beginRecording(
    _ record: InstanceRecord, association: ReceivingAssociation? = nil,
    beganAt time: SteadyTime? = nil,
    file: String? = nil
  ) -> PendingCommit<InstanceOutcome> {
    submit(patience: intakePatience) { [self] db in
      try self.record(record, association: association, beganAt: time, file: file, db)
    }
  }

  func record(
    _ record: InstanceRecord, association: ReceivingAssociation?, beganAt time: SteadyTime?,
    file: String?, _ db: Database
  ) throws -> InstanceOutcome {
    let outcome = try add(record, db)
    let id = try association.map {
      try count($0, series: record.seriesInstanceUID, stored: 1, at: self.time(time), db)
    }
    try resolveRefusals(of: record, file: file, db)
    try logHandover(
      record, association: id, beganAt: time.map { self.time($0) }, file: file, db)
    return outcome
  }

  private func add(_ record: InstanceRecord, _ db: Database) throws -> InstanceOutcome {
    // In any series: an SOP Instance UID is unique in the world (PS3.3 C.12.1.1.1). Null where it is
    // not known.
    let isIdentical = try Bool.fetchOneCached(
      db,
      sql: """
        SELECT max(series_uid = ? AND content_hash = ?) FROM instances WHERE sop_uid = ?
        """, arguments: [record.seriesInstanceUID, record.contentHash, record.sopInstanceUID])
    if isIdentical == true {
      guard try !isCurrent(record, db) else {
        try db.execute(
          sql: """
            UPDATE series SET last_received_at = ?
            WHERE series_uid = ? AND assembled_revision < revision
            """, arguments: [now, record.seriesInstanceUID])
        return .identical
      }
      try restore(record, db)
      return .restored
    }
    try insert(record, db)
    guard isIdentical != nil else { return .added }
    try event(
      db, "conflict", by: record.source.cause, series: record.seriesInstanceUID,
      "instance \(record.sopInstanceUID) came again with other content")
    return .conflicting
  }

  /// Whether no other version of the instance was received after this one.
  private func isCurrent(_ record: InstanceRecord, _ db: Database) throws -> Bool {
    try String.fetchOne(
      db,
      sql: """
        SELECT content_hash FROM instances WHERE sop_uid = ? AND series_uid = ?
        ORDER BY ifnull(restored_revision, revision) DESC LIMIT 1
        """, arguments: [record.sopInstanceUID, record.seriesInstanceUID]) == record.contentHash
  }

  /// Makes an earlier version the one that was received last, for jobs that are made from now on.
  private func restore(_ record: InstanceRecord, _ db: Database) throws {
    try touchSeries(record, db)
    try db.execute(
      sql: """
        UPDATE instances SET received_at = ?, restored_revision =
          (SELECT revision FROM series WHERE series_uid = instances.series_uid)
        WHERE sop_uid = ? AND series_uid = ? AND content_hash = ?
        """,
      arguments: [now, record.sopInstanceUID, record.seriesInstanceUID, record.contentHash])
    try event(
      db, "restored", by: record.source.cause, series: record.seriesInstanceUID,
      "instance \(record.sopInstanceUID) came again as it was before it was replaced")
  }

  private func insert(_ record: InstanceRecord, _ db: Database) throws {
    if let title = record.callingAETitle {
      try db.executeCached(
        sql: """
          INSERT INTO peers (ae_title, first_seen, last_seen) VALUES (?1, ?2, ?2)
          ON CONFLICT (ae_title) DO UPDATE SET last_seen = excluded.last_seen
          """, arguments: [title, now])
    }
    try touchSeries(record, db)
    try db.executeCached(
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

  /// Makes the series of an instance where it is new, else begins its next revision and a whole quiet
  /// period.
  func touchSeries(_ record: InstanceRecord, _ db: Database) throws {
    try db.executeCached(
      sql: "INSERT INTO studies (study_uid, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
      arguments: [record.studyInstanceUID, now])
    // A series keeps the study it came with, unless an archive moves it: then instances that are
    // known come again with another study. The geometry gate sees the study of each instance.
    try db.executeCached(
      sql: """
        INSERT INTO series (series_uid, study_uid, modality, revision, last_received_at)
        VALUES (?1, ?2, ?3, 1, ?4)
        ON CONFLICT (series_uid) DO UPDATE SET
          revision = revision + 1, last_received_at = excluded.last_received_at,
          purged_at = NULL,
          modality = iif(modality = '', excluded.modality, modality),
          study_uid = iif(
            EXISTS (SELECT 1 FROM instances WHERE sop_uid = ?5 AND series_uid = ?1),
            excluded.study_uid, study_uid)
        """,
      arguments: [
        record.seriesInstanceUID, record.studyInstanceUID, record.modality, now,
        record.sopInstanceUID,
      ])
  }
}
