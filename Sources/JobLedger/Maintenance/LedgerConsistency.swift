import Foundation
import GRDB
import Wording

extension Ledger {
  /// What is wrong in the ledger itself: damage, rows that refer to none, states that cannot be, several
  /// results that count, and events that were changed.
  ///
  /// Everything is read as it is at one moment, so that what others write meanwhile is no finding. Reads
  /// the whole file: about ten seconds for a gigabyte.
  ///
  /// - Parameter mark: an event that is to be in the history, noted before.
  /// - Returns: the findings, the gravest first, and what is found of the history.
  public func checkConsistency(mark: EventMark? = nil) throws(LedgerError)
    -> (findings: [LedgerFinding], events: EventChainReport?)
  {
    let damage: [String] = try read { db in
      do {
        return try String.fetchAll(db, sql: "PRAGMA integrity_check(20)").filter { $0 != "ok" }
      } catch let error where LedgerError.isOfDamage(error) {
        return [LedgerError.reason(error)]
      }
    }
    // Of a damaged file nothing else can be said for certain.
    guard damage.isEmpty else { return (damage.map { LedgerFinding(.damage, $0) }, nil) }
    var findings = try read { db in
      try danglingReferences(db)
        + Self.stateQueries.flatMap { text, sql in
          try String.fetchAll(db, sql: sql).map { LedgerFinding(.state, "\($0) \(text)") }
        } + severalResults(db)
    }
    let events = try checkEvents(mark: mark)
    findings += events.findings.map { LedgerFinding(.event, $0) }
    if events.findingCount > events.findings.count {
      findings.append(
        LedgerFinding(
          .event,
          counted(events.findingCount - events.findings.count, "more finding") + " of the events"))
    }
    return (findings, events)
  }

  private func danglingReferences(_ db: Database) throws -> [LedgerFinding] {
    let rows = try Row.fetchAll(db, sql: "PRAGMA foreign_key_check")
    let violations = rows.prefix(20).map { row in
      let id = (row["rowid"] as Int64?).map { "row \($0)" } ?? "a row"
      return LedgerFinding(
        .reference,
        "\(id) of \(row["table"] as String) refers to a row of \(row["parent"] as String) "
          + "that is not there")
    }
    let jobs = try Int64.fetchAll(
      db,
      sql: """
        SELECT DISTINCT job_id FROM events WHERE job_id IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = events.job_id) LIMIT 20
        """)
    return violations
      + jobs.map { LedgerFinding(.reference, "events are about job \($0), which is not there") }
  }

  /// What is wrong with each name that the query gives.
  private static let stateQueries: [(text: String, sql: String)] = {
    let jobStates = JobState.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
    let deliveryStates = DeliveryState.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
    return [
      (
        "is in an unknown state",
        """
        SELECT 'job ' || id || ' (' || state || ')' FROM jobs WHERE state NOT IN (\(jobStates))
        UNION ALL
        SELECT 'the delivery of job ' || job_id || ' to ' || destination || ' (' || state || ')'
        FROM deliveries WHERE state NOT IN (\(deliveryStates))
        """
      ),
      (
        "is running and has no attempt",
        """
        SELECT 'job ' || id FROM jobs WHERE state = 'running' AND NOT EXISTS
          (SELECT 1 FROM attempts WHERE job_id = jobs.id AND finished_at IS NULL)
        """
      ),
      (
        "has an attempt that has not ended, and is not running",
        """
        SELECT 'job ' || jobs.id || ' (' || state || ')' FROM attempts JOIN jobs ON jobs.id = job_id
        WHERE attempts.finished_at IS NULL AND state <> 'running'
        """
      ),
      (
        "has had more attempts than it counts",
        """
        SELECT 'job ' || id FROM jobs WHERE attempt_count <
          (SELECT ifnull(max(number), 0) FROM attempts WHERE job_id = jobs.id)
        """
      ),
      (
        "is completed and has no result",
        """
        SELECT 'job ' || id FROM jobs WHERE state = 'completed' AND NOT EXISTS
          (SELECT 1 FROM results WHERE job_id = jobs.id)
        """
      ),
      (
        "has a result and is not completed",
        """
        SELECT 'job ' || jobs.id || ' (' || state || ')' FROM results JOIN jobs ON jobs.id = job_id
        WHERE state <> 'completed'
        """
      ),
      (
        "has a result that is superseded by an earlier one",
        """
        SELECT 'job ' || job_id FROM results JOIN jobs ON jobs.id = job_id
          JOIN jobs AS newer ON newer.id = superseded_by
        WHERE superseded_by <= job_id AND newer.series_uid = jobs.series_uid
        """
      ),
      (
        "is to be sent although no current result has these files",
        """
        SELECT 'the result of job ' || job_id || ' to ' || destination FROM deliveries
        WHERE state IN ('waiting', 'held') AND NOT EXISTS (SELECT 1 FROM results
          WHERE superseded_by IS NULL AND (results.job_id = deliveries.job_id
            OR results.same_as = deliveries.job_id))
        """
      ),
      (
        "is about more of its series than has come",
        """
        SELECT 'job ' || id FROM jobs JOIN series USING (series_uid)
        WHERE jobs.revision > series.revision
        UNION ALL
        SELECT 'instance ' || sop_uid FROM instances JOIN series USING (series_uid)
        WHERE instances.revision > series.revision
        """
      ),
    ]
  }()

  private func severalResults(_ db: Database) throws -> [LedgerFinding] {
    try Row.fetchAll(
      db,
      sql: """
        SELECT series_uid, model, group_concat(DISTINCT ifnull(same_as, job_id)) AS jobs
        FROM results JOIN jobs ON jobs.id = results.job_id WHERE superseded_by IS NULL
        GROUP BY series_uid, model HAVING count(DISTINCT ifnull(same_as, job_id)) > 1
        """
    ).map { row in
      let (series, model): (String, String) = (
        try row.value("series_uid"), try row.value("model")
      )
      let jobs: String = try row.value("jobs")
      return LedgerFinding(
        .severalResults,
        "the results of jobs \(jobs.replacing(",", with: ", ")) on series \(series) with model "
          + "\(model) all count; only the last one should")
    }
  }
}
