import Foundation
import GRDB

/// Which jobs are listed, in which order, and which part of them.
///
/// ```swift
/// var query = JobQuery()
/// query.selection.states = [.held]
/// query.limit = 100
/// let page = try ledger.jobs(query)
/// query.after = page.last?.id
/// ```
public struct JobQuery: Sendable, Equatable {
  /// What the jobs are sorted by; those that are equal, by their numbers.
  public enum Order: String, Sendable, CaseIterable {
    case number, created, finished, priority, state, model

    /// A column or expression of `jobs`.
    var key: String {
      switch self {
      case .number: "jobs.id"
      case .created: "jobs.created_at"
      case .finished: "jobs.finished_at"
      case .priority: "jobs.priority"
      case .state: "jobs.state"
      case .model: "jobs.model"
      }
    }
  }

  public var selection = JobSelection()
  public var order = Order.number
  public var isDescending = false
  /// How many at most; nil for all.
  public var limit: Int?
  /// How many of the first are left out.
  public var offset = 0
  /// In the order of numbers, only those that follow this job: a page that others do not move.
  public var after: Int64?

  public init() {}

  /// The numbers of the jobs, in their order.
  func statement(_ time: (Date) -> Double) -> (sql: String, arguments: StatementArguments) {
    var (condition, arguments) = selection.condition(time)
    if let after {
      condition += " AND jobs.id \(isDescending ? "<" : ">") ?"
      arguments += [after]
    }
    let direction = isDescending ? "DESC" : "ASC"
    let order = self.order == .number ? "" : "\(self.order.key) \(direction), "
    arguments += [limit ?? -1, offset]
    return (
      """
      SELECT jobs.id FROM jobs WHERE \(condition)
      ORDER BY \(order)jobs.id \(direction) LIMIT ? OFFSET ?
      """, arguments
    )
  }
}

extension JobSelection {
  /// Of rows of `jobs`; each part can be searched for by an index.
  ///
  /// - Parameter time: the ledger's time of a date.
  func condition(_ time: (Date) -> Double) -> (sql: String, arguments: StatementArguments) {
    var parts = ["true"]
    var arguments: StatementArguments = []
    func add(_ part: String, _ values: (any DatabaseValueConvertible)?...) {
      parts.append(part)
      arguments += StatementArguments(values)
    }
    if !jobs.isEmpty {
      add("jobs.id IN (SELECT value FROM json_each(?))", jsonList(jobs))
    }
    if let study {
      add("jobs.series_uid IN (SELECT series_uid FROM series WHERE study_uid = ?)", study)
    }
    if let series { add("jobs.series_uid = ?", series) }
    if let reprocessing { add("jobs.reprocessing_id = ?", reprocessing) }
    if let model { add("jobs.model = ?", model) }
    if !states.isEmpty {
      add(
        "jobs.state IN (SELECT value FROM json_each(?))", jsonList(states.map(\.rawValue)))
    }
    if let madeBefore { add("jobs.created_at < ?", time(madeBefore)) }
    if let madeAfter { add("jobs.created_at > ?", time(madeAfter)) }
    if destination != nil || !deliveryStates.isEmpty {
      add(
        """
        EXISTS (SELECT 1 FROM deliveries
          WHERE deliveries.job_id = ifnull(
              (SELECT same_as FROM results WHERE results.job_id = jobs.id), jobs.id)
            AND destination = ifnull(?, destination)
            AND (? OR deliveries.state IN (SELECT value FROM json_each(?))))
        """, destination, deliveryStates.isEmpty, jsonList(deliveryStates.map(\.rawValue)))
    }
    return (parts.joined(separator: " AND "), arguments)
  }
}

/// A list as JSON, for `json_each`.
func jsonList(_ values: some Encodable) -> String {
  (try? JSONEncoder().encode(values)).map { String(decoding: $0, as: UTF8.self) } ?? "[]"
}

extension Ledger {
  /// Jobs, or a page of them. A page of a hundred takes a few milliseconds, however many there are.
  public func jobs(_ query: JobQuery) throws(LedgerError) -> [JobSummary] {
    try read { db in
      let (sql, arguments) = query.statement { time(of: $0) }
      return try summaries(Int64.fetchAll(db, sql: sql, arguments: arguments), db)
    }
  }

  /// How many jobs meet the conditions.
  public func jobCount(_ selection: JobSelection) throws(LedgerError) -> Int {
    try read { db in
      let (condition, arguments) = selection.condition { time(of: $0) }
      return try Int.fetchOne(
        db, sql: "SELECT count(*) FROM jobs WHERE \(condition)", arguments: arguments) ?? 0
    }
  }
}
