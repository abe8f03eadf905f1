import Foundation
import GRDB

/// A series of a study with the models that its jobs so far were for.
public struct SeriesOfStudy: Sendable, Equatable {
  public var seriesInstanceUID: String
  public var modality: String
  public var models: [String]
  /// Those of the models for which a rule takes another series of the study by now.
  public var outdoneModels: Set<String> = []
}

/// Series that a result was made of together.
public struct SeriesGroup: Sendable, Equatable {
  public var model: String
  /// Slices of one stack; else the channels of the model.
  public var isStack: Bool
  public var series: [String]
}

/// Which series are to be segmented again: those that meet every condition that is given.
public struct ReprocessSelection: Sendable, Equatable {
  /// Studies and series, by UID; empty for all.
  public var uids: [String] = []
  /// With an instance that came since.
  public var receivedSince: Date?
  /// With a job for this model.
  public var model: String?
  /// Whose last job for a model is held, and not by a person.
  public var onlyFailed = false

  public init() {}
}

/// A series that a selection is about.
public struct SelectedSeries: Sendable, Equatable {
  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  /// Models whose last job for it is held, and not by a person; the empty name where no rule took it.
  public var failedModels: Set<String>
}

/// A job that was asked for.
public struct RequestedJob: Sendable, Equatable {
  public var id: Int64
  /// False where it was there already: it waits, and is for the same images and model.
  public var isNew: Bool
}

/// The result of a series and a model that counts.
public struct CurrentResult: Sendable, Equatable {
  /// The last job that came to it.
  public var job: Int64
  /// Nil of a result of an older version.
  public var fingerprint: String?
  public var modelVersion: String
}

extension Ledger {
  /// The series of a study, or the one named.
  ///
  /// - Throws: ``LedgerError/unknownStudy(_:)`` or ``LedgerError/unknownSeries(series:study:)``
  ///   when nothing of it was ever received.
  public func series(ofStudy study: String, only series: String? = nil) throws(LedgerError)
    -> [SeriesOfStudy]
  {
    let found = try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT series_uid, modality FROM series
          WHERE study_uid = ?1 AND (?2 IS NULL OR series_uid = ?2) ORDER BY series_uid
          """, arguments: [study, series]
      ).map { row in
        let uid: String = try row.value("series_uid")
        let last = try Row.fetchAll(db, sql: Self.lastJobsOfSeries, arguments: [uid])
        return SeriesOfStudy(
          seriesInstanceUID: uid, modality: try row.value("modality"),
          models: try last.map { try $0.value("model") },
          outdoneModels: Set(
            try last.filter { try $0.value("is_outdone") }.map { try $0.value("model") }))
      }
    }
    guard found.isEmpty else { return found }
    if let series { throw .unknownSeries(series: series, study: study) }
    throw .unknownStudy(study)
  }

  /// The series of which current results of a study were made together.
  public func groupsWithResults(ofStudy study: String) throws(LedgerError) -> [SeriesGroup] {
    try read { db in
      let rows = try Row.fetchAll(
        db,
        sql: """
          SELECT jobs.id, jobs.model, jobs.series_uid AS first, job_inputs.series_uid AS input, role
          FROM series JOIN jobs ON jobs.series_uid = series.series_uid
            JOIN results ON results.job_id = jobs.id JOIN job_inputs ON job_inputs.job_id = jobs.id
          WHERE series.study_uid = ? AND superseded_by IS NULL ORDER BY jobs.id, position
          """, arguments: [study])
      var groups: [Int64: SeriesGroup] = [:]
      for row in rows {
        let (id, first): (Int64, String) = (try row.value("id"), try row.value("first"))
        let role: String = try row.value("role")
        let group = SeriesGroup(
          model: try row.value("model"), isStack: role == "stack", series: [first])
        groups[id, default: group].series.append(try row.value("input"))
      }
      return groups.sorted { $0.key < $1.key }.map(\.value)
    }
  }

  /// The last job of a series for each model, and whether another series has its place.
  private static let lastJobsOfSeries = """
    SELECT model, EXISTS (SELECT 1 FROM job_alternatives JOIN jobs AS other ON other.id = job_id
        WHERE job_alternatives.series_uid = last.series_uid AND NOT is_better
          AND other.model = last.model AND other.id > last.id AND other.state <> 'cancelled')
      OR EXISTS (SELECT 1 FROM results JOIN jobs AS newer ON newer.id = superseded_by
        WHERE results.job_id = last.id AND newer.series_uid <> last.series_uid) AS is_outdone
    FROM jobs AS last WHERE id IN
      (SELECT max(id) FROM jobs WHERE series_uid = ? AND model <> '' GROUP BY model)
    ORDER BY model
    """

  /// Series of which instances came that meet a selection, in the order of their studies.
  public func selectedSeries(_ selection: ReprocessSelection) throws(LedgerError)
    -> [SelectedSeries]
  {
    try read { db in
      let uids = String(decoding: try JSONEncoder().encode(selection.uids), as: UTF8.self)
      let rows = try Row.fetchAll(
        db,
        sql: """
          SELECT series_uid, study_uid,
            (SELECT group_concat(model, char(10)) FROM jobs AS last
              WHERE last.series_uid = series.series_uid AND +state = 'held'
                AND NOT is_held_by_person AND NOT EXISTS (SELECT 1 FROM jobs AS later
                  WHERE later.series_uid = last.series_uid AND later.id > last.id
                    AND (last.model = '' OR later.model IN (last.model, '')))) AS failed
          FROM series
          WHERE EXISTS (SELECT 1 FROM instances WHERE instances.series_uid = series.series_uid
              AND (?2 IS NULL OR received_at >= ?2))
            AND (?1 = '[]' OR study_uid IN (SELECT value FROM json_each(?1))
              OR series_uid IN (SELECT value FROM json_each(?1)))
            AND (?3 IS NULL OR EXISTS (SELECT 1 FROM jobs
              WHERE jobs.series_uid = series.series_uid AND jobs.model = ?3))
          ORDER BY study_uid, series_uid
          """,
        arguments: [
          uids, selection.receivedSince.map { time(of: $0) }, selection.model,
        ])
      return try rows.compactMap { row in
        let failed: String? = try row.value("failed")
        guard failed != nil || !selection.onlyFailed else { return nil }
        return SelectedSeries(
          studyInstanceUID: try row.value("study_uid"),
          seriesInstanceUID: try row.value("series_uid"),
          failedModels: Set(
            failed?.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) ?? [])
        )
      }
    }
  }

  /// Those of the UIDs that are neither of a study nor of a series that is known.
  public func unknown(_ uids: [String]) throws(LedgerError) -> [String] {
    try read { db in
      try uids.filter { uid in
        try Bool.fetchOne(
          db,
          sql: """
            SELECT NOT EXISTS (SELECT 1 FROM series WHERE series_uid = ?1)
              AND NOT EXISTS (SELECT 1 FROM series WHERE study_uid = ?1)
            """, arguments: [uid]) ?? true
      }
    }
  }

  /// Series of a study of which instances came that have not been assembled, or are still coming.
  public func unassembledSeries(ofStudy study: String) throws(LedgerError) -> [String] {
    try read { db in
      try String.fetchAll(
        db,
        sql: """
          SELECT series_uid FROM series
          WHERE study_uid = ? AND (assembled_revision < revision OR \(Self.isArriving("series")))
          ORDER BY series_uid
          """, arguments: [study])
    }
  }

  /// The result of a series for a model that counts; nil where there is none.
  public func currentResult(series: String, model: String) throws(LedgerError) -> CurrentResult? {
    try read { db in
      try Row.fetchOne(
        db,
        sql: """
          SELECT jobs.id, fingerprint, model_version FROM jobs JOIN results ON job_id = jobs.id
          WHERE series_uid = ? AND model = ? AND superseded_by IS NULL ORDER BY jobs.id DESC
          """, arguments: [series, model]
      ).map {
        CurrentResult(
          job: try $0.value("id"), fingerprint: try $0.value("fingerprint"),
          modelVersion: try $0.value("model_version"))
      }
    }
  }

  /// Has one more job run for a series, whatever became of earlier ones; where such a job waits already, it
  /// is that one.
  ///
  /// - Returns: the job's number.
  public func reprocess(series: String, job: NewJob, by cause: EventCause = .person)
    throws(LedgerError) -> Int64
  {
    try requestJob(series: series, job, by: cause).id
  }

  /// Has one more job run for a series, whatever became of earlier ones; where such a job waits already, it
  /// is that one, with the higher priority and the earlier time of both.
  ///
  /// A daemon that has the ledger open runs it. Where images, model and settings are those of the last
  /// result and it is not forced, it comes to that result; else its result supersedes those of earlier
  /// jobs for the same series and model.
  ///
  /// - Parameters:
  ///   - series: Series Instance UID.
  ///   - job: the job.
  ///   - cause: what asks for it.
  public func requestJob(series: String, _ job: NewJob, by cause: EventCause = .person)
    throws(LedgerError) -> RequestedJob
  {
    try write { db in try request(job, series: series, by: cause, db) }
  }

  /// The same for several jobs, in one transaction: all of them are made, or none.
  ///
  /// - Parameters:
  ///   - jobs: each with its series.
  ///   - cause: what asks for them.
  /// - Returns: what became of each, in their order.
  public func requestJobs(
    _ jobs: [(series: String, job: NewJob)], by cause: EventCause = .person
  ) throws(LedgerError) -> [RequestedJob] {
    try write { db in try jobs.map { try request($0.job, series: $0.series, by: cause, db) } }
  }

  private func request(_ job: NewJob, series: String, by cause: EventCause, _ db: Database) throws
    -> RequestedJob
  {
    guard let id = try waitingJob(like: job, series: series, db) else {
      let id = try insert(job, series: series, by: cause, db)
      try settleAlternatives(to: id, job, series: series, db)
      return RequestedJob(id: id, isNew: true)
    }
    try db.execute(
      sql: """
        UPDATE jobs SET priority = max(priority, ?), scheduled_at = min(scheduled_at, ?)
        WHERE id = ? AND state IN ('available', 'retryable')
        """, arguments: [job.priority, now + job.delay, id])
    if job.volume?.cause == .person {
      try db.execute(
        sql: "UPDATE jobs SET volume_cause = ? WHERE id = ?",
        arguments: [EventCause.person.rawValue, id])
    }
    if cause == .person {
      try event(
        db, "asked again", by: cause, series: series, job: id,
        "it was asked for once more, and waits already")
    }
    return RequestedJob(id: id, isNew: false)
  }

  /// The job that waits for the same as a new one; nil where there is none.
  ///
  /// - Parameters:
  ///   - job: the new one.
  ///   - series: its series.
  public func waitingJob(like job: NewJob, series: String) throws(LedgerError) -> Int64? {
    try read { db in try waitingJob(like: job, series: series, db) }
  }

  /// One that is held before it ran, for the same reason, waits as well.
  private func waitingJob(like job: NewJob, series: String, _ db: Database) throws -> Int64? {
    let reason: String?
    switch job.start {
    case .available: reason = nil
    case .held(let why): reason = why
    case .cancelled: return nil
    }
    let candidates = try Int64.fetchAll(
      db,
      sql: """
        SELECT id FROM jobs JOIN series USING (series_uid)
        WHERE series_uid = ? AND model = ? AND jobs.revision = series.revision
          AND volume IS ? AND is_forced >= ?
          AND iif(?5 IS NULL, state IN ('available', 'retryable'),
            state = 'held' AND attempt_count = 0 AND reason = ?5)
        ORDER BY id
        """, arguments: [series, job.model, job.volume?.name, job.isForced, reason])
    return try candidates.first { id in
      let inputs = try Row.fetchAll(
        db,
        sql: """
          SELECT channel, series_uid, job_inputs.revision = series.revision AS is_current
          FROM job_inputs JOIN series USING (series_uid) WHERE job_id = ? ORDER BY position
          """, arguments: [id])
      guard inputs.count == job.inputs.count else { return false }
      return try zip(inputs, job.inputs).allSatisfy { row, input in
        try row.value("is_current") && row.value("channel") == input.channel ?? ""
          && row.value("series_uid") == input.seriesInstanceUID
      }
    }
  }

  /// How far some jobs have come.
  public func progress(ofJobs jobs: [Int64]) throws(LedgerError) -> JobProgress {
    try read { db in
      let ids = String(decoding: try JSONEncoder().encode(jobs), as: UTF8.self)
      let rows = try Row.fetchAll(
        db,
        sql: """
          SELECT state, count(*) AS n,
            total(EXISTS (SELECT 1 FROM deliveries WHERE deliveries.job_id =
                ifnull((SELECT same_as FROM results WHERE results.job_id = jobs.id), jobs.id)
              AND deliveries.state IN ('waiting', 'sending'))) AS undelivered
          FROM jobs WHERE id IN (SELECT value FROM json_each(?)) GROUP BY state
          """, arguments: [ids])
      var progress = JobProgress()
      for row in rows {
        let state: String = try row.value("state")
        guard let state = JobState(rawValue: state) else { continue }
        progress.states[state] = try row.value("n")
        progress.undelivered += Int(try row.value("undelivered") as Double)
      }
      return progress
    }
  }
}

/// How far some jobs have come.
public struct JobProgress: Sendable, Equatable {
  /// How many there are in each state; one without jobs is left out.
  public var states: [JobState: Int] = [:]
  /// How many have a result that is still to be sent.
  public var undelivered = 0

  /// How many nothing more happens to by itself.
  public var ended: Int {
    states.filter { $0.key.isFinal }.values.reduce(0, +)
  }

  /// "10 completed, 1 held", in the order of the states.
  public var text: String {
    JobState.allCases.compactMap { state in
      states[state].map { "\($0) \(state.rawValue)" }
    }.joined(separator: ", ")
  }
}
