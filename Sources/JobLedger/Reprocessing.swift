import Foundation
import GRDB

/// A series of a study with the models that its jobs so far were for.
public struct SeriesOfStudy: Sendable, Equatable {
  public var seriesInstanceUID: String
  public var modality: String
  public var models: [String]
}

extension Ledger {
  /// The series of a study, or the one named.
  ///
  /// - Throws: ``LedgerError/unknownStudy(_:)`` or ``LedgerError/unknownSeries(series:study:)``
  ///   when nothing of it was ever received.
  public func series(ofStudy study: String, only series: String? = nil) throws(LedgerError)
    -> [SeriesOfStudy]
  {
    let found = try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT series_uid, modality FROM series
          WHERE study_uid = ?1 AND (?2 IS NULL OR series_uid = ?2) ORDER BY series_uid
          """, arguments: [study, series]
      ).map { row in
        let uid: String = try row.value("series_uid")
        let models = try String.fetchAll(
          db,
          sql: """
            SELECT DISTINCT model FROM jobs WHERE series_uid = ? AND model <> '' ORDER BY model
            """,
          arguments: [uid])
        return SeriesOfStudy(
          seriesInstanceUID: uid, modality: try row.value("modality"), models: models)
      }
    }
    guard found.isEmpty else { return found }
    if let series { throw .unknownSeries(series: series, study: study) }
    throw .unknownStudy(study)
  }

  /// Series of a study of which instances came that have not been assembled, or are still coming.
  public func unassembledSeries(ofStudy study: String) throws(LedgerError) -> [String] {
    try read { db in
      try String.fetchAll(
        db,
        sql: """
          SELECT series_uid FROM series
          WHERE study_uid = ? AND (assembled_revision < revision OR \(Self.isArriving("series")))
          ORDER BY series_uid
          """, arguments: [study])
    }
  }

  /// Makes one more job for a series, whatever became of earlier ones.
  ///
  /// A daemon that has the ledger open runs it. Where images, model and settings are those of the last
  /// result and it is not forced, it comes to that result; else its result supersedes those of earlier
  /// jobs for the same series and model.
  ///
  /// - Parameters:
  ///   - series: Series Instance UID.
  ///   - job: the job.
  ///   - cause: what asks for it.
  /// - Returns: the job's number.
  public func reprocess(series: String, job: NewJob, by cause: EventCause = .person)
    throws(LedgerError) -> Int64
  {
    try write { db in
      try insert(job, series: series, by: cause, db)
    }
  }
}
