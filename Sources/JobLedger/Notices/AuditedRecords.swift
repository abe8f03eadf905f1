import Foundation
import GRDB

/// What the ledger holds for the audit log, since the position that was noted last.
public struct AuditedRecords: Sendable, Equatable {
  /// Instances that went from one application to another.
  public struct Transfer: Sendable, Equatable {
    public enum Stage: Sendable, Equatable {
      case began
      /// With what went wrong, if anything.
      case ended(fault: String?)
    }

    public struct Study: Sendable, Equatable {
      public var studyInstanceUID: String
      /// By SOP class; of a delivery, by kind of object as the ledger names it.
      public var instances: [String: Int]
      /// A file of the study, relative to the state directory.
      public var file: String?
    }

    public var stage: Stage
    public var at: Date
    /// Of a received association.
    public var callingAETitle: String?
    public var calledAETitle: String?
    public var peerAddress: String?
    /// Of a delivery.
    public var destination: String?
    public var studies: [Study]
  }

  /// Something that a person did.
  public struct PersonalAction: Sendable, Equatable {
    public var at: Date
    /// As the event is called.
    public var kind: String
    public var study: String?
    public var job: Int64?
    public var message: String
    /// Their account; nil of events that an older version wrote.
    public var person: String?
  }

  public var transfers: [Transfer]
  public var actions: [PersonalAction]
  public var position: AuditPosition

  /// Whether there was anything since, also if nothing of it is for the audit log.
  public var hasMoved: Bool
}

/// Up to where the audit log has what the ledger holds.
public struct AuditPosition: Sendable, Equatable {
  var event: Int64
  var association: Int64
  var endedAt: Double
  var endedAssociation: Int64
}

extension Ledger {
  private static let auditedAtOnce = 200

  /// What is not in the audit log yet. Nothing of what was before the first call is.
  public func audited() throws(LedgerError) -> AuditedRecords {
    let known = try read { db in try Self.position(db) }
    guard let known else {
      let start = try read { db in
        AuditPosition(
          event: try EventChain.head(db).event,
          association: try Int64.fetchOne(db, sql: "SELECT max(id) FROM associations") ?? 0,
          endedAt: now, endedAssociation: 0)
      }
      try markAudited(start)
      return AuditedRecords(transfers: [], actions: [], position: start, hasMoved: false)
    }
    return try read { db in
      var records = AuditedRecords(
        transfers: [], actions: [], position: known, hasMoved: false)
      try addBegun(to: &records, db)
      try addEnded(to: &records, db)
      try addEvents(to: &records, db)
      records.hasMoved = records.position != known
      return records
    }
  }

  /// What was found is in the audit log.
  public func markAudited(_ position: AuditPosition) throws(LedgerError) {
    try write { db in
      try db.execute(
        sql: "INSERT OR REPLACE INTO audit_position VALUES (1, ?, ?, ?, ?)",
        arguments: [
          position.event, position.association, position.endedAt, position.endedAssociation,
        ])
    }
  }

  private static func position(_ db: Database) throws -> AuditPosition? {
    try Row.fetchOne(db, sql: "SELECT * FROM audit_position").map { row in
      AuditPosition(
        event: try row.value("event_id"), association: try row.value("association_id"),
        endedAt: try row.value("ended_at"), endedAssociation: try row.value("ended_association"))
    }
  }

  private func addBegun(to records: inout AuditedRecords, _ db: Database) throws {
    let rows = try Row.fetchAll(
      db, sql: "SELECT * FROM associations WHERE id > ? ORDER BY id LIMIT \(Self.auditedAtOnce)",
      arguments: [records.position.association])
    for row in rows {
      records.transfers.append(try transfer(row, .began, at: try date(row, "started_at"), db))
      records.position.association = try row.value("id")
    }
  }

  private func addEnded(to records: inout AuditedRecords, _ db: Database) throws {
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT * FROM associations WHERE (ended_at, id) > (?, ?)
        ORDER BY ended_at, id LIMIT \(Self.auditedAtOnce)
        """, arguments: [records.position.endedAt, records.position.endedAssociation])
    for row in rows {
      let outcome: String = try row.value("outcome") ?? ""
      let message: String? = try row.value("message")
      let fault = outcome == AssociationOutcome.released.rawValue ? nil : outcome
      records.transfers.append(
        try transfer(
          row,
          .ended(
            fault: fault.map { ([$0] + [message].compactMap(\.self)).joined(separator: ": ") }),
          at: try date(row, "ended_at"), db))
      records.position.endedAt = try row.value("ended_at")
      records.position.endedAssociation = try row.value("id")
    }
  }

  private func transfer(
    _ row: Row, _ stage: AuditedRecords.Transfer.Stage, at time: Date, _ db: Database
  ) throws -> AuditedRecords.Transfer {
    // The SOP class of a series is that of its instances; `stored` is what came over this association.
    let studies = try Row.fetchAll(
      db,
      sql: """
        SELECT study_uid, series_uid, stored,
          (SELECT sop_class_uid FROM instances WHERE instances.series_uid = series.series_uid
            LIMIT 1) AS sop_class_uid,
          (SELECT spool_path FROM instances WHERE instances.series_uid = series.series_uid
            AND purged_at IS NULL LIMIT 1) AS file
        FROM association_series JOIN series USING (series_uid)
        WHERE association_id = ? ORDER BY study_uid, series_uid
        """, arguments: [try row.value("id") as Int64])
    return AuditedRecords.Transfer(
      stage: stage, at: time, callingAETitle: try row.value("calling_ae"),
      calledAETitle: try row.value("called_ae"), peerAddress: try row.value("peer_address"),
      destination: nil, studies: try Self.studies(studies))
  }

  private static func studies(_ rows: [Row]) throws -> [AuditedRecords.Transfer.Study] {
    var studies: [AuditedRecords.Transfer.Study] = []
    for row in rows {
      let uid: String = try row.value("study_uid")
      if studies.last?.studyInstanceUID != uid {
        studies.append(
          .init(studyInstanceUID: uid, instances: [:], file: try row.value("file")))
      }
      guard let sopClass: String = try row.value("sop_class_uid") else { continue }
      studies[studies.count - 1].instances[sopClass, default: 0] += try row.value("stored")
    }
    return studies
  }

  private func addEvents(to records: inout AuditedRecords, _ db: Database) throws {
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT events.id, at, kind, cause, message, job_id, study_uid
        FROM events LEFT JOIN jobs ON jobs.id = job_id
          LEFT JOIN series ON series.series_uid = ifnull(events.series_uid, jobs.series_uid)
        WHERE events.id > ? ORDER BY events.id LIMIT \(Self.auditedAtOnce)
        """, arguments: [records.position.event])
    for row in rows {
      let (kind, cause): (String, String?) = (try row.value("kind"), try row.value("cause"))
      let time = Date(timeIntervalSince1970: try row.value("at"))
      if cause == EventCause.person.rawValue {
        let (message, person) = EventPerson.parts(of: try row.value("message"))
        records.actions.append(
          .init(
            at: time, kind: kind, study: try row.value("study_uid"),
            job: try row.value("job_id"), message: message, person: person))
      } else if let transfer = try delivery(row, kind, at: time, db) {
        records.transfers.append(transfer)
      }
      records.position.event = try row.value("id")
    }
  }

  /// Of an event that says how an attempt to deliver ended: "to DESTINATION" and what else there is to say.
  private func delivery(_ row: Row, _ kind: String, at time: Date, _ db: Database) throws
    -> AuditedRecords.Transfer?
  {
    guard ["sent", "delivered", "not delivered", "delivery held"].contains(kind),
      let job: Int64 = try row.value("job_id")
    else { return nil }
    let message: String = try row.value("message")
    let deliveries = try Row.fetchAll(
      db, sql: "SELECT id, destination FROM deliveries WHERE job_id = ?", arguments: [job])
    // A name may contain whatever separates it from what follows: the longest one that fits.
    let names = try deliveries.map { try $0.value("destination") as String }
    let name = names.filter { message.hasPrefix("to \($0)") }.max { $0.count < $1.count }
    // What is proved later was sent before.
    guard let name, kind != "delivered" || !message.hasPrefix("to \(name), ") else { return nil }
    let isSent = kind == "sent" || kind == "delivered"
    let fault = isSent ? nil : String(message.dropFirst("to \(name): ".count))
    return try deliveryTransfer(job: job, name, .ended(fault: fault), at: time, db)
  }

  /// The objects of a result by kind; what a destination does not take is among them.
  func deliveryTransfer(
    job: Int64, _ destination: String, _ stage: AuditedRecords.Transfer.Stage, at time: Date,
    _ db: Database
  ) throws -> AuditedRecords.Transfer? {
    let row = try Row.fetchOne(
      db,
      sql: """
        SELECT study_uid, (SELECT spool_path FROM instances
          WHERE instances.series_uid = series.series_uid AND purged_at IS NULL LIMIT 1) AS file
        FROM jobs JOIN series USING (series_uid) WHERE jobs.id = ?
        """, arguments: [job])
    guard let row else { return nil }
    let kinds = try String.fetchAll(
      db,
      sql: """
        SELECT kind FROM delivery_objects
          JOIN deliveries ON deliveries.id = delivery_id
          JOIN result_objects USING (sop_uid)
        WHERE deliveries.job_id = ? AND destination = ?
        """, arguments: [job, destination])
    return AuditedRecords.Transfer(
      stage: stage, at: time, destination: destination,
      studies: [
        .init(
          studyInstanceUID: try row.value("study_uid"),
          instances: Dictionary(kinds.map { ($0, 1) }, uniquingKeysWith: +),
          file: try row.value("file"))
      ])
  }
}
