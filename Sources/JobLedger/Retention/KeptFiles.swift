import Foundation
import GRDB

/// Files that nothing needs any more: the originals of a series, or the files of a result.
public struct KeptFiles: Sendable, Codable, Equatable {
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// Received instances of a series.
    case originals
    /// What a job made: segmentations and pictures.
    case results
  }

  /// What became of them.
  public enum State: String, Sendable, Codable, CaseIterable {
    /// Originals of which a result was made, or in which nothing was found; each result was delivered.
    case completed
    /// Originals of which no model made anything, as the rules or a person decided.
    case unused
    /// Originals of a job that is held.
    case held
    /// The result that counts for its series and model.
    case current
    /// A result in whose place a newer one came.
    case superseded
  }

  public var kind: Kind
  public var state: State
  public var studyInstanceUID: String
  /// Of the originals, or of those that the result is of.
  public var seriesInstanceUID: String
  /// The job that made the result; nil of originals.
  public var job: Int64?
  /// When the last thing happened to it: it came, a job ended, a destination had a result.
  public var since: Date
  /// The same by the ledger's time.
  var time: Double
}

extension Ledger {
  /// Seconds since the last thing happened to files, whatever the clock of the machine was set to since.
  public func age(of files: KeptFiles) -> TimeInterval { now - files.time }

  /// Seconds since the clock of the machine showed a time, whatever it was set to since; where it did so twice,
  /// since the last time.
  public func age(of date: Date) -> TimeInterval { now - time(of: date) }

  /// What the clock of the machine showed some seconds ago, before it was set where it was set since.
  public func dateShown(ago seconds: TimeInterval) -> Date { date(now - seconds) }
}

/// Where ``Ledger/keptOriginals(after:count:)`` resumes.
public struct KeptPosition: Sendable, Equatable {
  var time: Double
  var row: Int64
  public static let start = KeptPosition(time: -.infinity, row: 0)
}

/// Queries of what may be purged. Each is asked in portions, so that nobody waits for it.
enum KeptQueries {
  /// The jobs that have a series as an input.
  private static func jobs(of series: String) -> String {
    """
    SELECT id FROM jobs WHERE jobs.series_uid = \(series)
    UNION ALL SELECT job_id FROM job_inputs WHERE job_inputs.series_uid = \(series)
    """
  }

  /// A job that is held and after which none came for more instances or the same model.
  private static let isHeld = """
    state = 'held' AND NOT EXISTS (SELECT 1 FROM jobs AS later
      WHERE later.series_uid = jobs.series_uid AND later.id > jobs.id
        AND (later.model = jobs.model OR later.revision > jobs.revision))
    """

  private static let isUnfinished = "state IN ('available', 'retryable', 'running')"
  private static let isNotOver = "deliveries.state NOT IN ('delivered', 'superseded')"

  /// What may be purged of `series`, apart from what is held as incomplete.
  private static let isOver = """
    NOT EXISTS (SELECT 1 FROM series AS other WHERE other.study_uid = series.study_uid
      AND (other.assembled_revision < other.revision OR \(Ledger.isArriving("other"))
        OR EXISTS (SELECT 1 FROM jobs
          WHERE jobs.series_uid = other.series_uid AND \(isUnfinished))))
    AND NOT EXISTS (SELECT 1 FROM job_inputs JOIN jobs ON jobs.id = job_inputs.job_id
      WHERE job_inputs.series_uid = series.series_uid AND \(isUnfinished))
    AND NOT EXISTS (SELECT 1 FROM (\(jobs(of: "series.series_uid"))) AS own
        JOIN results ON results.job_id = own.id
        JOIN deliveries ON deliveries.job_id = ifnull(results.same_as, results.job_id)
      WHERE \(isNotOver))
    AND series.series_uid NOT IN (SELECT instances.series_uid
      FROM commitments INDEXED BY commitments_due
        CROSS JOIN commitment_references
          ON commitment_references.commitment_id = commitments.id
        CROSS JOIN instances ON instances.sop_uid = commitment_references.sop_uid
      WHERE commitments.state IN ('requested', 'ready'))
    """

  private static let originalsColumns = """
    series.rowid AS row, series.series_uid, series.study_uid, last_received_at, held_as_incomplete,
    max(last_received_at,
      ifnull((SELECT max(finished_at) FROM jobs WHERE jobs.series_uid = series.series_uid), 0),
      ifnull((SELECT max(finished_at) FROM job_inputs JOIN jobs ON jobs.id = job_inputs.job_id
        WHERE job_inputs.series_uid = series.series_uid), 0),
      ifnull((SELECT max(delivered_at) FROM (\(jobs(of: "series.series_uid"))) AS own
          JOIN results ON results.job_id = own.id
          JOIN deliveries ON deliveries.job_id = ifnull(results.same_as, results.job_id)), 0)
    ) AS since,
    EXISTS (SELECT 1 FROM (\(jobs(of: "series.series_uid"))) AS own
      JOIN jobs ON jobs.id = own.id WHERE \(isHeld)) AS is_held,
    EXISTS (SELECT 1 FROM (\(jobs(of: "series.series_uid"))) AS own
      JOIN results ON results.job_id = own.id) AS is_completed,
    EXISTS (SELECT 1 FROM instances
      WHERE instances.series_uid = series.series_uid AND purged_at IS NULL) AS has_files,
    \(isOver) AS is_over
    """

  /// Of a time and a row: the next series, also those that may not be purged, in the order of receipt.
  static let originals = """
    SELECT \(originalsColumns) FROM series
    WHERE purged_at IS NULL AND (last_received_at > ?1 OR last_received_at = ?1 AND series.rowid > ?2)
    ORDER BY last_received_at, series.rowid LIMIT ?3
    """

  static let originalsOfSeries = """
    SELECT \(originalsColumns) FROM series WHERE purged_at IS NULL AND series.series_uid = ?
    """

  /// A result that counts may be purged once a destination has it, unless there is nothing to send. One
  /// whose place another took need not have been sent.
  private static func results(_ condition: String) -> String {
    """
    SELECT results.job_id, jobs.series_uid, series.study_uid,
      NOT EXISTS (SELECT 1 FROM results AS counting WHERE counting.superseded_by IS NULL
        AND counting.job_id = results.job_id)
      AND NOT EXISTS (SELECT 1 FROM results AS counting WHERE counting.superseded_by IS NULL
        AND counting.same_as = results.job_id) AS is_superseded,
      max(ifnull(jobs.finished_at, results.created_at),
        ifnull((SELECT max(finished_at) FROM results AS same JOIN jobs AS later
          ON later.id = same.job_id WHERE same.same_as = results.job_id), 0),
        ifnull((SELECT finished_at FROM jobs AS newer WHERE newer.id = results.superseded_by), 0),
        ifnull((SELECT max(delivered_at) FROM deliveries
          WHERE deliveries.job_id = results.job_id), 0)) AS since,
      EXISTS (SELECT 1 FROM result_objects WHERE result_objects.job_id = results.job_id)
        AS has_files,
      EXISTS (SELECT 1 FROM result_objects
        WHERE result_objects.job_id = results.job_id AND sop_uid IS NOT NULL) AS has_objects,
      EXISTS (SELECT 1 FROM deliveries
        WHERE deliveries.job_id = results.job_id AND state = 'delivered') AS is_delivered,
      NOT EXISTS (SELECT 1 FROM deliveries
        WHERE deliveries.job_id = results.job_id AND \(isNotOver))
      AND NOT EXISTS (SELECT 1 FROM jobs AS waiting WHERE waiting.series_uid = jobs.series_uid
        AND waiting.model = jobs.model AND waiting.\(isUnfinished)) AS is_over
    FROM results JOIN jobs ON jobs.id = results.job_id JOIN series USING (series_uid)
    WHERE results.purged_at IS NULL AND results.same_as IS NULL AND \(condition)
    """
  }

  /// Of a job: the results of the next ones.
  static let results = results("results.job_id > ?1 ORDER BY results.job_id LIMIT ?2")
  static let resultOfJob = results("results.job_id = ?")

  static let keptBytes = """
    SELECT count(*) AS n, ifnull(sum(byte_count), 0) AS bytes FROM instances
    WHERE series_uid = ? AND purged_at IS NULL
    """

  /// Of the series that are kept, each by the index `instances_by_series`.
  static let allKeptBytes = """
    SELECT ifnull(sum((SELECT sum(byte_count) FROM instances INDEXED BY instances_by_series
      WHERE instances.series_uid = series.series_uid AND instances.purged_at IS NULL)), 0)
    FROM series INDEXED BY series_kept WHERE purged_at IS NULL
    """
}

extension Ledger {
  /// Originals that may be purged, in portions, by the time at which the series came last.
  ///
  /// Never among them: originals of a study of which a series is on its way, waits to be assembled, or has
  /// a job that waits or runs; of a series that is held as incomplete; of a result that a destination does
  /// not have, or has not proved to keep where it is asked to; and instances that a peer has asked us to
  /// commit ourselves to, before it has its answer. Those of held jobs have a state of their own.
  ///
  /// - Parameters:
  ///   - position: where the last portion ended.
  ///   - count: how many series are looked at.
  /// - Returns: those among them that may be purged, and where to resume; nil at the end.
  public func keptOriginals(after position: KeptPosition, count: Int = 500) throws(LedgerError)
    -> (files: [KeptFiles], next: KeptPosition?)
  {
    try read { db in
      let rows = try Row.fetchAll(
        db, sql: KeptQueries.originals, arguments: [position.time, position.row, count])
      let next = try rows.last.map {
        KeptPosition(time: try $0.value("last_received_at"), row: try $0.value("row"))
      }
      return (try rows.compactMap(keptOriginals), rows.count < count ? nil : next)
    }
  }

  /// Files of results that may be purged, in portions, by the numbers of their jobs.
  ///
  /// Never among them: what a destination is still to get, or to prove to keep; a result that counts and
  /// that no destination has; and one that a job is about to come to.
  ///
  /// - Parameters:
  ///   - job: the last one of the portion before; 0 for the first.
  ///   - count: how many results are looked at.
  /// - Returns: those among them that may be purged, and where to resume; nil at the end.
  public func keptResults(after job: Int64, count: Int = 500) throws(LedgerError)
    -> (files: [KeptFiles], next: Int64?)
  {
    try read { db in
      let rows = try Row.fetchAll(db, sql: KeptQueries.results, arguments: [job, count])
      let next: Int64? = try rows.last?.value("job_id")
      return (try rows.compactMap(keptResult), rows.count < count ? nil : next)
    }
  }

  /// How many files of a series are kept, and their bytes.
  public func keptOriginals(ofSeries series: String) throws(LedgerError) -> (
    files: Int, bytes: Int
  ) {
    try read { db in
      let row = try Row.fetchOne(db, sql: KeptQueries.keptBytes, arguments: [series])
      return (try row?.value("n") ?? 0, try row?.value("bytes") ?? 0)
    }
  }

  /// Bytes of all files of received instances.
  public func bytesOfOriginals() throws(LedgerError) -> Int {
    try read { db in try Int.fetchOne(db, sql: KeptQueries.allKeptBytes) ?? 0 }
  }

  /// - Returns: nil where they may not be purged.
  func keptOriginals(_ row: Row) throws -> KeptFiles? {
    let isHeld: Bool = try row.value("is_held")
    let isIncomplete: Bool = try row.value("held_as_incomplete")
    guard try row.value("is_over"), try row.value("has_files"), !(isHeld && isIncomplete) else {
      return nil
    }
    let isCompleted: Bool = try row.value("is_completed")
    let time: Double = try row.value("since")
    return KeptFiles(
      kind: .originals, state: isHeld ? .held : isCompleted ? .completed : .unused,
      studyInstanceUID: try row.value("study_uid"), seriesInstanceUID: try row.value("series_uid"),
      job: nil, since: date(time), time: time)
  }

  func keptResult(_ row: Row) throws -> KeptFiles? {
    let isSuperseded: Bool = try row.value("is_superseded")
    let hasObjects: Bool = try row.value("has_objects")
    guard try row.value("is_over"), try row.value("has_files"),
      try isSuperseded || !hasObjects || row.value("is_delivered")
    else { return nil }
    let time: Double = try row.value("since")
    return KeptFiles(
      kind: .results, state: isSuperseded ? .superseded : .current,
      studyInstanceUID: try row.value("study_uid"), seriesInstanceUID: try row.value("series_uid"),
      job: try row.value("job_id"), since: date(time), time: time)
  }
}
