import Foundation
import GRDB

/// A series that is to be assembled: something arrived since its last job, and then nothing more.
public struct SeriesDue: Sendable, Equatable {
  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  public var modality: String
  public var revision: Int
  public var instanceCount: Int
  /// Whether nothing arrived for the whole study either.
  public var isStudyQuiet: Bool
}

/// A job to be made.
public struct NewJob: Sendable, Equatable {
  /// Where the job begins. Only an available one is run.
  public enum Start: Sendable, Equatable {
    case available
    case held(reason: String)
    case cancelled(reason: String)
  }

  public var model: String
  public var start: Start
  /// Whether a new result is made although there may be one of the same images, model and settings.
  public var isForced = false
  /// Jobs of a higher priority run first.
  public var priority = 0
  /// Seconds before it may run.
  public var delay: TimeInterval = 0
  /// The number of the reprocessing that makes it; nil for none.
  public var reprocessing: Int64?
  /// The series of each channel, in the model's order, and the further series of a stack; empty for
  /// a model of one channel and a series by itself.
  public var inputs: [Input] = []
  /// The volume of the series that was chosen; nil for the only one.
  public var volume: ChosenVolume?
  /// The series of the study in whose place this one is segmented, the best first.
  public var alternatives: [Alternative] = []

  /// A series that a rule compared with the job's.
  public struct Alternative: Sendable, Equatable {
    public var seriesInstanceUID: String
    /// Whether it would be segmented if it were not held.
    public var isBetter: Bool

    public init(seriesInstanceUID: String, isBetter: Bool) {
      self.seriesInstanceUID = seriesInstanceUID
      self.isBetter = isBetter
    }
  }

  /// A series that the model takes besides the job's own.
  public struct Input: Sendable, Equatable {
    /// The model's channel; nil for a series of one stack with the job's.
    public var channel: String?
    public var seriesInstanceUID: String

    public init(channel: String?, seriesInstanceUID: String) {
      self.channel = channel
      self.seriesInstanceUID = seriesInstanceUID
    }
  }

  /// - Parameters:
  ///   - model: the model's name; empty for a job that is only a record.
  ///   - start: where the job begins.
  ///   - priority: jobs of a higher priority run first.
  ///   - stackedWith: the further series of the stack of which the job's series is one.
  public init(
    model: String, start: Start = .available, priority: Int = 0, stackedWith: [String] = []
  ) {
    self.model = model
    self.start = start
    self.priority = priority
    inputs = stackedWith.map { Input(channel: nil, seriesInstanceUID: $0) }
  }
}

extension Ledger {
  /// Whether an association is open over which instances of a series came: it may still be aborted; or whether
  /// instances wait at a listener. One that is away is not waited for.
  static func isArriving(_ series: String) -> String {
    """
    (EXISTS (SELECT 1 FROM association_series JOIN associations ON associations.id = association_id
      WHERE association_series.series_uid = \(series).series_uid AND resolved_by IS NULL
        AND ended_at IS NULL AND away_since IS NULL)
    OR EXISTS (SELECT 1 FROM awaited_series JOIN listeners ON listeners.id = listener_id
      WHERE awaited_series.series_uid = \(series).series_uid AND away_since IS NULL))
    """
  }

  /// Series with instances that no job has seen, quiet for at least `quietPeriod` seconds and not
  /// on their way over an open association.
  ///
  /// - Parameters:
  ///   - quietPeriod: seconds without an instance of the series.
  ///   - onlyConfirmed: leaves out series about which the query source is still to be asked; a study
  ///     with such a series is not quiet.
  public func seriesDue(quietPeriod: TimeInterval, onlyConfirmed: Bool = false)
    throws(LedgerError) -> [SeriesDue]
  {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT study_uid, series_uid, modality, revision,
            (SELECT count(DISTINCT sop_uid) FROM instances
              WHERE instances.series_uid = series.series_uid) AS n,
            NOT EXISTS (SELECT 1 FROM series AS other
              WHERE other.study_uid = series.study_uid
                AND (other.last_received_at > ?1 OR \(Self.isArriving("other"))
                  OR ?2 AND \(Self.isUnconfirmed("other")))) AS quiet
          FROM series WHERE assembled_revision < revision AND last_received_at <= ?1
            AND NOT \(Self.isArriving("series"))
            AND NOT (?2 AND \(Self.isUnconfirmed("series")))
          ORDER BY last_received_at
          """, arguments: [now - quietPeriod, onlyConfirmed]
      ).map {
        SeriesDue(
          studyInstanceUID: try $0.value("study_uid"),
          seriesInstanceUID: try $0.value("series_uid"), modality: try $0.value("modality"),
          revision: try $0.value("revision"), instanceCount: try $0.value("n"),
          isStudyQuiet: try $0.value("quiet"))
      }
    }
  }

  /// Makes the jobs of a complete series, in one transaction with the note that it was assembled and
  /// with the verdict on it.
  ///
  /// Jobs of an older revision that have not started are cancelled where a new one takes their
  /// place, which has the higher priority of both; those for other models, made by `reprocess`, use the
  /// newer files.
  /// Nothing happens when an instance arrived, or another process assembled it, in the meantime.
  ///
  /// - Parameters:
  ///   - series: the series, as ``seriesDue(quietPeriod:onlyConfirmed:)`` returned it.
  ///   - jobs: the jobs to make, held and cancelled ones included.
  ///   - verdict: what the gate made of the series; nil where it was not assessed.
  ///   - rules: what each rule made of it, for people; without patient data.
  ///   - isHeldAsIncomplete: whether it is held because instances may be missing: once nothing is
  ///     missing any more, it is assembled again. Where that is so already, nothing happens.
  public func assembleSeries(
    _ series: SeriesDue, jobs: [NewJob], verdict: SeriesVerdict? = nil, rules: [String] = [],
    isHeldAsIncomplete: Bool = false
  ) throws(LedgerError) {
    try write { db in
      if isHeldAsIncomplete,
        try incompleteness(series: series.seriesInstanceUID, db).isEmpty
      {
        return
      }
      try db.execute(
        sql: """
          UPDATE series SET assembled_revision = revision, held_as_incomplete = ?
          WHERE series_uid = ? AND revision = ? AND assembled_revision < revision
          """, arguments: [isHeldAsIncomplete, series.seriesInstanceUID, series.revision])
      guard db.changesCount == 1 else { return }
      let waiting = try Row.fetchAll(
        db,
        sql: """
          SELECT id, model, priority FROM jobs
          WHERE series_uid = ? AND state IN ('available', 'retryable')
          """, arguments: [series.seriesInstanceUID])
      var jobs = jobs
      for old in waiting {
        let id: Int64 = try old.value("id")
        let model: String = try old.value("model")
        let priority: Int = try old.value("priority")
        if jobs.contains(where: { $0.model == model }) {
          for index in jobs.indices where jobs[index].model == model {
            jobs[index].priority = max(jobs[index].priority, priority)
          }
          try cancel(id, from: Self.waitingStates, reason: "more instances arrived", by: .peer, db)
        } else {
          try db.execute(
            sql: "UPDATE jobs SET revision = ? WHERE id = ?", arguments: [series.revision, id])
        }
      }
      if let verdict { try record(verdict, revision: series.revision, db) }
      for rule in rules {
        try event(db, "rules", by: .rule, series: series.seriesInstanceUID, rule)
      }
      for job in jobs {
        let id = try insert(job, series: series.seriesInstanceUID, by: .rule, db)
        try settleAlternatives(to: id, job, series: series.seriesInstanceUID, db)
        if let verdict { try eventOfVerdict(verdict, job: id, db) }
      }
    }
  }

  /// - Returns: the job's number.
  @discardableResult
  func insert(_ job: NewJob, series: String, by cause: EventCause, _ db: Database) throws
    -> Int64
  {
    let (state, reason): (String, String?) =
      switch job.start {
      case .available: ("available", nil)
      case .held(let reason): ("held", reason)
      case .cancelled(let reason): ("cancelled", reason)
      }
    try db.execute(
      sql: """
        INSERT INTO jobs (series_uid, revision, model, is_forced, priority, state, created_at,
          scheduled_at, finished_at, reason, volume, volume_cause, reprocessing_id)
        SELECT series_uid, revision, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM series WHERE series_uid = ?
        """,
      arguments: [
        job.model, job.isForced, job.priority, state, now, now + job.delay,
        reason == nil ? nil : now, reason,
        job.volume?.name, job.volume?.cause.rawValue, job.reprocessing, series,
      ])
    guard db.changesCount == 1 else {
      throw LedgerError.unknownSeries(series: series, study: nil)
    }
    let id = db.lastInsertedRowID
    try insert(job.inputs, job: id, db)
    try insert(job.alternatives, job: id, db)
    try event(
      db, reason == nil ? "created" : state, by: cause, series: series, job: id,
      reason
        ?? "job for model \(job.model)"
        + (job.volume.map { ", \($0.text)" } ?? "")
        + (job.priority == 0 ? "" : ", priority \(job.priority)"))
    return id
  }

  func insert(_ inputs: [NewJob.Input], job: Int64, _ db: Database) throws {
    for (position, input) in inputs.enumerated() {
      try db.execute(
        sql: """
          INSERT INTO job_inputs (job_id, position, role, channel, series_uid, revision)
          SELECT ?, ?, ?, ?, series_uid, revision FROM series WHERE series_uid = ?
          """,
        arguments: [
          job, position, input.channel == nil ? "stack" : "channel", input.channel ?? "",
          input.seriesInstanceUID,
        ])
      guard db.changesCount == 1 else {
        throw LedgerError.unknownSeries(series: input.seriesInstanceUID, study: nil)
      }
    }
  }
}
