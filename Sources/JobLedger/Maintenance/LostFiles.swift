import Foundation
import GRDB

extension Schema {
  /// Instances whose file is lost.
  static let lostFiles = """
    -- When the file of an instance was found to be missing or changed; null once it came again.
    ALTER TABLE instances ADD COLUMN lost_at REAL;
    CREATE INDEX instances_lost ON instances (series_uid) WHERE lost_at IS NOT NULL;
    """
}

extension Ledger {
  /// Notes that files of instances are missing or are not what was received: jobs of their series that
  /// wait are held with the reason, until the instances come again.
  ///
  /// What is completed stays as it is.
  ///
  /// - Parameter records: the instances.
  /// - Returns: the series of these that were not marked before, and how many instances of each.
  public func markLost(_ records: [InstanceRecord]) throws(LedgerError) -> [String: Int] {
    try write { db in
      var marked: [String: [String]] = [:]
      for record in records {
        try db.executeCached(
          sql: "UPDATE instances SET lost_at = ? WHERE spool_path = ? AND lost_at IS NULL",
          arguments: [now, record.spoolPath])
        if db.changesCount > 0 {
          marked[record.seriesInstanceUID, default: []].append(record.sopInstanceUID)
        }
      }
      for (series, instances) in marked.sorted(by: { $0.key < $1.key }) {
        let reason = Self.lostReason(instances)
        try event(db, "lost", by: .fault, series: series, reason)
        try holdWaiting(series: series, reason, db)
      }
      return marked.mapValues(\.count)
    }
  }

  private func holdWaiting(series: String, _ reason: String, _ db: Database) throws {
    let waiting = try Int64.fetchAll(
      db,
      sql: """
        SELECT id FROM jobs WHERE state IN ('available', 'retryable') AND (series_uid = ?1
          OR EXISTS (SELECT 1 FROM job_inputs WHERE job_id = jobs.id AND job_inputs.series_uid = ?1))
        """, arguments: [series])
    for id in waiting {
      let job = try end(id, from: Self.waitingStates, as: "held", message: reason, db)
      try event(db, "held", by: .fault, series: job.series, job: id, reason)
    }
  }

  /// Takes back that the files of instances are lost: they are there again as they were received.
  public func markFound(_ records: [InstanceRecord]) throws(LedgerError) {
    try write { db in
      for record in records {
        try db.execute(
          sql: "UPDATE instances SET lost_at = NULL WHERE spool_path = ? AND lost_at IS NOT NULL",
          arguments: [record.spoolPath])
        guard db.changesCount > 0 else { continue }
        try event(
          db, "found", by: .person, series: record.seriesInstanceUID,
          "the file of instance \(record.sopInstanceUID) is there again")
        if try isHeld(record.seriesInstanceUID, db) { try touchSeries(record, db) }
        try reopenIfComplete(record.seriesInstanceUID, db)
      }
    }
  }

  /// Instances whose file is marked as lost.
  public func lostInstances() throws(LedgerError) -> [InstanceRecord] {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT instances.*, study_uid, modality FROM instances INDEXED BY instances_lost
            JOIN series USING (series_uid)
          WHERE lost_at IS NOT NULL ORDER BY instances.id
          """
      ).map(InstanceRecord.init)
    }
  }

  /// SOP Instance UIDs of a series whose current version has lost its file.
  func lostInstances(of series: String, _ db: Database) throws -> [String] {
    try String.fetchAll(
      db,
      sql: """
        SELECT sop_uid FROM instances AS lost WHERE series_uid = ? AND lost_at IS NOT NULL
        ORDER BY id
        """, arguments: [series])
  }

  static func lostReason(_ instances: [String]) -> String {
    let named = instances.prefix(3).joined(separator: ", ")
    let more = instances.count > 3 ? " and \(instances.count - 3) more" : ""
    let what =
      instances.count == 1
      ? "the file of 1 instance is" : "the files of \(instances.count) instances are"
    return "\(what) lost or damaged here, send the series again: \(named)\(more)"
  }

  /// SOP Instance UIDs of a series whose current version was purged.
  func purgedInstances(of series: String, _ db: Database) throws -> [String] {
    try String.fetchAll(
      db,
      sql: """
        SELECT sop_uid FROM instances AS purged WHERE series_uid = ?1 AND purged_at IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM instances AS later
            WHERE later.sop_uid = purged.sop_uid AND later.series_uid = ?1
              AND ifnull(later.restored_revision, later.revision)
                > ifnull(purged.restored_revision, purged.revision))
        ORDER BY id
        """, arguments: [series])
  }

  static func purgedReason(_ instances: [String]) -> String {
    let what =
      instances.count == 1
      ? "the original of 1 instance was" : "the originals of \(instances.count) instances were"
    return
      "\(what) purged here (\(instances[0])\(instances.count > 1 ? ", …" : "")): send the series "
      + "again, or retrieve it with segmentd fetch"
  }

  /// The next recorded instances whose file is kept, for whoever looks at all of them.
  ///
  /// - Parameters:
  ///   - id: of the last one before; 0 for the first.
  ///   - count: how many at most.
  /// - Returns: each with its number in the table.
  public func recordedInstances(after id: Int64, count: Int) throws(LedgerError)
    -> [(id: Int64, record: InstanceRecord)]
  {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT instances.*, study_uid, modality FROM instances JOIN series USING (series_uid)
          WHERE instances.id > ? AND instances.purged_at IS NULL ORDER BY instances.id LIMIT ?
          """, arguments: [id, count]
      ).map { (try $0.value("id"), try InstanceRecord($0)) }
    }
  }
}
