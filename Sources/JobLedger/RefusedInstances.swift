import Clocks
import Cryptography
import Foundation
import GRDB

/// An instance that was offered and not taken, as far as it can be told which one it is.
public struct RefusedInstance: Sendable, Codable, Equatable {
  /// From the command set (PS3.7 9.3.1) or the dataset; nil where neither says.
  public var sopInstanceUID: String?
  public var sopClassUID: String?
  /// From what can be read of the dataset.
  public var seriesInstanceUID: String?
  public var studyInstanceUID: String?
  public var modality: String?
  public var transferSyntaxUID: String?
  /// The DIMSE status of the C-STORE response; nil where none was sent.
  public var status: UInt16?
  /// What is wrong with it, without patient data.
  public var reason: String
  public var source: InstanceSource
  /// The path of a file of a watch folder, which may name a patient: for an administrator at a terminal alone.
  public var file: String?

  public init(reason: String, source: InstanceSource) {
    self.reason = reason
    self.source = source
  }
}

/// A refused instance as the ledger keeps it.
public struct RefusalRecord: Sendable, Codable, Equatable {
  public enum Resolution: String, Sendable, Codable {
    /// The instance arrived whole.
    case received
    /// A person decided that the series is processed without it.
    case released
  }

  public var instance: RefusedInstance
  public var callingAETitle: String?
  public var peerAddress: String?
  public var firstAt: Date
  public var lastAt: Date
  /// How many times it was refused.
  public var count: Int
  /// Nil while the instance is missing.
  public var resolution: Resolution?
  public var resolvedAt: Date?
}

extension Ledger {
  /// Records a refused instance; the same one again is counted.
  ///
  /// The series that lacks it is assembled again, to be held with the instance named: the one that
  /// the dataset names, or, where that cannot be read, those of the same study and those that came
  /// over the same association. An instance that was received whole before is not missing.
  ///
  /// - Parameters:
  ///   - refusal: the instance, as far as it could be identified.
  ///   - association: the association that it came over; nil for a file of a watch folder.
  ///   - time: when the instance began to come; nil for now.
  public func recordRefusal(
    _ refusal: RefusedInstance, association: ReceivingAssociation? = nil, at time: SteadyTime? = nil
  ) throws(LedgerError) {
    try write(patience: intakePatience) { db in
      try record(refusal, association: association, at: time, db)
    }
  }

  func record(
    _ refusal: RefusedInstance, association: ReceivingAssociation? = nil,
    at time: SteadyTime? = nil,
    _ db: Database
  ) throws {
    let id = try association.map {
      try count(
        $0, series: refusal.seriesInstanceUID, refused: 1,
        at: self.time(time), db)
    }
    try logHandover(refusal, association: id, beganAt: time.map { self.time($0) }, db)
    if try countAgain(refusal, association: id, db) { return }
    let isWhole =
      try refusal.sopInstanceUID.map {
        try Bool.fetchOne(
          db, sql: "SELECT EXISTS (SELECT 1 FROM instances WHERE sop_uid = ?)", arguments: [$0])
          ?? false
      } ?? false
    if !isWhole { try addSeries(of: refusal, db) }
    let row = try insert(refusal, association, id, isWhole: isWhole, db)
    guard !isWhole else { return }
    for series in try seriesConcerned(byRefusal: row, db) {
      try db.execute(
        sql: """
          UPDATE series SET revision = revision + 1, last_received_at = ? WHERE series_uid = ?
          """, arguments: [now, series])
      try event(db, "refused", by: refusal.cause, series: series, refusal.line)
    }
  }

  /// - Returns: whether the same refusal is there already.
  private func countAgain(_ refusal: RefusedInstance, association: Int64?, _ db: Database) throws
    -> Bool
  {
    try db.execute(
      sql: """
        UPDATE refused_instances
        SET count = count + 1, last_at = ?1, status = ?2, reason = ?3, association_id = ?4
        WHERE file IS ?5 AND sop_uid IS ?6 AND series_uid IS ?7
          AND (file IS NOT NULL OR sop_uid IS NOT NULL AND resolved_at IS NULL)
          AND (series_uid IS NOT NULL OR association_id IS ?4)
        """,
      arguments: [
        now, refusal.status.map { Int($0) }, refusal.reason, association, refusal.file,
        refusal.sopInstanceUID, refusal.seriesInstanceUID,
      ])
    return db.changesCount > 0
  }

  private func insert(
    _ refusal: RefusedInstance, _ association: ReceivingAssociation?, _ id: Int64?, isWhole: Bool,
    _ db: Database
  ) throws -> Int64 {
    try db.execute(
      sql: """
        INSERT INTO refused_instances (first_at, last_at, sop_uid, sop_class_uid, series_uid,
          study_uid, modality, transfer_syntax, status, reason, source, calling_ae, peer_address,
          association_id, file, resolved_at, resolution)
        VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
        """,
      arguments: [
        now, refusal.sopInstanceUID, refusal.sopClassUID, refusal.seriesInstanceUID,
        refusal.studyInstanceUID, refusal.modality, refusal.transferSyntaxUID,
        refusal.status.map { Int($0) }, refusal.reason, refusal.source.rawValue,
        association?.callingAETitle, association?.peerAddress, id, refusal.file,
        isWhole ? now : nil, isWhole ? RefusalRecord.Resolution.received.rawValue : nil,
      ])
    return db.lastInsertedRowID
  }

  /// A series of refused instances alone is held too, and listed.
  private func addSeries(of refusal: RefusedInstance, _ db: Database) throws {
    guard let series = refusal.seriesInstanceUID, let study = refusal.studyInstanceUID else {
      return
    }
    try db.execute(
      sql: "INSERT INTO studies (study_uid, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
      arguments: [study, now])
    try db.execute(
      sql: """
        INSERT INTO series (series_uid, study_uid, modality, last_received_at) VALUES (?, ?, ?, ?)
        ON CONFLICT DO NOTHING
        """, arguments: [series, study, refusal.modality ?? "", now])
  }
}

extension RefusedInstance {
  /// Refused Out of Resources (PS3.4 B.2.3) says that it was for want of something here.
  var cause: EventCause { (0xA700...0xA7FF).contains(status ?? 0) ? .fault : .peer }

  /// The hash of the path of a file of a watch folder, where that is what ``file`` is not already.
  fileprivate var hashedFile: String? { file.map { $0.hasPrefix("/") ? hashedFileName($0) : $0 } }

  /// Which instance, the status and why: "1.2.3 refused with 0xC000: …". Of a file of a watch folder the hash of
  /// its path.
  public var line: String {
    let name = sopInstanceUID ?? hashedFile ?? "an instance without SOP Instance UID"
    let status = status.map { " with 0x" + String(format: "%04X", $0) } ?? ""
    return "\(name) refused\(status): \(reason)"
  }
}

extension RefusalRecord {
  /// With the hash of the path of a file of a watch folder in place of the path, which may name a patient.
  public var withoutFile: RefusalRecord {
    var record = self
    record.instance.file = instance.hashedFile
    return record
  }
}

extension JobSummary {
  /// With hashes in place of the paths of files of watch folders, which may name a patient.
  public var withoutFiles: JobSummary {
    var job = self
    job.refusedInstances = refusedInstances.map(\.withoutFile)
    return job
  }
}
