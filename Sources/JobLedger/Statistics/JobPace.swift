import Foundation
import GRDB

/// How long the jobs of a model take, by those that were computed last.
public struct JobPace: Sendable, Equatable {
  /// Of the jobs that it rests on: seconds of computing and bytes of images.
  public var jobs: [(seconds: Double, bytes: Int)]

  public init(jobs: [(seconds: Double, bytes: Int)]) { self.jobs = jobs }

  public static func == (one: JobPace, other: JobPace) -> Bool {
    one.jobs.elementsEqual(other.jobs) { $0 == $1 }
  }

  /// What a job of so many bytes will take: the median of the seconds for each byte, as the network sees a number of
  /// patches that grows with the images. Nil where none was computed.
  public func seconds(bytes: Int) -> Double? {
    let rates = jobs.filter { $0.bytes > 0 }.map { $0.seconds / Double($0.bytes) }.sorted()
    guard !rates.isEmpty else { return nil }
    return rates[rates.count / 2] * Double(bytes)
  }
}

/// How far the jobs of a selection are, and when they will have ended.
public struct SelectionProgress: Sendable, Codable, Equatable {
  /// How many jobs there are in each state; one without jobs is left out.
  public var states: [String: Int]
  /// Jobs that were completed in the last hour, or since the first of them was: as many seconds.
  public var completedLately: Int
  public var lateSeconds: Double
  /// When the first job was made, and the last one that has ended ended.
  public var madeAt: Date?
  public var lastEndAt: Date?

  /// Jobs that will still be computed.
  public var remaining: Int {
    ["available", "running", "retryable"].compactMap { states[$0] }.reduce(0, +)
  }

  /// Jobs an hour; nil where none was completed lately.
  public var jobsAnHour: Double? {
    completedLately > 0 && lateSeconds > 0 ? Double(completedLately) * 3600 / lateSeconds : nil
  }

  /// Seconds until all have ended, at the pace of the last hour; nil where it is not known.
  public var remainingSeconds: Double? {
    jobsAnHour.map { Double(remaining) * 3600 / $0 }
  }
}

extension Ledger {
  /// Of a model: the last 25 jobs that were computed, of the last 500 attempts of all models.
  public func pace(model: String) throws(LedgerError) -> JobPace {
    try read { db in
      let rows = try Row.fetchAll(
        db,
        sql: """
          SELECT json_extract(last.seconds, '$.total') AS seconds,
            (SELECT sum(byte_count) FROM instances WHERE instances.series_uid = jobs.series_uid
              AND instances.revision <= jobs.revision) AS bytes
          FROM (SELECT id, job_id, seconds FROM attempts ORDER BY id DESC LIMIT 500) AS last
            JOIN jobs ON jobs.id = last.job_id
          WHERE last.seconds IS NOT NULL AND jobs.model = ? AND jobs.state = 'completed'
          ORDER BY last.id DESC LIMIT 25
          """, arguments: [model])
      return JobPace(
        jobs: try rows.compactMap { row in
          guard let seconds = try row.value("seconds") as Double?,
            let bytes = try row.value("bytes") as Int?
          else { return nil }
          return (seconds, bytes)
        })
    }
  }

  /// Bytes of the instances of some series, as they are now.
  public func byteCount(series: [String]) throws(LedgerError) -> [String: Int] {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT series_uid, sum(byte_count) AS bytes FROM instances
          WHERE series_uid IN (SELECT value FROM json_each(?)) GROUP BY series_uid
          """, arguments: [jsonList(series)]
      ).reduce(into: [:]) { $0[try $1.value("series_uid")] = try $1.value("bytes") as Int }
    }
  }

  /// How far the jobs of a selection are.
  public func progress(of selection: JobSelection) throws(LedgerError) -> SelectionProgress {
    try read { db in
      let (condition, arguments) = selection.condition { time(of: $0) }
      let states = try Row.fetchAll(
        db, sql: "SELECT state, count(*) AS n FROM jobs WHERE \(condition) GROUP BY state",
        arguments: arguments
      ).reduce(into: [String: Int]()) { $0[try $1.value("state")] = try $1.value("n") as Int }
      let times = try Row.fetchOne(
        db,
        sql: """
          SELECT min(created_at) AS made_at, max(finished_at) AS ended_at,
            count(*) FILTER (WHERE state = 'completed' AND finished_at > ?) AS completed,
            min(created_at) FILTER (WHERE state = 'completed' AND finished_at > ?) AS begun_at
          FROM jobs WHERE \(condition)
          """, arguments: StatementArguments([now - 3600, now - 3600]) + arguments)
      let begun = try times.flatMap { try $0.value("begun_at") as Double? }
      return SelectionProgress(
        states: states, completedLately: try times.map { try $0.value("completed") as Int } ?? 0,
        lateSeconds: min(3600, begun.map { now - $0 } ?? 0),
        madeAt: try times.flatMap { try optionalDate($0, "made_at") },
        lastEndAt: try times.flatMap { try optionalDate($0, "ended_at") })
    }
  }

  /// Notes that series were chosen to be segmented again.
  ///
  /// - Parameter request: what was asked for, as options of the command; without patient data.
  /// - Returns: its number, for `NewJob.reprocessing`.
  public func beginReprocessing(_ request: String) throws(LedgerError) -> Int64 {
    try write { db in
      try db.execute(
        sql: "INSERT INTO reprocessings (made_at, request) VALUES (?, ?)",
        arguments: [now, request])
      return db.lastInsertedRowID
    }
  }
}
