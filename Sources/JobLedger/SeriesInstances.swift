import Foundation
import GRDB

/// The instances of a series as they count for a job, each in the version that was received last.
public struct SeriesInstances: Sendable, Equatable {
  public var seriesInstanceUID: String
  /// One for each SOP Instance UID, in the order of receipt.
  public var current: [InstanceRecord]
  /// Earlier versions of these, which came again with other content, as far as their files are kept.
  public var replaced: [InstanceRecord]

  /// Every file, also those of replaced versions.
  public var all: [InstanceRecord] { replaced + current }
}

/// The series of one channel of a job.
public struct JobChannel: Sendable, Equatable {
  public var name: String
  public var instances: SeriesInstances
}

extension Ledger {
  /// The instances of a series, as far as they have come.
  public func instances(series: String) throws(LedgerError) -> SeriesInstances {
    try read { db in try instances(series, upTo: Int.max, db) }
  }

  /// The instances that a job is about.
  ///
  /// What arrived after its series was assembled is not among them: that is for the next job.
  ///
  /// - Throws: ``LedgerError/unknownJob(_:)``
  public func instances(job: Int64) throws(LedgerError) -> SeriesInstances {
    try read { db in
      let row = try Row.fetchOne(
        db, sql: "SELECT series_uid, revision FROM jobs WHERE id = ?", arguments: [job])
      guard let row else { throw LedgerError.unknownJob(job) }
      return try instances(try row.value("series_uid"), upTo: try row.value("revision"), db)
    }
  }

  /// The channels of a job, in the model's order; empty for a job of one series alone.
  ///
  /// As with ``instances(job:)``, what arrived after the job was made is not among them.
  public func channels(job: Int64) throws(LedgerError) -> [JobChannel] {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT * FROM job_inputs WHERE job_id = ? AND role = 'channel' ORDER BY position
          """, arguments: [job]
      ).map { row in
        JobChannel(
          name: try row.value("channel"),
          instances: try instances(
            try row.value("series_uid"), upTo: try row.value("revision"), db))
      }
    }
  }

  /// The further series of the stack that a job is about; empty for a job of a series by itself.
  ///
  /// As with ``instances(job:)``, what arrived after the job was made is not among them.
  public func stackedSeries(job: Int64) throws(LedgerError) -> [SeriesInstances] {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT * FROM job_inputs WHERE job_id = ? AND role = 'stack' ORDER BY position
          """, arguments: [job]
      ).map { row in
        try instances(try row.value("series_uid"), upTo: try row.value("revision"), db)
      }
    }
  }

  /// The revision of a series grows with each receipt, so that it gives their order; what was
  /// received after the given one has not happened yet.
  private func instances(_ series: String, upTo revision: Int, _ db: Database) throws
    -> SeriesInstances
  {
    var found = SeriesInstances(seriesInstanceUID: series, current: [], replaced: [])
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT *, receipt = max(receipt) OVER (PARTITION BY sop_uid) AS is_current FROM (
          SELECT instances.*, series.study_uid, series.modality,
            iif(restored_revision <= ?2, restored_revision, instances.revision) AS receipt
          FROM instances JOIN series USING (series_uid)
          WHERE series_uid = ?1 AND instances.revision <= ?2)
        ORDER BY receipt
        """, arguments: [series, revision])
    for row in rows {
      let record = try InstanceRecord(row)
      if try row.value("is_current") {
        found.current.append(record)
      } else if !record.isPurged {
        found.replaced.append(record)
      }
    }
    return found
  }
}
