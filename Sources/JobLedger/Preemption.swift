import Foundation
import GRDB

extension Schema {
  /// Attempts that yielded to another job.
  static let preemption = """
    CREATE TABLE new_attempts (
      id               INTEGER PRIMARY KEY,
      job_id           INTEGER NOT NULL REFERENCES jobs,
      number           INTEGER NOT NULL,
      started_at       REAL NOT NULL,
      finished_at      REAL,
      outcome          TEXT CHECK (outcome IN
        ('completed', 'held', 'failed', 'rescued', 'released', 'preempted', 'cancelled')),
      message          TEXT,
      -- Of a finished attempt that computed: seconds of each stage as JSON, and bytes of memory as
      -- predicted and as the process had them at its peak.
      seconds          TEXT,
      predicted_memory INTEGER CHECK (predicted_memory >= 0),
      peak_memory      INTEGER CHECK (peak_memory >= 0),
      UNIQUE (job_id, number),
      CHECK ((finished_at IS NULL) = (outcome IS NULL))
    ) STRICT;
    INSERT INTO new_attempts (id, job_id, number, started_at, finished_at, outcome, message, seconds,
      predicted_memory, peak_memory)
      SELECT id, job_id, number, started_at, finished_at, outcome, message, seconds,
        predicted_memory, peak_memory FROM attempts;
    DROP TABLE attempts;
    ALTER TABLE new_attempts RENAME TO attempts;
    CREATE UNIQUE INDEX attempts_open ON attempts (job_id) WHERE finished_at IS NULL;
    """
}

/// Why a job that runs is to stop.
public enum YieldReason: Sendable, Equatable, CustomStringConvertible {
  /// A job of a higher priority is due.
  case urgentJob(Int64, priority: Int)
  /// A person paused processing and wanted running jobs to yield, too; the sentence of the pause.
  case paused(String)
  /// The job is in another state already, as when a person cancelled it.
  case ended(state: String)

  public var description: String {
    switch self {
    case .urgentJob(let id, let priority): "to job \(id) of priority \(priority)"
    case .paused(let text): text
    case .ended(let state): "it is \(state)"
    }
  }
}

extension Ledger {
  /// Why a job that this process runs is to stop; nil where it is not. A read by indexes.
  ///
  /// To a job of a higher priority yields the running one of the lowest, of several the last, and only where no
  /// place is free.
  ///
  /// - Parameters:
  ///   - id: the job's number.
  ///   - places: jobs that may run at the same time.
  /// - Throws: ``LedgerError/unknownJob(_:)``
  public func reasonToYield(job id: Int64, places: Int = 1) throws(LedgerError) -> YieldReason? {
    try read { db in
      guard
        let row = try Row.fetchOne(
          db, sql: "SELECT state, priority FROM jobs WHERE id = ?", arguments: [id])
      else { throw LedgerError.unknownJob(id) }
      let state: String = try row.value("state")
      guard state == "running" else { return .ended(state: state) }
      let processing = try processingState(db)
      if processing.interruptsRunning, let text = processing.pauseText { return .paused(text) }
      guard processing.mode == .active else { return nil }
      let priority: Int = try row.value("priority")
      let running = try Row.fetchOne(
        db,
        sql: """
          SELECT count(*) AS count,
            count(*) FILTER (WHERE priority < ?1 OR (priority = ?1 AND id > ?2)) AS before
          FROM jobs WHERE state = 'running'
          """, arguments: [priority, id])
      let free = places - (try running?.value("count") ?? 0)
      let before: Int = try running?.value("before") ?? 0
      // One of the urgent jobs for each free place and each job that yields first.
      let urgent = try Row.fetchAll(
        db, sql: Self.urgentJobs, arguments: [priority, now, id, max(0, free) + before + 1])
      guard let job = urgent.last, urgent.count > max(0, free) + before else { return nil }
      return .urgentJob(try job.value("id"), priority: try job.value("priority"))
    }
  }

  /// The first ?4 jobs that are due (?2 is now) of a higher priority than ?1 and wait for no running job of the
  /// same series and model but ?3. One that is tried again waits for its turn: it may be stopped each time, as by
  /// a lack of memory, and would stop the others too.
  static let urgentJobs = """
    SELECT id, priority FROM jobs INDEXED BY jobs_due
    WHERE state IN ('available', 'retryable') AND state = 'available' AND priority > ?1
      AND \(isDue) AND NOT \(isTaken)
    ORDER BY priority DESC, scheduled_at LIMIT ?4
    """

  /// Gives a running job back that yields; it counts as no failure, and waits in its former place.
  ///
  /// - Parameters:
  ///   - id: the job's number.
  ///   - reason: why, and what is kept of its work; for people, without patient data.
  public func yieldJob(_ id: Int64, reason: String) throws(LedgerError) {
    try write { db in
      let job = try end(id, as: "available", attempt: "preempted", message: reason, db)
      try event(db, "preempted", by: .program, series: job.series, job: id, reason)
    }
  }

  /// Notes what became of the checkpoint of a running job.
  ///
  /// - Parameters:
  ///   - id: the job's number.
  ///   - message: after the job's name, as "resumes at patch 3 of 40".
  public func noteCheckpoint(job id: Int64, _ message: String) throws(LedgerError) {
    try write { db in
      let series = try String.fetchOne(
        db, sql: "SELECT series_uid FROM jobs WHERE id = ?", arguments: [id])
      try event(db, "checkpoint", by: .program, series: series, job: id, message)
    }
  }

  /// Those of some numbers that are no job which is running or will run.
  public func jobsWithoutFuture(among ids: [Int64]) throws(LedgerError) -> [Int64] {
    try read { db in
      try ids.filter { id in
        let state = try String.fetchOne(
          db, sql: "SELECT state FROM jobs WHERE id = ?", arguments: [id])
        return state.flatMap(JobState.init(rawValue:))?.isFinal ?? true
      }
    }
  }
}
