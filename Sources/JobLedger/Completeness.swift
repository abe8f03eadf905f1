import Foundation
import GRDB
import Wording

/// A series about which the query source is to be asked.
public struct CompletenessQuestion: Sendable, Equatable {
  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  /// Of the series when the question is asked.
  public var revision: Int
}

/// What the query source says of a series.
public enum CompletenessFinding: Sendable, Equatable {
  /// Everything that it lists is here: so many instances, or none where it does not know the series.
  case complete(listed: Int)
  /// Instances are missing that it lists and does not give, or not as they should be.
  case missing(listed: Int, reason: String)
  /// It cannot be asked now.
  case unreachable(reason: String)
}

/// How long a series waits for the query source, and what happens then.
public struct CompletenessPolicy: Sendable {
  /// Seconds that a series waits before it is held or processed.
  public var patience: TimeInterval
  /// Whether a series is processed about which the source could not be asked.
  public var processesUnconfirmed: Bool
  /// After a broken association the source has to list the same twice, so many seconds apart: whoever
  /// sends to it and to us may have broken off there too.
  public var settleTime: TimeInterval
  public var retries: RetryPolicy

  /// - Parameters:
  ///   - patience: seconds that a series waits.
  ///   - processesUnconfirmed: whether it is processed then, where the source cannot be asked.
  ///   - settleTime: seconds between two answers after a broken association.
  ///   - retries: the pauses between questions.
  public init(
    patience: TimeInterval, processesUnconfirmed: Bool, settleTime: TimeInterval,
    retries: RetryPolicy = RetryPolicy(firstPause: 5, longestPause: 300, maximumAttempts: nil)
  ) {
    self.patience = patience
    self.processesUnconfirmed = processesUnconfirmed
    self.settleTime = settleTime
    self.retries = retries
  }
}

extension Ledger {
  /// Whether the query source is still to be asked about a series as it is now.
  static func isUnconfirmed(_ series: String) -> String {
    """
    (\(series).assembled_revision < \(series).revision
      AND (\(series).released_at IS NULL OR EXISTS (SELECT 1 FROM instances AS received
        WHERE received.series_uid = \(series).series_uid
          AND received.received_at > \(series).released_at))
      AND NOT EXISTS
      (SELECT 1 FROM completeness_checks AS asked
       WHERE asked.series_uid = \(series).series_uid AND asked.revision = \(series).revision
         AND asked.state <> 'waiting'))
    """
  }

  /// Series about which the query source is to be asked now: those that would be due without it, and
  /// those that are held for it.
  ///
  /// - Parameter quietPeriod: seconds without an instance of the series.
  public func completenessQuestions(quietPeriod: TimeInterval) throws(LedgerError)
    -> [CompletenessQuestion]
  {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT study_uid, series.series_uid, series.revision FROM series INDEXED BY series_due
            LEFT JOIN completeness_checks AS asked ON asked.series_uid = series.series_uid
              AND asked.revision = series.revision
          WHERE assembled_revision < series.revision AND last_received_at <= ?1
            AND NOT \(Self.isArriving("series"))
            AND (asked.state IS NULL OR asked.state = 'waiting' AND asked.scheduled_at <= ?2)
          UNION ALL
          SELECT study_uid, series.series_uid, series.revision
          FROM completeness_checks AS asked INDEXED BY completeness_checks_due
            CROSS JOIN series ON series.series_uid = asked.series_uid
              AND series.revision = asked.revision
          WHERE asked.state IN ('waiting', 'incomplete', 'unconfirmed')
            AND asked.state <> 'waiting' AND asked.scheduled_at <= ?2
            AND assembled_revision = series.revision AND held_as_incomplete = 1
            AND NOT \(Self.isArriving("series"))
          """, arguments: [now - quietPeriod, now]
      ).map {
        CompletenessQuestion(
          studyInstanceUID: try $0.value("study_uid"),
          seriesInstanceUID: try $0.value("series_uid"), revision: try $0.value("revision"))
      }
    }
  }

  /// Writes what the query source said. A series that is held for it and that lacks nothing any more is
  /// assembled again.
  ///
  /// Nothing happens where more of the series arrived in the meantime: then the source is asked again.
  ///
  /// - Parameters:
  ///   - finding: what it said.
  ///   - question: what it was asked.
  ///   - policy: how long the series waits.
  public func recordCompleteness(
    _ finding: CompletenessFinding, of question: CompletenessQuestion, policy: CompletenessPolicy
  ) throws(LedgerError) {
    try write { db in
      let series = question.seriesInstanceUID
      let revision = try Int.fetchOne(
        db, sql: "SELECT revision FROM series WHERE series_uid = ?", arguments: [series])
      guard revision == question.revision else { return }
      var check = try check(of: question, db)
      check.attempts += 1
      switch finding {
      case .complete(let listed):
        try take(listed, of: question, policy, &check, db)
      case .missing(let listed, let reason):
        check.listed = listed
        check.postpone(.incomplete, reason: reason, policy, now: now)
      case .unreachable(let reason):
        check.postpone(
          policy.processesUnconfirmed ? .unchecked : .unconfirmed, reason: reason, policy, now: now)
      }
      try write(check, series, db)
      if check.state == .confirmed { try confirm(question, listed: check.listed ?? 0, db) }
    }
  }

  /// Why the query source does not confirm a series as it is now.
  func unconfirmedReason(series: String, _ db: Database) throws -> (reason: String, isHeld: Bool)? {
    try Row.fetchOne(
      db,
      sql: """
        SELECT asked.state, asked.reason FROM completeness_checks AS asked
          JOIN series ON series.series_uid = asked.series_uid AND series.revision = asked.revision
        WHERE asked.series_uid = ? AND asked.state IN ('incomplete', 'unconfirmed', 'unchecked')
        """, arguments: [series]
    ).map { row in
      let state: String = try row.value("state")
      return (try row.value("reason"), state != CompletenessCheckRow.State.unchecked.rawValue)
    }
  }

  private func check(of question: CompletenessQuestion, _ db: Database) throws
    -> CompletenessCheckRow
  {
    let row = try Row.fetchOne(
      db, sql: "SELECT * FROM completeness_checks WHERE series_uid = ? AND revision = ?",
      arguments: [question.seriesInstanceUID, question.revision])
    return try row.map(CompletenessCheckRow.init)
      ?? CompletenessCheckRow(revision: question.revision, firstAt: now, scheduledAt: now)
  }

  /// Everything that the source lists is here. Without a broken association that is enough.
  private func take(
    _ listed: Int, of question: CompletenessQuestion, _ policy: CompletenessPolicy,
    _ check: inout CompletenessCheckRow, _ db: Database
  ) throws {
    let series = question.seriesInstanceUID
    let isBroken = try associations(series: series, db).contains(where: \.isUnresolved)
    let here = try instanceCount(series, db)
    defer { check.listed = listed }
    guard isBroken else { return check.confirm() }
    if listed < here {
      check.postpone(
        .incomplete,
        reason: "the query source lists \(counted(listed, "instance")) of the series and "
          + "\(counted(here, "is", "are")) here, so "
          + "that it cannot tell what was lost with the association", policy, now: now)
    } else if check.listed == listed, now >= check.scheduledAt {
      check.confirm()
    } else {
      check.scheduledAt = now + policy.settleTime
    }
  }

  private func confirm(_ question: CompletenessQuestion, listed: Int, _ db: Database) throws {
    let series = question.seriesInstanceUID
    let here = try instanceCount(series, db)
    try event(
      db, "completeness", by: .peer, series: series,
      "the query source lists \(counted(listed, "instance")), \(counted(here, "is", "are")) here")
    try db.execute(
      sql: """
        UPDATE association_series SET confirmed_at = ?1
        WHERE series_uid = ?2 AND resolved_by IS NULL AND confirmed_at IS NULL
          AND EXISTS (SELECT 1 FROM associations
            WHERE associations.id = association_id AND outcome IS NOT NULL)
        """, arguments: [now, series])
    try reopenIfComplete(series, db)
    // Where that began another revision, it has the same instances.
    try db.execute(
      sql: """
        UPDATE completeness_checks SET revision =
          (SELECT revision FROM series WHERE series.series_uid = completeness_checks.series_uid)
        WHERE series_uid = ?
        """, arguments: [series])
  }

  private func instanceCount(_ series: String, _ db: Database) throws -> Int {
    try Int.fetchOne(
      db, sql: "SELECT count(DISTINCT sop_uid) FROM instances WHERE series_uid = ?",
      arguments: [series]) ?? 0
  }

  private func write(_ check: CompletenessCheckRow, _ series: String, _ db: Database) throws {
    let before = try String.fetchOne(
      db,
      sql: "SELECT state FROM completeness_checks WHERE series_uid = ? AND revision = ?",
      arguments: [series, check.revision])
    try db.execute(
      sql: """
        INSERT INTO completeness_checks (series_uid, revision, state, attempt_count, first_at,
          scheduled_at, listed, reason)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (series_uid) DO UPDATE SET revision = excluded.revision,
          state = excluded.state, attempt_count = excluded.attempt_count,
          first_at = excluded.first_at, scheduled_at = excluded.scheduled_at,
          listed = excluded.listed, reason = excluded.reason
        """,
      arguments: [
        series, check.revision, check.state.rawValue, check.attempts, check.firstAt,
        check.scheduledAt, check.listed, check.reason,
      ])
    guard before != check.state.rawValue, let reason = check.reason else { return }
    try event(
      db, "completeness", by: check.state.cause, series: series,
      "\(check.state.rawValue): \(reason)")
  }
}

/// What is known of the answers of the query source about a series.
private struct CompletenessCheckRow {
  enum State: String {
    case waiting, confirmed, incomplete, unconfirmed, unchecked

    /// A source that does not answer is a fault, until it is known to be one of the peer.
    var cause: EventCause { self == .unconfirmed || self == .unchecked ? .fault : .peer }
  }

  var revision: Int
  var state = State.waiting
  var attempts = 0
  var firstAt: Double
  var scheduledAt: Double
  var listed: Int?
  var reason: String?

  init(revision: Int, firstAt: Double, scheduledAt: Double) {
    self.revision = revision
    self.firstAt = firstAt
    self.scheduledAt = scheduledAt
  }

  init(_ row: Row) throws {
    revision = try row.value("revision")
    state = State(rawValue: try row.value("state")) ?? .waiting
    attempts = try row.value("attempt_count")
    firstAt = try row.value("first_at")
    scheduledAt = try row.value("scheduled_at")
    listed = try row.value("listed")
    reason = try row.value("reason")
  }

  /// Whether the series is held for it.
  var isHeld: Bool { state == .incomplete || state == .unconfirmed }

  mutating func confirm() {
    state = .confirmed
    reason = nil
  }

  /// Asks again later; from the end of the patience on in the given state, and ever more rarely.
  mutating func postpone(
    _ end: State, reason: String, _ policy: CompletenessPolicy, now: Double
  ) {
    self.reason = reason
    let waited = now - firstAt
    let pause = policy.retries.pause(after: attempts) ?? policy.retries.longestPause
    if isHeld || waited >= policy.patience {
      state = end
      scheduledAt = now + max(pause, waited / 4)
    } else {
      state = .waiting
      scheduledAt = now + min(pause, policy.patience - waited)
    }
  }
}
