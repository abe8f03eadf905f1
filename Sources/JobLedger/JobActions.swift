import Foundation
import GRDB
import Wording

/// What an administrator has done with jobs.
public enum JobAction: Sendable, Equatable {
  /// Runs what waits or was held, and sends what was not delivered, now.
  case retry
  /// Ends jobs without a result.
  case cancel
  /// Keeps waiting jobs from running.
  case hold
  /// Lets jobs go that a person held, series be processed although instances may be missing, and results be sent although
  /// they are suspect; the last only of jobs that are named by number, as somebody has to have looked at each.
  case release
  /// Runs held jobs with one of the volumes of their series, of this number in the verdict on it.
  case releaseVolume(Int)
  /// Jobs of a higher priority run first; 0 is that of a new job.
  case prioritize(Int)
}

/// Which jobs are meant: those that meet every condition that is given.
public struct JobSelection: Sendable, Equatable {
  public var jobs: [Int64] = []
  public var study: String?
  public var series: String?
  public var model: String?
  public var states: [JobState] = []
  public var madeBefore: Date?
  public var madeAfter: Date?
  /// Of jobs whose result goes to this destination, and that are in one of these states on their way.
  public var destination: String?
  public var deliveryStates: [DeliveryState] = []
  /// Jobs that this reprocessing made.
  public var reprocessing: Int64?

  public init() {}
}

/// What became of one of the jobs.
public struct JobChange: Sendable, Codable, Equatable {
  public var job: Int64
  public var seriesInstanceUID: String
  public var model: String
  /// Before.
  public var state: JobState
  public var isChanged: Bool
  /// What is done, or why nothing is; for people.
  public var outcome: String
}

extension Ledger {
  /// Does something with jobs, in one transaction.
  ///
  /// A held job is run again where it had begun; one that was held before is assembled anew, by the
  /// configuration of the daemon that does it, and the old job is cancelled.
  ///
  /// ```swift
  /// var held = JobSelection()
  /// held.states = [.held]
  /// for change in try ledger.apply(.retry, to: held, reason: "new model installed") { print(change) }
  /// ```
  ///
  /// - Parameters:
  ///   - action: what is done.
  ///   - selection: which jobs are meant.
  ///   - reason: why, for people; without patient data.
  ///   - person: who does it, for the events; nil for ``account``.
  ///   - isDryRun: whether nothing is changed.
  /// - Returns: what became, or would become, of each job, in the order of their numbers.
  public func apply(
    _ action: JobAction, to selection: JobSelection, reason: String? = nil,
    by person: String? = nil, isDryRun: Bool = false
  ) throws(LedgerError) -> [JobChange] {
    if isDryRun {
      return try read { db in
        try jobsAsked(selection, db).map { job in job.change(decision(action, job)) }
      }
    }
    return try write { db in
      try jobsAsked(selection, db).map { job in
        let decision = decision(action, job)
        try make(decision, job, Order(reason: reason, person: person), db)
        return job.change(decision)
      }
    }
  }

  /// What an administrator says with an action.
  private struct Order {
    var reason: String?
    var person: String?

    /// The reason, to be appended.
    var why: String { reason.map { ": \($0)" } ?? "" }
  }

  private enum Decision {
    case nothing(String)
    case runNow
    case makeAvailable
    case assembleAgain
    case deliverNow
    case cancel
    case hold
    case releaseSeries
    case releaseResult
    case takeVolume(Int, of: Int, name: String)
    case prioritize(Int)

    var outcome: String {
      switch self {
      case .nothing(let why): why
      case .runNow: "runs next"
      case .makeAvailable: "waits for its turn"
      case .assembleAgain: "its series is assembled anew"
      case .deliverNow: "is sent now"
      case .cancel: "is cancelled"
      case .hold: "is held until it is released"
      case .releaseSeries: "its series is processed although instances may be missing"
      case .releaseResult: "its result is made again, and sent although it is suspect"
      case .takeVolume(let number, let count, let name):
        "waits for its turn, with volume \(number) of \(count) (\(name))"
      case .prioritize(let priority): "has priority \(priority)"
      }
    }

    var isChange: Bool {
      if case .nothing = self { false } else { true }
    }
  }

  private struct AskedJob {
    var id: Int64
    /// Whether it was asked for by its number.
    var isNamed: Bool
    var series: String
    var model: String
    var state: JobState
    var reason: String
    var hasBegun: Bool
    var isHeldByPerson: Bool
    var isHeldAsIncomplete: Bool
    var isHeldAsSuspect: Bool { state == .held && hasBegun && reason.hasPrefix(Ledger.suspectSign) }
    /// A later job of the series for the same model, or of more instances.
    var successor: Int64?
    /// The job that has the files and deliveries of the result.
    var owner: Int64
    /// Whether the result is the current one and a destination lacks it.
    var isUndelivered: Bool
    /// On the instances that it is about; nil where they were not assessed.
    var verdict: SeriesVerdict?
    var hasChannels: Bool

    func change(_ decision: Decision) -> JobChange {
      JobChange(
        job: id, seriesInstanceUID: series, model: model, state: state,
        isChanged: decision.isChange, outcome: decision.outcome)
    }
  }

  private func jobsAsked(_ selection: JobSelection, _ db: Database) throws -> [AskedJob] {
    let (condition, arguments) = selection.condition { time(of: $0) }
    return try Row.fetchAll(
      db,
      sql: """
        SELECT jobs.*, held_as_incomplete,
          (SELECT max(later.id) FROM jobs AS later WHERE later.series_uid = jobs.series_uid
            AND later.id > jobs.id
            AND (later.model = jobs.model OR later.revision > jobs.revision)) AS successor,
          ifnull(results.same_as, jobs.id) AS owner,
          results.superseded_by IS NULL AND EXISTS (SELECT 1 FROM deliveries
            WHERE deliveries.job_id = ifnull(results.same_as, jobs.id)
              AND (deliveries.state IN ('waiting', 'sent', 'held')
                OR deliveries.state = 'delivered' AND \(Self.hasDeclined)
                  AND (SELECT own.purged_at FROM results AS own
                    WHERE own.job_id = deliveries.job_id) IS NULL)) AS is_undelivered,
          EXISTS (SELECT 1 FROM job_inputs
            WHERE job_id = jobs.id AND role = 'channel') AS has_channels
        FROM jobs JOIN series USING (series_uid) LEFT JOIN results ON results.job_id = jobs.id
        WHERE \(condition) ORDER BY jobs.id
        """, arguments: arguments
    ).map { row in
      let state: String = try row.value("state")
      guard let known = JobState(rawValue: state) else {
        throw LedgerError.failed(path: path, reason: "a job has the unknown state \(state)")
      }
      let (id, series): (Int64, String) = (try row.value("id"), try row.value("series_uid"))
      return AskedJob(
        id: id, isNamed: !selection.jobs.isEmpty, series: series,
        model: try row.value("model"), state: known, reason: try row.value("reason") ?? "",
        hasBegun: try row.value("attempt_count") > 0,
        isHeldByPerson: try row.value("is_held_by_person"),
        isHeldAsIncomplete: try row.value("held_as_incomplete"),
        successor: try row.value("successor"), owner: try row.value("owner"),
        isUndelivered: try row.value("is_undelivered"),
        verdict: known == .held
          ? try verdict(job: id, series: series, revision: try row.value("revision"), db)?.verdict
          : nil,
        hasChannels: try row.value("has_channels"))
    }
  }

  private func decision(_ action: JobAction, _ job: AskedJob) -> Decision {
    switch (action, job.state) {
    case (.releaseVolume, .completed):
      return .nothing("is completed; reprocess --volume makes a new job")
    case (_, .cancelled): return .nothing("was cancelled; reprocess makes a new job")
    case (.retry, .completed):
      return job.isUndelivered ? .deliverNow : .nothing("is completed")
    case (_, .completed): return .nothing("is completed")
    case (.retry, .retryable): return .runNow
    case (.retry, .available): return .nothing("waits for its turn already")
    case (.cancel, _): return .cancel
    case (.prioritize(let priority), .available), (.prioritize(let priority), .retryable):
      return .prioritize(priority)
    case (.hold, .available), (.hold, .retryable): return .hold
    case (_, .running): return .nothing("is running")
    case (.release, .held): return release(job)
    case (.releaseVolume(let number), .held): return release(job, volume: number)
    case (.retry, .held):
      if let successor = job.successor { return .nothing("job \(successor) took its place") }
      return job.hasBegun || job.isHeldByPerson ? .makeAvailable : .assembleAgain
    case (_, .held): return .nothing("is held already")
    case (.release, _), (.releaseVolume, _): return .nothing("is not held")
    }
  }

  private func release(_ job: AskedJob) -> Decision {
    if let successor = job.successor { return .nothing("job \(successor) took its place") }
    if job.isHeldByPerson { return .makeAvailable }
    if job.isHeldAsIncomplete { return .releaseSeries }
    if job.isHeldAsSuspect {
      guard job.isNamed else {
        return .nothing("its result is suspect: look at it, and release it by its number")
      }
      return .releaseResult
    }
    return .nothing("is not held for want of instances: \(job.reason)")
  }

  private func release(_ job: AskedJob, volume number: Int) -> Decision {
    if let successor = job.successor { return .nothing("job \(successor) took its place") }
    if job.isHeldAsIncomplete {
      return .nothing("instances may be missing: release it without --volume first")
    }
    guard !job.model.isEmpty, !job.hasChannels else {
      let what = job.model.isEmpty ? "no rule takes its series" : "its model takes several series"
      return .nothing("\(what): no volume can be chosen")
    }
    guard let verdict = job.verdict, verdict.kind != .held else {
      return .nothing("the geometry of its series is not accepted: \(job.reason)")
    }
    let names = verdict.volumes.map(\.name)
    guard names.count > 1, names.indices.contains(number - 1) else {
      return .nothing(
        "there is no choice of volume \(number): its series has \(counted(names.count, "volume"))")
    }
    let name = names[number - 1]
    guard !name.isEmpty, names.count(where: { $0 == name }) == 1 else {
      return .nothing("nothing distinguishes volume \(number) from another one of its series")
    }
    return .takeVolume(number, of: names.count, name: name)
  }

  private func make(_ decision: Decision, _ job: AskedJob, _ order: Order, _ db: Database) throws {
    let why = order.why
    let person = order.person
    switch decision {
    case .nothing: break
    case .runNow:
      try schedule(job.id, at: now, db)
      try event(
        db, "retried", by: .person, series: job.series, job: job.id, person: person,
        "by an administrator\(why)")
    case .makeAvailable: try makeAvailable(job, order, db)
    case .assembleAgain:
      try cancelHeld(
        series: job.series, reason: "tried again by an administrator\(why)", by: person, db)
      try assembleAgain(series: job.series, db)
    case .deliverNow:
      try db.execute(
        sql: """
          UPDATE deliveries
          SET state = iif(state = 'sent' AND NOT \(Self.hasDeclined), 'sent', 'waiting'),
            scheduled_at = ?, delivered_at = NULL
          WHERE job_id = ? AND (state IN ('waiting', 'sent', 'held')
            OR state = 'delivered' AND \(Self.hasDeclined))
          """, arguments: [now, job.owner])
      try forgiveMissing("job_id = ? AND state = 'waiting'", [job.owner], db)
      try event(
        db, "delivery retried", by: .person, series: job.series, job: job.id, person: person,
        "by an administrator\(why)")
    case .cancel:
      try cancel(
        job.id, from: Self.waitingStates + ["running", "held"],
        reason: "cancelled by an administrator\(why)", by: .person, person: person, db)
    case .hold:
      let reason = "held by an administrator\(why)"
      _ = try end(job.id, from: Self.waitingStates, as: "held", message: reason, db)
      try db.execute(
        sql: "UPDATE jobs SET is_held_by_person = 1 WHERE id = ?", arguments: [job.id])
      try event(
        db, "held", by: .person, series: job.series, job: job.id, person: person, reason)
    case .releaseSeries: try releaseSeries(of: job, order, db)
    case .releaseResult: try makeAvailable(job, order, as: "result released", db)
    case .takeVolume(let number, let count, let name):
      try db.execute(
        sql: "UPDATE jobs SET volume = ?, volume_cause = 'person' WHERE id = ?",
        arguments: [name, job.id])
      try event(
        db, "volume chosen", by: .person, series: job.series, job: job.id, person: person,
        "volume \(number) of \(count) (\(name)), by an administrator\(why)")
      try makeAvailable(job, order, db)
    case .prioritize(let priority):
      try db.execute(
        sql: "UPDATE jobs SET priority = ? WHERE id = ?", arguments: [priority, job.id])
      try event(
        db, "prioritized", by: .person, series: job.series, job: job.id, person: person,
        "priority \(priority), by an administrator\(why)")
    }
  }

  private func makeAvailable(
    _ job: AskedJob, _ order: Order, as kind: String? = nil, _ db: Database
  ) throws {
    try db.execute(
      sql: """
        UPDATE jobs SET state = 'available', finished_at = NULL, reason = NULL, scheduled_at = ?,
          forgiven_attempts = attempt_count, is_held_by_person = 0
        WHERE id = ?
        """, arguments: [now, job.id])
    let kind = kind ?? (job.isHeldByPerson ? "resumed" : "retried")
    try event(
      db, kind, by: .person, series: job.series, job: job.id, person: order.person,
      "by an administrator\(order.why)")
  }

  /// Jobs that were held when their series was assembled: the next assembly makes new ones.
  private func cancelHeld(series: String, reason: String, by person: String?, _ db: Database) throws
  {
    let held = try Int64.fetchAll(
      db,
      sql: """
        SELECT id FROM jobs WHERE series_uid = ? AND state = 'held' AND attempt_count = 0
          AND NOT is_held_by_person
        """, arguments: [series])
    for job in held {
      try cancel(job, from: ["held"], reason: reason, by: .person, person: person, db)
    }
  }

  private func assembleAgain(series: String, _ db: Database) throws {
    try db.execute(
      sql: """
        UPDATE series
        SET revision = revision + 1, last_received_at = ?, held_as_incomplete = 0
        WHERE series_uid = ? AND assembled_revision = revision
        """, arguments: [now, series])
  }

  private func releaseSeries(of job: AskedJob, _ order: Order, _ db: Database) throws {
    let inputs = try String.fetchAll(
      db, sql: "SELECT series_uid FROM job_inputs WHERE job_id = ?", arguments: [job.id])
    for series in Set([job.series] + inputs) {
      try db.execute(
        sql: "UPDATE series SET released_at = ? WHERE series_uid = ?", arguments: [now, series])
      try db.execute(
        sql: """
          UPDATE refused_instances SET resolved_at = ?, resolution = 'released'
          WHERE series_uid = ? AND resolved_at IS NULL
          """, arguments: [now, series])
      try event(
        db, "incomplete series released", by: .person, series: series, job: job.id,
        person: order.person,
        "by an administrator, although instances may be missing\(order.why)")
    }
    try cancelHeld(
      series: job.series, reason: "released by an administrator\(order.why)", by: order.person, db)
    try assembleAgain(series: job.series, db)
  }
}
