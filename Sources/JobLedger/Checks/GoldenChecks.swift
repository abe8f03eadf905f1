import Foundation
import GRDB

/// A check of a model with the case that comes with it: whether it still gives the result that it is known to
/// give. Nothing of the case is among the studies of this ledger.
public struct GoldenCheck: Sendable, Codable, Equatable {
  /// Who asked for it.
  public enum Cause: String, Sendable, Codable {
    case schedule
    case person
  }

  public enum Outcome: String, Sendable, Codable, CaseIterable {
    case passed
    case failed
    /// It could not be made, as where the model has no case.
    case omitted
  }

  public var id: Int64
  public var model: String
  public var cause: Cause
  public var requestedAt: Date
  /// Nil while it waits or runs.
  public var finishedAt: Date?
  public var outcome: Outcome?
  public var modelVersion: String?
  /// What came of it, for people.
  public var message: String?
}

extension Ledger {
  /// Checks are kept for so many days.
  private static let daysOfGoldenChecks = 400.0

  /// Has a daemon check a model; nothing happens where such a check waits already.
  ///
  /// - Returns: the number of the check that waits.
  @discardableResult
  public func requestGoldenCheck(of model: String, by cause: GoldenCheck.Cause) throws(LedgerError)
    -> Int64
  {
    try write { db in
      let waiting = try Int64.fetchOne(
        db, sql: "SELECT id FROM golden_checks WHERE model = ? AND finished_at IS NULL",
        arguments: [model])
      if let waiting { return waiting }
      try db.execute(
        sql: "DELETE FROM golden_checks WHERE requested_at < ?",
        arguments: [wallTime - Self.daysOfGoldenChecks * 86_400])
      try db.execute(
        sql: "INSERT INTO golden_checks (model, cause, requested_at) VALUES (?, ?, ?)",
        arguments: [model, cause.rawValue, wallTime])
      return db.lastInsertedRowID
    }
  }

  /// The check that has waited longest; nil where none does. One that a former process began is among them.
  public func nextGoldenCheck() throws(LedgerError) -> GoldenCheck? {
    try goldenChecks("finished_at IS NULL ORDER BY id LIMIT 1").first
  }

  /// A check by its number; nil for an unknown one.
  public func goldenCheck(_ id: Int64) throws(LedgerError) -> GoldenCheck? {
    try goldenChecks("id = ?", [id]).first
  }

  /// The last check of each model that has ended, by the models' names. One that could not be made does not
  /// count where another was made before.
  public func lastGoldenChecks() throws(LedgerError) -> [GoldenCheck] {
    try goldenChecks(
      """
      id IN (SELECT coalesce(max(id) FILTER (WHERE outcome <> 'omitted'), max(id))
        FROM golden_checks WHERE finished_at IS NOT NULL GROUP BY model) ORDER BY model
      """)
  }

  /// When the schedule last asked for a check; nil where it never has.
  public func lastScheduledGoldenCheck() throws(LedgerError) -> Date? {
    try read { db in
      try Double.fetchOne(
        db, sql: "SELECT max(requested_at) FROM golden_checks WHERE cause = 'schedule'")
    }.map { Date(timeIntervalSince1970: $0) }
  }

  /// Records what came of a check; an event says so, and another one where the check before had failed.
  ///
  /// - Parameters:
  ///   - check: that has not ended.
  ///   - outcome: of it.
  ///   - modelVersion: of the model's bundle, where it could be read.
  ///   - message: for people.
  public func finishGoldenCheck(
    _ check: GoldenCheck, _ outcome: GoldenCheck.Outcome, modelVersion: String?, message: String
  ) throws(LedgerError) {
    try write { db in
      let previous = try String.fetchOne(
        db,
        sql: """
          SELECT outcome FROM golden_checks WHERE model = ? AND outcome <> 'omitted'
          ORDER BY id DESC LIMIT 1
          """, arguments: [check.model])
      try db.execute(
        sql: """
          UPDATE golden_checks SET finished_at = ?, outcome = ?, model_version = ?, message = ?
          WHERE id = ? AND finished_at IS NULL
          """, arguments: [wallTime, outcome.rawValue, modelVersion, message, check.id])
      guard db.changesCount == 1 else { return }
      let text = "model \(check.model): \(message)"
      switch outcome {
      case .passed where previous == GoldenCheck.Outcome.failed.rawValue:
        try event(db, Notice.Kind.checkRecovered.rawValue, by: .program, text)
      case .passed: try event(db, "golden check passed", by: .program, text)
      case .failed: try event(db, Notice.Kind.checkFailed.rawValue, by: .fault, text)
      case .omitted: try event(db, "golden check omitted", by: .program, text)
      }
    }
  }

  /// Whether a job runs, or would run now if there were a place for it.
  public func hasWork() throws(LedgerError) -> Bool {
    try read { db in
      try Bool.fetchOne(
        db,
        sql: """
          SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 'running')
            OR EXISTS (SELECT 1 FROM jobs
              WHERE state IN ('available', 'retryable') AND scheduled_at <= ?)
          """, arguments: [now]) ?? false
    }
  }

  private var wallTime: Double { source.wall().timeIntervalSince1970 }

  private func goldenChecks(_ condition: String, _ arguments: StatementArguments = [])
    throws(LedgerError) -> [GoldenCheck]
  {
    try read { db in
      try Row.fetchAll(
        db, sql: "SELECT * FROM golden_checks WHERE \(condition)", arguments: arguments
      ).map { row in
        let cause: String = try row.value("cause")
        let outcome: String? = try row.value("outcome")
        let finished: Double? = try row.value("finished_at")
        return GoldenCheck(
          id: try row.value("id"), model: try row.value("model"),
          cause: GoldenCheck.Cause(rawValue: cause) ?? .schedule,
          requestedAt: Date(timeIntervalSince1970: try row.value("requested_at")),
          finishedAt: finished.map { Date(timeIntervalSince1970: $0) },
          outcome: outcome.flatMap(GoldenCheck.Outcome.init(rawValue:)),
          modelVersion: try row.value("model_version"), message: try row.value("message"))
      }
    }
  }
}
