import Foundation
import GRDB

/// What is counted of rows that change: each is read once, and again when something happened to it. So the
/// numbers of a large ledger take as long as what happened since they were last asked for.
///
/// What happened to jobs and deliveries is in the events, which each of their transitions writes. Once a day
/// everything is counted anew.
struct KnownRows: Sendable {
  /// A result that is not where it is to be sent to.
  struct Undelivered {
    var destination: String
    /// By the ledger's time, when the result was made.
    var since: Double
  }

  /// More events than these are not looked through: everything is counted anew.
  private static let mostEvents: Int64 = 50_000
  /// Seconds after which everything is counted anew.
  private static let longestUse = 86_400.0
  /// Seconds for which a change may have been under way when it was looked for.
  private static let longestWrite = 120.0

  private(set) var jobs = Tally<String>()
  private(set) var deliveries = Tally<LedgerStatistics.DeliveryKind>()
  private(set) var undelivered: [Int64: Undelivered] = [:]
  private(set) var refusals = Tally<Int?>()
  private(set) var studies = Tally<LedgerStatistics.StudyState>()
  private var receiving: Set<Int64> = []

  /// The last event that was seen; nil before the first count.
  private var event: Int64?
  private var lastJob: Int64 = 0
  private var lastDelivery: Int64 = 0
  private var lastStudy: Int64 = 0
  private var lastRefusal: Int64 = 0
  private var refusalsCountedAt = 0.0
  private var began = 0.0

  /// Counts what is new and what has changed.
  ///
  /// - Parameters:
  ///   - association: the last one before the first that was open at the last count.
  ///   - now: the ledger's time.
  ///   - db: a transaction.
  mutating func update(openAfter association: Int64, now: Double, _ db: Database) throws {
    let head = try EventChain.head(db).event
    if let event,
      head < event || head - event > Self.mostEvents || now - began > Self.longestUse
    {
      self = KnownRows()
    }
    if event == nil { began = now }
    let changed = try Changed(since: event, db)
    try countJobs(changed, db)
    try countDeliveries(changed, db)
    try countStudies(changed, db)
    try countRefusals(openAfter: association, db)
    event = head
    refusalsCountedAt = now
  }

  /// Jobs and series to which something happened, as JSON.
  private struct Changed {
    var jobs = "[]"
    var series = "[]"

    /// - Parameter event: those after it; nil for none.
    init(since event: Int64?, _ db: Database) throws {
      guard let event else { return }
      jobs = try Self.list("job_id", after: event, db)
      series = try Self.list("series_uid", after: event, db)
    }

    private static func list(_ column: String, after event: Int64, _ db: Database) throws -> String
    {
      // By their numbers: an index on the column would be read from one end to the other.
      try String.fetchOne(
        db,
        sql: """
          SELECT json_group_array(DISTINCT \(column)) FROM events NOT INDEXED
          WHERE id > ? AND \(column) IS NOT NULL
          """, arguments: [event]) ?? "[]"
    }
  }

  private mutating func countJobs(_ changed: Changed, _ db: Database) throws {
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT id, state FROM jobs WHERE id > ?1
        UNION ALL SELECT jobs.id, state FROM json_each(?2) AS touched
          CROSS JOIN jobs ON jobs.id = touched.value
        """, arguments: [lastJob, changed.jobs])
    while let row = try rows.next() {
      let id: Int64 = try row.value("id")
      jobs.set(id, to: try row.value("state"))
      lastJob = max(lastJob, id)
    }
  }

  private mutating func countDeliveries(_ changed: Changed, _ db: Database) throws {
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT deliveries.id, destination, state, results.created_at FROM deliveries
          CROSS JOIN results ON results.job_id = deliveries.job_id
        WHERE deliveries.id > ?1
        UNION ALL SELECT deliveries.id, destination, state, results.created_at FROM json_each(?2) AS touched
          CROSS JOIN results AS own ON own.job_id = touched.value
          CROSS JOIN deliveries ON deliveries.job_id = ifnull(own.same_as, own.job_id)
          CROSS JOIN results ON results.job_id = deliveries.job_id
        """, arguments: [lastDelivery, changed.jobs])
    while let row = try rows.next() {
      let id: Int64 = try row.value("id")
      let (destination, state): (String, String) = (
        try row.value("destination"), try row.value("state")
      )
      deliveries.set(id, to: .init(destination: destination, state: state))
      let since: Double = try row.value("created_at")
      undelivered[id] =
        DeliveryState(rawValue: state)?.isOver == false
        ? Undelivered(destination: destination, since: since) : nil
      lastDelivery = max(lastDelivery, id)
    }
  }

  /// The same refusal again is counted in its row, under the association over which it came last.
  private mutating func countRefusals(openAfter association: Int64, _ db: Database) throws {
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT id, status, count FROM refused_instances WHERE id > ?1
        UNION ALL SELECT id, status, count FROM refused_instances WHERE association_id > ?2 AND ?1 > 0
        UNION ALL SELECT id, status, count FROM refused_instances
          WHERE association_id IS NULL AND last_at >= ?3 AND ?1 > 0
        """, arguments: [lastRefusal, association, refusalsCountedAt - Self.longestWrite])
    while let row = try rows.next() {
      let id: Int64 = try row.value("id")
      let status: Int? = try row.value("status")
      refusals.set(id, to: status, count: try row.value("count"))
      lastRefusal = max(lastRefusal, id)
    }
  }
}

// MARK: - Studies

extension KnownRows {
  /// In the order of their ranks; the highest of a study counts.
  private static let states: [LedgerStatistics.StudyState] = [
    .unselected, .done, .held, .waiting, .running, .receiving,
  ]

  /// SQL: the rank of a study as its series have it, and as their jobs have it; null where there are none.
  private static let ranks = """
    studies.rowid AS id,
    (SELECT max(CASE WHEN assembled_revision < revision THEN 5 WHEN held_as_incomplete THEN 2 ELSE 0 END)
      FROM series WHERE series.study_uid = studies.study_uid) AS of_series,
    (SELECT max(CASE jobs.state WHEN 'running' THEN 4 WHEN 'available' THEN 3 WHEN 'retryable' THEN 3
        WHEN 'held' THEN 2 WHEN 'completed' THEN 1 ELSE 0 END)
      FROM series CROSS JOIN jobs ON jobs.series_uid = series.series_uid
      WHERE series.study_uid = studies.study_uid) AS of_jobs
    """

  private mutating func countStudies(_ changed: Changed, _ db: Database) throws {
    var found = Set(
      try Int64.fetchAll(
        db,
        sql: """
          SELECT studies.rowid FROM series
            CROSS JOIN studies ON studies.study_uid = series.study_uid
          WHERE assembled_revision < revision
          UNION SELECT studies.rowid FROM json_each(?1) AS touched
            CROSS JOIN series ON series.series_uid = touched.value
            CROSS JOIN studies ON studies.study_uid = series.study_uid
          UNION SELECT studies.rowid FROM json_each(?2) AS touched
            CROSS JOIN jobs ON jobs.id = touched.value
            CROSS JOIN series ON series.series_uid = jobs.series_uid
            CROSS JOIN studies ON studies.study_uid = series.study_uid
          """, arguments: [changed.series, changed.jobs]))
    found.formUnion(receiving)
    let known = "[" + found.filter { $0 <= lastStudy }.map(String.init).joined(separator: ",") + "]"
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT \(Self.ranks) FROM studies WHERE studies.rowid > ?1
        UNION ALL SELECT \(Self.ranks) FROM json_each(?2) AS touched
          CROSS JOIN studies ON studies.rowid = touched.value
        """, arguments: [lastStudy, known])
    while let row = try rows.next() {
      let id: Int64 = try row.value("id")
      lastStudy = max(lastStudy, id)
      guard let ofSeries: Int = try row.value("of_series") else {
        // Its series came again as another study's.
        studies.remove(id)
        receiving.remove(id)
        continue
      }
      let ofJobs: Int? = try row.value("of_jobs")
      let state = Self.states[max(ofSeries, ofJobs ?? 0)]
      studies.set(id, to: state)
      if state == .receiving { receiving.insert(id) } else { receiving.remove(id) }
    }
  }
}
