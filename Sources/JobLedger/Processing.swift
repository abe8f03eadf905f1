import Foundation
import GRDB
import Wording

extension Schema {
  /// Whether jobs are begun: `segmentd pause`, `drain` and `resume`.
  static let processing = """
    -- One row.
    CREATE TABLE processing (
      id                 INTEGER PRIMARY KEY CHECK (id = 1),
      mode               TEXT NOT NULL CHECK (mode IN ('active', 'paused', 'draining')),
      -- 1 where a job that runs is to yield as well.
      interrupts_running INTEGER NOT NULL DEFAULT 0 CHECK (interrupts_running IN (0, 1)),
      -- Null as long as nobody has changed it.
      changed_at         REAL,
      changed_by         TEXT,
      reason             TEXT,
      -- When nothing ran any more after `drain`.
      drained_at         REAL,
      CHECK ((changed_at IS NULL) = (changed_by IS NULL)),
      CHECK (mode = 'active' OR changed_at IS NOT NULL),
      CHECK (drained_at IS NULL OR mode = 'draining'),
      CHECK (interrupts_running = 0 OR mode = 'paused')
    ) STRICT;
    INSERT INTO processing (id, mode) VALUES (1, 'active');
    """
}

/// Whether jobs are begun, and who decided that.
public struct ProcessingState: Sendable, Codable, Equatable {
  public enum Mode: String, Sendable, Codable {
    /// Jobs are begun as they become due.
    case active
    /// No job is begun; one that runs continues, unless it is asked to yield.
    case paused
    /// As paused, until nothing runs any more: then it is drained.
    case draining
  }

  public var mode: Mode
  /// Whether a job that runs yields as well.
  public var interruptsRunning: Bool
  /// Since when it is as it is; nil as long as nobody has changed it.
  public var changedAt: Date?
  /// The user account that changed it.
  public var changedBy: String?
  /// Why, as that person said.
  public var reason: String?
  /// When nothing ran any more after a drain.
  public var drainedAt: Date?
  /// How many jobs are running.
  public var runningJobs: Int

  /// One sentence for people: "processing is paused since 2026-11-26T09:14:02Z by root: new disk".
  public var text: String {
    let running =
      mode == .active || drainedAt != nil
      ? ""
      : runningJobs == 0
        ? "; no job is running"
        : "; \(counted(runningJobs, "job is", "jobs are")) running"
    return (pauseText ?? "processing is active") + running
  }

  /// Why no job is begun; nil where jobs are.
  public var pauseText: String? {
    let word: String
    switch mode {
    case .active: return nil
    case .paused: word = "paused"
    case .draining: word = drainedAt == nil ? "draining" : "drained"
    }
    let since = (drainedAt ?? changedAt).map { " since \($0.formatted(.iso8601))" } ?? ""
    return "processing is \(word)\(since)" + (changedBy.map { " by \($0)" } ?? "")
      + (reason.map { ": \($0)" } ?? "")
  }
}

extension Ledger {
  /// Whether jobs are begun.
  public func processingState() throws(LedgerError) -> ProcessingState {
    try read { db in try processingState(db) }
  }

  /// Begins no further job until ``resumeProcessing(by:reason:)``, also after a restart. A daemon sees it
  /// before it begins the next one.
  ///
  /// - Parameters:
  ///   - interruptsRunning: whether a job that runs yields as well.
  ///   - person: the user account, for the event.
  ///   - reason: why, for people; without patient data.
  /// - Returns: the state that follows.
  @discardableResult
  public func pauseProcessing(interruptsRunning: Bool = false, by person: String, reason: String?)
    throws(LedgerError) -> ProcessingState
  {
    try setProcessing(.paused, interruptsRunning, by: person, reason: reason)
  }

  /// As a pause; once nothing runs any more, that is recorded (``recordDrained()``).
  ///
  /// - Parameters:
  ///   - person: the user account, for the event.
  ///   - reason: why, for people; without patient data.
  /// - Returns: the state that follows.
  @discardableResult
  public func drainProcessing(by person: String, reason: String?) throws(LedgerError)
    -> ProcessingState
  {
    try setProcessing(.draining, false, by: person, reason: reason)
  }

  /// Begins jobs again.
  ///
  /// - Parameters:
  ///   - person: the user account, for the event.
  ///   - reason: why, for people; without patient data.
  /// - Returns: the state that follows.
  @discardableResult
  public func resumeProcessing(by person: String, reason: String?) throws(LedgerError)
    -> ProcessingState
  {
    try setProcessing(.active, false, by: person, reason: reason)
  }

  /// Records that nothing runs any more, where processing is draining and that is so.
  ///
  /// - Returns: whether it was recorded now.
  public func recordDrained() throws(LedgerError) -> Bool {
    // A reader does not wait for what is being written, and nearly always there is nothing to record.
    let state = try processingState()
    guard state.mode == .draining, state.drainedAt == nil, state.runningJobs == 0 else {
      return false
    }
    return try write { db in
      try db.execute(
        sql: """
          UPDATE processing SET drained_at = ? WHERE mode = 'draining' AND drained_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM jobs WHERE state = 'running')
          """, arguments: [now])
      guard db.changesCount == 1 else { return false }
      try event(db, "processing drained", by: .program, "no job is running")
      return true
    }
  }

  private func setProcessing(
    _ mode: ProcessingState.Mode, _ interruptsRunning: Bool, by person: String, reason: String?
  ) throws(LedgerError) -> ProcessingState {
    try write { db in
      let before = try processingState(db)
      // Resuming what is active is no change of which anybody would want to know.
      guard mode != .active || before.mode != .active else { return before }
      try db.execute(
        sql: """
          UPDATE processing SET mode = ?, interrupts_running = ?, changed_at = ?, changed_by = ?,
            reason = ?, drained_at = NULL
          """, arguments: [mode.rawValue, interruptsRunning, now, person, reason])
      let kind = [
        .active: "processing resumed", .paused: "processing paused",
        .draining: "processing draining",
      ][mode, default: ""]
      try event(
        db, kind, by: .person, person: person,
        "by an administrator\(interruptsRunning ? ", running jobs too" : "")"
          + (reason.map { ": \($0)" } ?? ""))
      return try processingState(db)
    }
  }

  func processingState(_ db: Database) throws -> ProcessingState {
    guard let row = try Row.fetchOne(db, sql: "SELECT * FROM processing") else {
      throw DatabaseError(message: "the row of the table processing is gone")
    }
    let mode: String = try row.value("mode")
    return ProcessingState(
      mode: ProcessingState.Mode(rawValue: mode) ?? .active,
      interruptsRunning: try row.value("interrupts_running"),
      changedAt: try optionalDate(row, "changed_at"), changedBy: try row.value("changed_by"),
      reason: try row.value("reason"), drainedAt: try optionalDate(row, "drained_at"),
      runningJobs: try Int.fetchOne(
        db, sql: "SELECT count(*) FROM jobs WHERE state = 'running'") ?? 0)
  }
}
