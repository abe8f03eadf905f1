import Foundation
import GRDB

/// A study as a list shows it.
public struct StudySummary: Sendable, Codable, Equatable {
  public var studyInstanceUID: String
  public var series: Int
  /// Each once.
  public var modalities: [String]
  /// When its last instance came, or its files were last assembled anew.
  public var lastReceivedAt: Date
  /// Whether a series of it has not been assembled yet.
  public var isArriving: Bool
  /// In the order in which they were made.
  public var jobs: [JobSummary]
}

extension Ledger {
  /// Studies with their jobs, the one that came last first.
  ///
  /// - Parameters:
  ///   - since: only those of which something came after that, and is not purged.
  ///   - uid: only the study of this Study or Series Instance UID.
  ///   - limit: how many at most.
  ///   - offset: how many of the first are left out.
  public func studies(
    since: Date? = nil, uid: String? = nil, limit: Int, offset: Int = 0
  ) throws(LedgerError) -> [StudySummary] {
    try read { db in
      let rows =
        if let uid {
          try Row.fetchAll(db, sql: StudyListQueries.one, arguments: [uid])
        } else if let since {
          try Row.fetchAll(
            db, sql: StudyListQueries.recent, arguments: [time(of: since), limit, offset])
        } else {
          try Row.fetchAll(db, sql: StudyListQueries.all, arguments: [limit, offset])
        }
      return try rows.map { row in
        let study: String = try row.value("study_uid")
        let jobs = try Int64.fetchAll(db, sql: StudyListQueries.jobs, arguments: [study])
        let modalities: String = try row.value("modalities")
        return StudySummary(
          studyInstanceUID: study, series: try row.value("n"),
          modalities: modalities.split(separator: ",").map(String.init).sorted(),
          lastReceivedAt: try date(row, "last_at"), isArriving: try row.value("is_arriving"),
          jobs: try summaries(jobs, db).map(\.withoutFiles))
      }
    }
  }

  /// Changes whenever something happens or an instance comes.
  public func lastChange() throws(LedgerError) -> Int64 {
    try read { db in
      let event = try Int64.fetchOne(db, sql: "SELECT max(id) FROM events") ?? 0
      return try Int64.fetchOne(db, sql: "SELECT max(id) FROM instances").map { event + $0 }
        ?? event
    }
  }

  /// Where the instances of a study are, an instance of each series: below the state directory.
  ///
  /// - Parameters:
  ///   - study: Study Instance UID.
  ///   - everyInstance: all instances.
  public func files(ofStudy study: String, everyInstance: Bool = false) throws(LedgerError)
    -> [String]
  {
    try read { db in
      try String.fetchAll(
        db, sql: everyInstance ? StudyListQueries.files : StudyListQueries.firstFiles,
        arguments: [study])
    }
  }
}

enum StudyListQueries {
  private static let columns = """
    SELECT study_uid, count(*) AS n, group_concat(DISTINCT modality) AS modalities,
      max(last_received_at) AS last_at, max(assembled_revision < revision) AS is_arriving FROM series
    """

  static let recent = """
    \(columns) WHERE study_uid IN (SELECT study_uid FROM series INDEXED BY series_kept
      WHERE purged_at IS NULL AND last_received_at > ?)
    GROUP BY study_uid ORDER BY last_at DESC LIMIT ? OFFSET ?
    """

  static let all = "\(columns) GROUP BY study_uid ORDER BY last_at DESC LIMIT ? OFFSET ?"

  static let one = """
    \(columns) WHERE study_uid IN (SELECT ?1 UNION SELECT study_uid FROM series WHERE series_uid = ?1)
    GROUP BY study_uid
    """

  static let jobs = """
    SELECT jobs.id FROM series JOIN jobs USING (series_uid) WHERE study_uid = ? ORDER BY jobs.id
    """

  static let files = """
    SELECT spool_path FROM series JOIN instances USING (series_uid)
    WHERE study_uid = ? AND instances.purged_at IS NULL AND lost_at IS NULL ORDER BY instances.id
    """

  static let firstFiles = """
    SELECT min(spool_path) FROM series JOIN instances USING (series_uid)
    WHERE study_uid = ? AND instances.purged_at IS NULL AND lost_at IS NULL
    GROUP BY series_uid ORDER BY min(instances.id)
    """
}
