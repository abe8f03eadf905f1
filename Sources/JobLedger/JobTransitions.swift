import Foundation
import GRDB
import Wording

extension Ledger {
  static let waitingStates = ["available", "retryable"]

  /// Ends a running job whose series cannot be segmented. Where a rule compared it with others of the
  /// study, the next best is assembled again, to be segmented in its place.
  ///
  /// - Parameters:
  ///   - id: the job's number.
  ///   - reason: why, for people; without patient data.
  ///   - verdicts: what the gate made of the job's series, written in the same transaction. Without
  ///     any it is a fault that holds the job, and no rule.
  ///   - run: what the attempt took.
  public func holdJob(
    _ id: Int64, reason: String, verdicts: [SeriesVerdict] = [], run: JobRun? = nil
  ) throws(LedgerError) {
    try write { db in
      try record(run, job: id, db)
      let job = try end(id, as: "held", message: reason, db)
      try record(verdicts, job: id, db)
      try event(
        db, "held", by: verdicts.isEmpty ? .fault : .rule, series: job.series, job: id, reason)
      if !verdicts.isEmpty { try tryAlternative(to: id, db) }
    }
  }

  /// Puts a running job that failed back for another attempt, or holds it after the last.
  public func failJob(_ id: Int64, reason: String, policy: RetryPolicy) throws(LedgerError) {
    try write { db in
      let failures = try attempts(id, outcome: "failed", db) + 1
      let pause = policy.pause(after: failures)
      let state = pause == nil ? "held" : "retryable"
      let reason = pause == nil ? "failed \(counted(failures, "time")), at last: \(reason)" : reason
      let job = try end(id, as: state, attempt: "failed", message: reason, db)
      if let pause { try schedule(id, at: now + pause, db) }
      try event(db, state, by: .fault, series: job.series, job: id, reason)
    }
  }

  /// Gives a running job back that this process has no time to finish, as when it shuts down.
  public func releaseJob(_ id: Int64) throws(LedgerError) {
    try write { db in
      let job = try end(id, as: "available", attempt: "released", message: nil, db)
      try event(
        db, "released", by: .program, series: job.series, job: id, "the process shut down")
    }
  }

  /// Gives a running job back that cannot run now, as for lack of memory or space, and takes it again
  /// after a pause. It counts as no failure and does so any number of times.
  ///
  /// - Parameters:
  ///   - id: the job's number.
  ///   - reason: why, for people; without patient data.
  ///   - policy: gives the pause by how many times the job was postponed in a row.
  public func postponeJob(_ id: Int64, reason: String, policy: RetryPolicy) throws(LedgerError) {
    try write { db in
      let pause = policy.pause(after: try postponements(id, db) + 1) ?? policy.longestPause
      let job = try end(id, as: "retryable", attempt: "released", message: reason, db)
      try schedule(id, at: now + pause, db)
      try event(db, "postponed", by: .fault, series: job.series, job: id, reason)
    }
  }

  /// Ends a job that waits or runs.
  ///
  /// The process that runs it learns of it when it wants to complete it, and sends nothing.
  public func cancelJob(_ id: Int64, reason: String, by cause: EventCause = .person)
    throws(LedgerError)
  {
    try write { db in
      try cancel(id, from: Self.waitingStates + ["running"], reason: reason, by: cause, db)
    }
  }

  /// Makes the jobs and deliveries of a process that was killed available again.
  ///
  /// A job that was interrupted goes behind those that wait, and after `maximumRescues` times it is
  /// held: one that kills the process each time would keep all others from running. A series
  /// that is not assembled waits for a whole quiet period again, so that a sender can continue.
  /// Associations that were open are closed as interrupted.
  ///
  /// Call it only while holding the lock of the state directory.
  ///
  /// - Parameters:
  ///   - maximumRescues: how often a job may be interrupted.
  ///   - daemon: whose receiving processes are running, so that their associations stay open.
  /// - Returns: how many jobs will run again.
  @discardableResult
  public func rescue(maximumRescues: Int = 5, daemon: String? = nil) throws(LedgerError) -> Int {
    try write { db in
      let message = "the process ended during the job"
      var rescued = 0
      for id in try Int64.fetchAll(db, sql: "SELECT id FROM jobs WHERE state = 'running'") {
        let rescues = try attempts(id, outcome: "rescued", db)
        if rescues < maximumRescues {
          let job = try end(id, as: "available", attempt: "rescued", message: message, db)
          try schedule(id, at: now, db)
          try event(db, "rescued", by: .fault, series: job.series, job: id, message)
          rescued += 1
        } else {
          let reason = "the process ended \(counted(rescues + 1, "time")) during this job"
          let job = try end(id, as: "held", attempt: "rescued", message: reason, db)
          try event(db, "held", by: .fault, series: job.series, job: id, reason)
        }
      }
      try rescueDeliveries(db)
      try closeInterruptedAssociations(
        .all(exceptOfDaemon: daemon), "segmentd ended while it was open", db)
      try db.execute(
        sql: "UPDATE series SET last_received_at = ? WHERE assembled_revision < revision",
        arguments: [now])
      return rescued
    }
  }

  func cancel(
    _ id: Int64, from states: [String], reason: String, by cause: EventCause,
    person: String? = nil, _ db: Database
  ) throws {
    let wasSuspect = try isHeldAsSuspect(job: id, db)
    let job = try end(id, from: states, as: "cancelled", message: reason, db)
    // Its pictures and segmentations were kept for whoever decides.
    if wasSuspect { try listForRemoval(["results/\(id)"], db) }
    try event(db, "cancelled", by: cause, series: job.series, job: id, person: person, reason)
  }

  struct EndedJob {
    var series: String
    var model: String
  }

  /// Leaves one of the states `from` and closes the attempt, whose outcome is the new state where
  /// no other is given.
  func end(
    _ id: Int64, from states: [String] = ["running"], as state: String,
    attempt outcome: String? = nil, message: String?, _ db: Database
  ) throws -> EndedJob {
    guard
      let row = try Row.fetchOne(db, sql: "SELECT * FROM jobs WHERE id = ?", arguments: [id])
    else { throw LedgerError.unknownJob(id) }
    let actual: String = try row.value("state")
    guard states.contains(actual) else {
      throw LedgerError.wrongState(
        job: id, state: actual, needed: states.joined(separator: " or "))
    }
    try db.execute(
      sql: "UPDATE jobs SET state = ?, finished_at = ?, reason = ? WHERE id = ?",
      arguments: [state, JobState(rawValue: state)?.isFinal == true ? now : nil, message, id])
    try db.execute(
      sql: """
        UPDATE attempts SET finished_at = ?, outcome = ?, message = ?
        WHERE job_id = ? AND finished_at IS NULL
        """, arguments: [now, outcome ?? state, message, id])
    return EndedJob(
      series: try row.value("series_uid"), model: try row.value("model"))
  }

  func schedule(_ id: Int64, at time: Double, _ db: Database) throws {
    try db.execute(sql: "UPDATE jobs SET scheduled_at = ? WHERE id = ?", arguments: [time, id])
  }

  /// How many times a job was postponed since its last attempt of another outcome.
  private func postponements(_ id: Int64, _ db: Database) throws -> Int {
    try Int.fetchOne(
      db,
      sql: """
        SELECT count(*) FROM attempts
        WHERE job_id = ?1 AND outcome = 'released' AND message IS NOT NULL
          AND number > (SELECT ifnull(max(number), 0) FROM attempts
            WHERE job_id = ?1 AND (outcome <> 'released' OR message IS NULL)
              AND finished_at IS NOT NULL)
        """, arguments: [id]) ?? 0
  }

  private func attempts(_ id: Int64, outcome: String, _ db: Database) throws -> Int {
    try Int.fetchOne(
      db,
      sql: """
        SELECT count(*) FROM attempts JOIN jobs ON jobs.id = job_id
        WHERE job_id = ? AND outcome = ? AND number > forgiven_attempts
        """, arguments: [id, outcome]) ?? 0
  }
}
