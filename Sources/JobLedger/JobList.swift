import Foundation
import GRDB

/// A job as people and scripts see it.
public struct JobSummary: Sendable, Codable, Equatable {
  public struct Delivery: Sendable, Codable, Equatable {
    public var destination: String
    public var state: String
    public var attempts: Int
    /// When it is tried next, or, of what was sent, when the destination is asked again whether it keeps it.
    public var nextAt: Date?
    /// When the destination had taken every object.
    public var sentAt: Date?
    public var deliveredAt: Date?
    /// Why the last attempt failed, as far as it is known.
    public var lastFailure: DeliveryFailure?
    public var lastError: String?
    /// The objects that the destination gets, in the order in which they are sent.
    public var objects: [DeliveredObject]
  }

  public var id: Int64
  public var state: String
  public var model: String
  /// The volume of the series that was chosen; nil for the only one.
  public var volume: ChosenVolume?
  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  /// How many instances of the series the job is about.
  public var instances: Int
  public var attempts: Int
  /// Jobs of a higher priority run first; 0 where neither a rule nor a person has said otherwise.
  public var priority: Int
  public var createdAt: Date
  /// Of a job that waits, before when it does not run: the end of the pause after its last attempt.
  public var nextAt: Date?
  public var finishedAt: Date?
  /// Why the job is held, waits for another attempt or was given up.
  public var reason: String?
  /// What the geometry gate made of the series; nil where it was not assessed, as by a version of
  /// segmentd that kept no verdicts.
  public var verdict: SeriesVerdict.Kind?
  /// Why, everything that was found, the gravest first.
  public var verdictReasons: [String]
  /// The volumes that the series splits into.
  public var volumes: [SeriesVerdict.Volume]
  /// The segments that were found, of a completed job.
  public var summary: String?
  /// Numbers that the result comes to, such as an ejection fraction.
  public var measurements: [ResultMeasurement]
  public var modelVersion: String?
  /// The files of the result; empty while there is none.
  public var objects: [StoredObject]
  /// When the files of the result were purged; nil where they are kept.
  public var purgedAt: Date?
  /// Series Instance UID of the result's objects; nil before the job first ran.
  public var resultSeriesInstanceUID: String?
  /// The earlier job whose result this one came to, because images, model and settings are the same: its
  /// files and deliveries are listed.
  public var sameResultAs: Int64?
  /// SHA-256 of the model that was used, its weights and its `model.yaml`.
  public var modelSHA256: String?
  /// The number of the job whose result takes this one's place.
  public var supersededBy: Int64?
  public var deliveries: [Delivery]
  /// Where it is, of a job that is running and that a cluster computes.
  public var place: JobPlace?
  /// The number of the reprocessing that made it; nil where it was not made by one.
  public var reprocessing: Int64?
  /// Of a held job: instances of the series that were refused and have not arrived since.
  public var refusedInstances: [RefusalRecord]
}

/// One attempt at a job.
public struct JobAttempt: Sendable, Codable, Equatable {
  public var number: Int
  public var startedAt: Date
  public var finishedAt: Date?
  /// completed, held, failed, rescued, released, preempted or cancelled; nil while it runs.
  public var outcome: String?
  public var message: String?
  /// Of each stage and in all (`total`), of an attempt that came to an outcome.
  public var seconds: [String: Double]?
  /// Bytes of memory: the process's peak as it was predicted, and as it was since the process began.
  public var predictedMemory: Int?
  public var peakMemory: Int?
  /// Where it was computed, or is, by a cluster.
  public var place: JobPlace?
}

/// Something that happened to a job.
public struct JobEvent: Sendable, Codable, Equatable {
  public var at: Date
  public var kind: String
  /// Nil of one that an older version wrote.
  public var cause: EventCause?
  public var message: String
}

/// A job and all that happened to it.
public struct JobDetail: Sendable, Codable, Equatable {
  public var job: JobSummary
  public var attempts: [JobAttempt]
  public var events: [JobEvent]
  /// Every instance of the series that was refused, those that arrived later included.
  public var refusals: [RefusalRecord]
  /// The associations over which the series came.
  public var associations: [AssociationRecord]
}

extension Ledger {
  /// All jobs, or those of one study, in the order in which they were made.
  public func jobs(study: String? = nil) throws(LedgerError) -> [JobSummary] {
    var query = JobQuery()
    query.selection.study = study
    return try jobs(query)
  }

  /// One job with its attempts and events.
  ///
  /// - Throws: ``LedgerError/unknownJob(_:)``
  public func job(_ id: Int64) throws(LedgerError) -> JobDetail {
    try read { db in
      guard let job = try summaries([id], db).first else {
        throw LedgerError.unknownJob(id)
      }
      let events = try Row.fetchAll(
        db, sql: "SELECT * FROM events WHERE job_id = ? ORDER BY id", arguments: [id])
      return JobDetail(
        job: job,
        attempts: try attempts(job: id, db),
        events: try events.map {
          JobEvent(
            at: try eventDate($0), kind: try $0.value("kind"),
            cause: EventCause(try $0.value("cause")), message: try $0.value("message"))
        },
        refusals: try refusals(of: job.seriesInstanceUID, db),
        associations: try associations(series: job.seriesInstanceUID, db))
    }
  }

  /// How many jobs there are in each state; a state without jobs is left out.
  public func jobCounts() throws(LedgerError) -> [String: Int] {
    try read { db in
      try Row.fetchAll(db, sql: "SELECT state, count(*) AS n FROM jobs GROUP BY state")
        .reduce(into: [:]) { counts, row in
          counts[try row.value("state")] = try row.value("n") as Int
        }
    }
  }

  /// How many deliveries there are in each state; a state without deliveries is left out.
  public func deliveryCounts() throws(LedgerError) -> [String: Int] {
    try read { db in
      try Row.fetchAll(db, sql: "SELECT state, count(*) AS n FROM deliveries GROUP BY state")
        .reduce(into: [:]) { counts, row in
          counts[try row.value("state")] = try row.value("n") as Int
        }
    }
  }

  func summary(job id: Int64, _ db: Database) throws -> JobSummary? {
    try summaries([id], db).first
  }

  func attempts(job id: Int64, _ db: Database) throws -> [JobAttempt] {
    try Row.fetchAll(db, sql: StudyQueries.attempts, arguments: [id]).map { row in
      let seconds: String? = try row.value("seconds")
      return JobAttempt(
        number: try row.value("number"), startedAt: try date(row, "started_at"),
        finishedAt: try optionalDate(row, "finished_at"), outcome: try row.value("outcome"),
        message: try row.value("message"),
        seconds: try seconds.map {
          try JSONDecoder().decode([String: Double].self, from: Data($0.utf8))
        },
        predictedMemory: try row.value("predicted_memory"),
        peakMemory: try row.value("peak_memory"), place: try place(row))
    }
  }
}
