import Foundation
import GRDB

/// How far a structure of ours and one of somebody else's agree.
public struct ComparisonScore: Sendable, Codable, Equatable {
  /// As the model calls it.
  public var segment: String
  public var dice: Double
  /// In mm; nil where one of the two is empty.
  public var hd95: Double?
  public var ourMillilitres: Double
  public var theirMillilitres: Double

  public init(
    segment: String, dice: Double, hd95: Double?, ourMillilitres: Double, theirMillilitres: Double
  ) {
    self.segment = segment
    self.dice = dice
    self.hd95 = hd95
    self.ourMillilitres = ourMillilitres
    self.theirMillilitres = theirMillilitres
  }
}

/// A result compared with a segmentation that somebody else made of the same series.
public struct Comparison: Sendable, Codable, Equatable {
  public var at: Date
  public var job: Int64
  public var model: String
  public var modelVersion: String
  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  /// Maker and model.
  public var scanner: String
  /// Of their object.
  public var sopInstanceUID: String
  /// The program that made it, as it says.
  public var madeWith: String
  /// Relative to the state directory.
  public var spoolPath: String
  /// Why they could not be compared.
  public var fault: String?
  public var scores: [ComparisonScore]
}

extension Ledger {
  /// Notes that a comparison begins, so that one that ends the program is not begun again.
  public func beginComparison(_ due: DueComparison) throws(LedgerError) {
    try write { db in
      try db.execute(
        sql: """
          INSERT OR IGNORE INTO comparisons (instance_id, job_id, scanner, fault, compared_at)
          VALUES (?, ?, '', ?, ?)
          """, arguments: [due.external.instance, due.job, Self.unfinishedComparison, now])
    }
  }

  static let unfinishedComparison = "the program ended while they were compared"
  /// Seconds for which one that has begun may be going on.
  static let longestComparison = 3600.0

  /// Forgets that a comparison began: what hindered it passes.
  public func abandonComparison(_ due: DueComparison) throws(LedgerError) {
    try write { db in
      try db.execute(
        sql: "DELETE FROM comparisons WHERE instance_id = ? AND job_id = ?",
        arguments: [due.external.instance, due.job])
    }
  }

  /// Writes how far a result agrees with a segmentation of somebody else, or why that cannot be told.
  public func record(
    _ due: DueComparison, scanner: String, scores: [ComparisonScore], fault: String? = nil
  ) throws(LedgerError) {
    try write { db in
      let id = try Int64.fetchOne(
        db,
        sql: """
          UPDATE comparisons SET scanner = ?, fault = ?, compared_at = ?
          WHERE instance_id = ? AND job_id = ? RETURNING id
          """, arguments: [scanner, fault, now, due.external.instance, due.job])
      // The instance was withdrawn meanwhile.
      guard let id else { return }
      for (position, score) in scores.enumerated() {
        try db.execute(
          sql: "INSERT INTO comparison_scores VALUES (?, ?, ?, ?, ?, ?, ?)",
          arguments: [
            id, position, score.segment, score.dice, score.hd95, score.ourMillilitres,
            score.theirMillilitres,
          ])
      }
      let told =
        fault.map { "cannot be compared: \($0)" }
        ?? scores.map { String(format: "%@ Dice %.3f", $0.segment, $0.dice) }.joined(
          separator: ", ")
      try event(
        db, "compared", by: .program, series: due.seriesInstanceUID, job: due.job,
        "with segmentation \(due.external.sopInstanceUID) of others: \(told)")
    }
  }

  /// Comparisons with the versions that count of segmentations of others, the oldest first.
  ///
  /// - Parameters:
  ///   - model: of this model; nil for all.
  ///   - since: made at this time or later; nil for all.
  public func comparisons(model: String? = nil, since: Date? = nil) throws(LedgerError)
    -> [Comparison]
  {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT comparisons.*, model, model_version, series.study_uid, jobs.series_uid, instances.sop_uid,
            made_with, spool_path
          FROM comparisons
          JOIN jobs ON jobs.id = comparisons.job_id JOIN results USING (job_id)
          JOIN series ON series.series_uid = jobs.series_uid
          JOIN external_segmentations USING (instance_id)
          JOIN instances ON instances.id = comparisons.instance_id
          WHERE (?1 IS NULL OR model = ?1) AND (?2 IS NULL OR compared_at >= ?2)
            AND (comparisons.fault IS NOT ?3 OR compared_at < ?4)
            AND NOT EXISTS (
              SELECT 1 FROM instances AS later WHERE later.series_uid = instances.series_uid
                AND later.sop_uid = instances.sop_uid AND later.revision > instances.revision)
          ORDER BY compared_at, comparisons.id
          """,
        arguments: [
          model, since.map { time(of: $0) }, Self.unfinishedComparison,
          now - Self.longestComparison,
        ]
      ).map { try comparison($0, db) }
    }
  }

  private func comparison(_ row: Row, _ db: Database) throws -> Comparison {
    let id: Int64 = try row.value("id")
    return Comparison(
      at: try date(row, "compared_at"), job: try row.value("job_id"),
      model: try row.value("model"), modelVersion: try row.value("model_version"),
      studyInstanceUID: try row.value("study_uid"),
      seriesInstanceUID: try row.value("series_uid"), scanner: try row.value("scanner"),
      sopInstanceUID: try row.value("sop_uid"), madeWith: try row.value("made_with"),
      spoolPath: try row.value("spool_path"), fault: try row.value("fault"),
      scores: try Row.fetchAll(
        db, sql: "SELECT * FROM comparison_scores WHERE comparison_id = ? ORDER BY position",
        arguments: [id]
      ).map { score in
        ComparisonScore(
          segment: try score.value("segment"), dice: try score.value("dice"),
          hd95: try score.value("hd95"), ourMillilitres: try score.value("our_volume"),
          theirMillilitres: try score.value("their_volume"))
      })
  }
}
