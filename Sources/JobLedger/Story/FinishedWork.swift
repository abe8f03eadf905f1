import Foundation
import GRDB

/// A piece of work on a series that has come to an end, with its times.
public struct FinishedWork: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    /// From the first to the last instance that the job is the first to use.
    case reception(instances: Int, bytes: Int)
    /// From the last instance until the job was made.
    case assembly
    /// From the time at which the job was made, or its attempt before had ended, until the attempt began.
    case waiting(attempt: Int)
    /// With the outcome (``JobAttempt/outcome``), and the seconds of each stage, in all as `total`.
    case attempt(number: Int, outcome: String, seconds: [String: Double])
    /// A result on its way to a destination; `isTaken` where that took it.
    case delivery(destination: String, attempt: Int, isTaken: Bool)
    /// From the time at which the destination had taken the result until it proved that it keeps it, or said that
    /// it does not.
    case confirmation(destination: String, isProved: Bool)
  }

  public var kind: Kind
  public var began: Date
  public var ended: Date
  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  /// What the job was made of: instances up to this revision of the series.
  public var revision: Int
  public var job: Int64
  public var model: String
  /// The number of the reprocessing that made the job; nil where it was made when the series was assembled.
  public var reprocessing: Int64?

  public init(
    kind: Kind, began: Date, ended: Date, studyInstanceUID: String, seriesInstanceUID: String,
    revision: Int, job: Int64, model: String, reprocessing: Int64? = nil
  ) {
    self.kind = kind
    self.began = began
    self.ended = ended
    self.studyInstanceUID = studyInstanceUID
    self.seriesInstanceUID = seriesInstanceUID
    self.revision = revision
    self.job = job
    self.model = model
    self.reprocessing = reprocessing
  }
}

/// What ended in a part of the history.
public struct FinishedWorkPage: Sendable, Equatable {
  /// In the order in which it ended.
  public var work: [FinishedWork]
  /// The last event that was looked at; the next page begins after it.
  public var upTo: Int64
  /// The last event that there is.
  public var head: Int64
}

extension Ledger {
  /// The name under which it is noted up to where traces were sent: that of a recipient of notices, which no
  /// recipient of a configuration may have.
  public static let traceReceiver = "segmentd traces"

  /// Up to which event traces were sent; where none ever were, they begin now.
  public func tracePosition() throws(LedgerError) -> Int64 {
    if let position = try position(of: Self.traceReceiver) { return position }
    let head = try read { db in try EventChain.head(db).event }
    try markTraced(upTo: head)
    return head
  }

  /// Notes up to which event traces were sent, or left out.
  public func markTraced(upTo event: Int64) throws(LedgerError) {
    try markTold(to: Self.traceReceiver, upTo: event, isMessage: false)
  }

  /// What ended after an event.
  ///
  /// - Parameters:
  ///   - event: the last one that was looked at.
  ///   - limit: of events that are looked at: others who read the ledger wait as long.
  public func finishedWork(after event: Int64, limit: Int = 100) throws(LedgerError)
    -> FinishedWorkPage
  {
    try read { db in
      var page = FinishedWorkPage(work: [], upTo: event, head: try EventChain.head(db).event)
      let rows = try Row.fetchAll(db, sql: WorkQueries.events, arguments: [event, limit])
      for row in rows {
        page.upTo = try row.value("id")
        guard let job: Int64 = try row.value("job_id") else { continue }
        page.work += try work(endedBy: row, job: job, db)
      }
      return page
    }
  }
}

enum WorkQueries {
  /// After an event; how many at most.
  static let events = """
    SELECT id, at, kind, job_id, message FROM events WHERE id > ? ORDER BY id LIMIT ?
    """

  /// Of a job, as are those with one argument.
  static let job = """
    SELECT jobs.series_uid, study_uid, jobs.revision, model, created_at, reprocessing_id
    FROM jobs CROSS JOIN series ON series.series_uid = jobs.series_uid WHERE jobs.id = ?
    """

  /// The first event of a job and of its series and revision: of a job and an event, of a series and its revision.
  static let isFirst = """
    SELECT NOT EXISTS (SELECT 1 FROM events WHERE job_id = ?1 AND id < ?2)
      AND NOT EXISTS (SELECT 1 FROM jobs
        WHERE series_uid = ?3 AND revision = ?4 AND jobs.id < ?1)
    """

  /// Of a series and the revision of a job: what no job before has used.
  static let arrival = """
    SELECT count(*) AS n, sum(byte_count) AS bytes, min(received_at) AS first_at,
      max(received_at) AS last_at
    FROM instances WHERE series_uid = ?1 AND revision <= ?2 AND revision >
      (SELECT ifnull(max(revision), 0) FROM jobs WHERE series_uid = ?1 AND revision < ?2)
    """

  /// Of a job and an event: the last one before it that began or ended an attempt.
  static let attemptBefore = """
    SELECT kind, message FROM events WHERE job_id = ? AND id < ? AND kind IN ('started', 'completed',
      'held', 'retryable', 'released', 'postponed', 'rescued', 'cancelled', 'preempted')
    ORDER BY id DESC LIMIT 1
    """

  /// Of a job and the number of an attempt, with the end of the one before.
  static let attempt = """
    SELECT started_at, finished_at, outcome, seconds,
      (SELECT finished_at FROM attempts AS earlier
        WHERE earlier.job_id = attempts.job_id AND earlier.number = attempts.number - 1) AS before
    FROM attempts WHERE job_id = ? AND number = ?
    """

  /// Of a job and an event: those before it that began or ended a delivery, the last first.
  static let deliveriesBefore = """
    SELECT at, kind, message FROM events WHERE job_id = ? AND id < ? AND kind IN ('sending', 'sent',
      'delivered', 'not delivered', 'delivery held') ORDER BY id DESC
    """

  static let destinations = "SELECT destination FROM deliveries WHERE job_id = ?"
}

// MARK: - From events

extension Ledger {
  private static let endsOfAttempts: Set = [
    "completed", "held", "retryable", "released", "postponed", "rescued", "cancelled", "preempted",
  ]
  private static let endsOfDeliveries: Set = [
    "sent", "delivered", "not delivered", "delivery held",
  ]

  private func work(endedBy event: Row, job: Int64, _ db: Database) throws -> [FinishedWork] {
    let kind: String = try event.value("kind")
    let isFirstState = kind == "created" || kind == "held" || kind == "cancelled"
    let isEnd = Self.endsOfAttempts.contains(kind) || Self.endsOfDeliveries.contains(kind)
    guard isFirstState || isEnd,
      let row = try Row.fetchOne(db, sql: WorkQueries.job, arguments: [job])
    else { return [] }
    let place = try Place(row, job: job, created: date(row, "created_at"))
    var work: [FinishedWork] = []
    if isFirstState { work += try reception(place, event, db) }
    if Self.endsOfAttempts.contains(kind) { work += try attempt(place, event, db) }
    if Self.endsOfDeliveries.contains(kind) { work += try delivery(place, event, db) }
    return work
  }

  /// What a job is of.
  private struct Place {
    var series: String
    var study: String
    var revision: Int
    var job: Int64
    var model: String
    var created: Date
    var reprocessing: Int64?

    init(_ row: Row, job: Int64, created: Date) throws {
      series = try row.value("series_uid")
      study = try row.value("study_uid")
      revision = try row.value("revision")
      self.job = job
      model = try row.value("model")
      self.created = created
      reprocessing = try row.value("reprocessing_id")
    }

    /// Where the clock of the machine was set back in between, nothing took less than no time.
    func work(_ kind: FinishedWork.Kind, _ began: Date, _ ended: Date) -> FinishedWork {
      FinishedWork(
        kind: kind, began: began, ended: max(began, ended), studyInstanceUID: study,
        seriesInstanceUID: series, revision: revision, job: job, model: model,
        reprocessing: reprocessing)
    }
  }

  /// Of the first job of what came, when it is made.
  private func reception(_ place: Place, _ event: Row, _ db: Database) throws -> [FinishedWork] {
    let id: Int64 = try event.value("id")
    let isFirst = try Bool.fetchOne(
      db, sql: WorkQueries.isFirst, arguments: [place.job, id, place.series, place.revision])
    guard isFirst == true, place.reprocessing == nil,
      let row = try Row.fetchOne(
        db, sql: WorkQueries.arrival, arguments: [place.series, place.revision]),
      let bytes: Int = try row.value("bytes"), let first = try optionalDate(row, "first_at"),
      let last = try optionalDate(row, "last_at")
    else { return [] }
    return [
      place.work(.reception(instances: try row.value("n"), bytes: bytes), first, last),
      place.work(.assembly, last, place.created),
    ]
  }

  private func attempt(_ place: Place, _ event: Row, _ db: Database) throws -> [FinishedWork] {
    let id: Int64 = try event.value("id")
    // A job that waited has no attempt that ends: another end, or nothing, is before.
    let before = try Row.fetchOne(db, sql: WorkQueries.attemptBefore, arguments: [place.job, id])
    let kind: String? = try before?.value("kind")
    let message: String? = try before?.value("message")
    guard kind == "started", let number = message?.split(separator: " ").last.flatMap({ Int($0) }),
      let row = try Row.fetchOne(db, sql: WorkQueries.attempt, arguments: [place.job, number]),
      let ended = try optionalDate(row, "finished_at")
    else { return [] }
    let began = try date(row, "started_at")
    let outcome: String? = try row.value("outcome")
    let seconds: String? = try row.value("seconds")
    return [
      place.work(
        .waiting(attempt: number), try optionalDate(row, "before") ?? place.created, began),
      place.work(
        .attempt(
          number: number, outcome: outcome ?? "",
          seconds: try seconds.map {
            try JSONDecoder().decode([String: Double].self, from: Data($0.utf8))
          } ?? [:]), began, ended),
    ]
  }

  private func delivery(_ place: Place, _ event: Row, _ db: Database) throws -> [FinishedWork] {
    let names = try String.fetchAll(
      db, sql: WorkQueries.destinations, arguments: [place.job])
    let message: String = try event.value("message")
    let id: Int64 = try event.value("id")
    guard let name = destination(in: message, names) else { return [] }
    let before = try Row.fetchCursor(
      db, sql: WorkQueries.deliveriesBefore, arguments: [place.job, id])
    while let row = try before.next() {
      let text: String = try row.value("message")
      guard destination(in: text, names) == name else { continue }
      let (began, ended) = (try eventDate(row), try eventDate(event))
      let kind: String = try event.value("kind")
      let isGood = kind == "sent" || kind == "delivered"
      switch try row.value("kind") as String {
      case "sending":
        let number = text.split(separator: " ").last.flatMap { Int($0.dropLast()) }
        return [
          place.work(
            .delivery(destination: name, attempt: number ?? 1, isTaken: isGood), began, ended)
        ]
      case "sent":
        return [
          place.work(.confirmation(destination: name, isProved: kind == "delivered"), began, ended)
        ]
      default: return []
      }
    }
    return []
  }

  /// A name may contain whatever separates it from what follows "to NAME": the longest one that fits.
  private func destination(in message: String, _ names: [String]) -> String? {
    names.filter { message.hasPrefix("to \($0)") }.max { $0.count < $1.count }
  }
}
