import GRDB
import Synchronization
import Testing

@testable import JobLedger

/// Records the statements that a ledger makes, and asks SQLite how it finds the rows of each.
struct QueryPlans {
  let ledger: Ledger

  /// Tables that have a row, or a few; of golden checks one for each model and night of 400 days.
  private static let smallTables: Set = [
    "processing", "clock", "clock_steps", "event_head", "event_anchors", "crashing_files", "alarms",
    "audit_position", "golden_checks", "handover", "listeners", "sqlite_sequence",
  ]
  /// Indexes that have only what is not over: what is read of them from one end to the other waits, or is
  /// kept on the disk.
  private static let openIndexes: Set = [
    "jobs_due", "series_due", "deliveries_due", "deliveries_unproved", "deliveries_sending",
    "associations_open", "refused_open", "completeness_checks_due", "commitments_due",
    "attempts_open", "instances_lost", "workitems_open", "golden_checks_open", "series_kept",
    "handovers_waiting", "handovers_refused", "associations_of_listener",
  ]
  /// Statements that read a table from its end back to the first row that is too old.
  private static let backwards = "ORDER BY id DESC LIMIT 1"

  /// The statements of a closure that read or change tables.
  func statements(_ work: () throws -> Void) throws -> [String] {
    let made = Mutex<Set<String>>([])
    func trace(_ db: Database) {
      db.trace(options: .statement) { event in
        if case .statement(let statement) = event { made.withLock { _ = $0.insert(statement.sql) } }
      }
    }
    try ledger.commits.withConnection { trace($0) }
    ledger.reader.inDatabase { trace($0) }
    try work()
    try ledger.commits.withConnection { $0.trace(nil) }
    ledger.reader.inDatabase { $0.trace(nil) }
    let words = ["SELECT", "UPDATE", "DELETE", "INSERT"]
    return made.withLock { $0 }.filter { sql in words.contains { sql.hasPrefix($0) } }.sorted()
  }

  /// How SQLite finds the rows of a statement.
  func steps(_ sql: String) throws -> [String] {
    try ledger.reader.inDatabase { db in
      let plan = try db.makeStatement(sql: "EXPLAIN QUERY PLAN \(sql)")
      plan.setUncheckedArguments(StatementArguments())
      return try Row.fetchAll(plan).map { $0["detail"] as String }
    }
  }

  /// The steps by which a statement reads a whole table or index.
  func scans(_ sql: String) throws -> [String] {
    try steps(sql).filter { isScan($0, of: sql) }
  }

  /// The steps by which a statement that is about some series, or some studies, reads all jobs of a model or of a state: of
  /// either there may be as many as there are series.
  func detours(_ sql: String) throws -> [String] {
    // Of those that run there are as many as there are places.
    try steps(sql).filter {
      $0.contains("jobs_by_model") || $0.contains("jobs_by_state") && !$0.contains("other")
    }
  }

  private func isScan(_ step: String, of sql: String) -> Bool {
    let words = step.split(separator: " ").map(String.init).filter { $0 != "LEFT-JOIN" }
    guard words.count > 1, ["SCAN", "SEARCH"].contains(words[0]) else { return false }
    let (table, last) = (words[1], words[words.count - 1])
    // With the columns by which it is searched in brackets.
    let isSearched =
      words[0] == "SEARCH" && last.hasSuffix(")") && !words.contains("AUTOMATIC")
    // The highest number is at the end of the table.
    let isHighest =
      words == ["SEARCH", table]
      && ["id", "instance_id"].contains { sql.contains("max(\($0)) FROM \(table)") }
    let isVirtual = step.contains("VIRTUAL TABLE") || step.contains("CONSTANT ROW")
    let isIntermediate = table.hasPrefix("(") || ["own", "pending"].contains(table)
    let isBackwards = step == "SCAN \(table)" && sql.contains(Self.backwards)
    // Of a foreign key; it is looked at only while one is violated within the transaction.
    let isOfForeignKey = !sql.contains(table)
    return
      !(isSearched || isHighest || isVirtual || isIntermediate || isBackwards || isOfForeignKey
      || Self.openIndexes.contains(last) || Self.smallTables.contains(table))
  }

  func expectNoScans(_ statements: [String], _ least: Int) throws {
    #expect(statements.count >= least, "\(statements.count)")
    // What the tests themselves ask of all jobs, and whether there is any row.
    for sql in statements
    where !["FROM jobs WHERE true", "SELECT 1 FROM series LIMIT 1"].contains(where: sql.contains) {
      let scans = try scans(sql)
      #expect(scans == [], "\(sql)")
    }
  }
}
