import Foundation
import GRDB

/// A job as people and scripts see it.
public struct JobSummary: Sendable, Codable, Equatable {
  public struct Delivery: Sendable, Codable, Equatable {
    public var destination: String
    public var state: String
    public var attempts: Int
    public var lastError: String?
  }

  public var id: Int64
  public var state: String
  public var model: String
  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  public var instances: Int
  public var attempts: Int
  public var createdAt: Date
  public var finishedAt: Date?
  /// Why the job is held, waits for another attempt or was given up.
  public var reason: String?
  /// The segments that were found, of a completed job.
  public var summary: String?
  /// The DICOM SEG's SOP instance UID; nil while there is none.
  public var sopInstanceUID: String?
  /// The number of the job whose result takes this one's place.
  public var supersededBy: Int64?
  public var deliveries: [Delivery]
}

extension JobLedger {
  /// All jobs, or those of one study, in the order in which they were made.
  public func jobs(study: String? = nil) throws(LedgerError) -> [JobSummary] {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT jobs.*, series.study_uid, results.sop_uid, results.summary, results.superseded_by,
            (SELECT count(*) FROM instances WHERE instances.series_uid = jobs.series_uid) AS n
          FROM jobs JOIN series USING (series_uid) LEFT JOIN results ON results.job_id = jobs.id
          WHERE ?1 IS NULL OR series.study_uid = ?1 ORDER BY jobs.id
          """, arguments: [study]
      ).map { try summary($0, db) }
    }
  }

  private func summary(_ row: Row, _ db: Database) throws -> JobSummary {
    let id: Int64 = row["id"]
    let deliveries = try Row.fetchAll(
      db, sql: "SELECT * FROM deliveries WHERE job_id = ? ORDER BY destination", arguments: [id]
    ).map {
      JobSummary.Delivery(
        destination: $0["destination"], state: $0["state"], attempts: $0["attempt_count"],
        lastError: $0["last_error"])
    }
    let finished: Double? = row["finished_at"]
    return JobSummary(
      id: id, state: row["state"], model: row["model"], studyInstanceUID: row["study_uid"],
      seriesInstanceUID: row["series_uid"], instances: row["n"], attempts: row["attempt_count"],
      createdAt: Date(timeIntervalSince1970: row["created_at"]),
      finishedAt: finished.map(Date.init(timeIntervalSince1970:)), reason: row["reason"],
      summary: row["summary"], sopInstanceUID: row["sop_uid"],
      supersededBy: row["superseded_by"], deliveries: deliveries)
  }
}
