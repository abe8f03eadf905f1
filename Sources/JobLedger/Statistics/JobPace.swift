import Foundation
import GRDB

/// What the jobs of a model take, by those that were computed last.
public struct JobPace: Sendable, Equatable {
  /// A job that it rests on.
  public struct Job: Sendable, Equatable {
    /// Of computing.
    public var seconds: Double
    /// Of its images.
    public var bytes: Int
    /// Bytes that the process had at its peak which computed it in a cluster, as predicted or as it was, whichever is more;
    /// nil where neither is known, and of a job of the daemon, whose process has other jobs besides.
    public var memory: Int?

    public init(seconds: Double, bytes: Int, memory: Int? = nil) {
      self.seconds = seconds
      self.bytes = bytes
      self.memory = memory
    }
  }

  public var jobs: [Job]

  public init(jobs: [Job]) { self.jobs = jobs }

  /// What a job of so many bytes will take: the median of the seconds for each byte, as the network sees a number of
  /// patches that grows with the images. Nil where none was computed.
  public func seconds(bytes: Int) -> Double? {
    let rates = jobs.filter { $0.bytes > 0 }.map { $0.seconds / Double($0.bytes) }.sorted()
    guard !rates.isEmpty else { return nil }
    return rates[rates.count / 2] * Double(bytes)
  }

  /// The bytes of memory that a process will have at its peak for a job of so many bytes of images: the most of the three
  /// jobs that are next to it in size. Where they are smaller theirs is taken to grow with the images, which it does but for
  /// what the program and the network take, so that it is rather too much. Nil where none is known.
  public func memory(bytes: Int) -> Int? {
    guard bytes > 0 else { return nil }
    let known = jobs.compactMap { job -> (ratio: Double, memory: Int)? in
      guard let memory = job.memory, job.bytes > 0 else { return nil }
      return (Double(bytes) / Double(job.bytes), memory)
    }
    let nearest = known.sorted { abs(log($0.ratio)) < abs(log($1.ratio)) }.prefix(3)
    // No machine has a petabyte.
    return nearest.map { Int(min(1e15, Double($0.memory) * max(1, $0.ratio)).rounded(.up)) }.max()
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
  /// Of a model: the last 25 jobs that were computed, of the last 500 attempts of all models, by the version of it that was
  /// used last: another one may take several times the work.
  public func pace(model: String) throws(LedgerError) -> JobPace {
    try read { db in
      let rows = try Row.fetchAll(
        db,
        sql: """
          WITH last AS MATERIALIZED (
            SELECT recent.id AS id, json_extract(recent.seconds, '$.total') AS seconds, memory,
              series_uid, revision, model_sha256
            FROM (SELECT id, job_id, seconds,
                iif(place IS NULL, NULL,
                  nullif(max(ifnull(predicted_memory, 0), ifnull(peak_memory, 0)), 0)) AS memory
              FROM attempts ORDER BY id DESC LIMIT 500) AS recent
              JOIN jobs ON jobs.id = recent.job_id
            WHERE recent.seconds IS NOT NULL AND jobs.model = ? AND jobs.state = 'completed')
          SELECT seconds, memory,
            (SELECT sum(byte_count) FROM instances WHERE instances.series_uid = last.series_uid
              AND instances.revision <= last.revision) AS bytes
          FROM last
          WHERE model_sha256 IS (SELECT model_sha256 FROM last ORDER BY id DESC LIMIT 1)
          ORDER BY id DESC LIMIT 25
          """, arguments: [model])
      return JobPace(
        jobs: try rows.compactMap { row in
          guard let seconds = try row.value("seconds") as Double?,
            let bytes = try row.value("bytes") as Int?
          else { return nil }
          return JobPace.Job(
            seconds: seconds, bytes: bytes, memory: try row.value("memory") as Int?)
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
