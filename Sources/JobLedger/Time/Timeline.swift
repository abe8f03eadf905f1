import Clocks
import Foundation
import GRDB
import Synchronization

/// The ledger's own time, in seconds: it runs steadily, whatever the clock of the machine is set to, and
/// continues in the next process and after the machine was started again.
///
/// It began with the clock of the machine, in seconds since 1970. How far that is ahead of it since a step
/// is kept, so that people are told the times that they know. What passes while the machine is off is
/// known only by its clock; there, and only there, the ledger's time follows it, though never back.
struct Timeline: Sendable {
  /// The clock of the machine as it was set at a moment.
  struct Step: Sendable, Equatable {
    var since: Double
    /// Seconds that the clock of the machine is ahead from then on.
    var ahead: Double
  }

  /// A smaller difference is none.
  static let smallestStep = 2.0
  /// Seconds within which the ledger notes how far its time has come.
  static let noteInterval = 60.0

  /// The ledger's time when the machine was started.
  var origin: Double
  /// In the order of time.
  var steps: [Step]

  func time(_ steady: SteadyTime) -> Double { origin + steady.seconds }

  /// What the clock of the machine showed, or will show, at a time of the ledger's.
  func date(_ time: Double) -> Date {
    Date(timeIntervalSince1970: time + (steps.last { $0.since <= time }?.ahead ?? 0))
  }

  /// The time at which the clock of the machine showed a date, at the last one where it did so twice.
  func time(of date: Date) -> Double {
    let wall = date.timeIntervalSince1970
    return wall - (steps.last { $0.since + $0.ahead <= wall }?.ahead ?? 0)
  }

  /// Seconds by which the clock of the machine was set since the last known step; 0 for next to none.
  func unknownStep(_ source: TimeSource) -> Double {
    let (wall, steady) = source.reading()
    let step = wall.timeIntervalSince1970 - time(steady) - (steps.last?.ahead ?? 0)
    return abs(step) > Self.smallestStep ? step : 0
  }
}

extension Timeline {
  /// Continues the time of a ledger.
  ///
  /// - Returns: also when that was noted, nil where it has to be written: the machine was started again.
  static func continued(_ db: Database, _ source: TimeSource) throws -> (Timeline, noted: Double?) {
    let (wall, steady) = source.reading()
    let now = wall.timeIntervalSince1970
    guard try db.tableExists("clock") else {
      return (Timeline(origin: now - steady.seconds, steps: []), .infinity)
    }
    let steps = try steps(db)
    let row = try Row.fetchOne(db, sql: "SELECT boot, origin, seen FROM clock")
    // Where a machine does not name its starts, an earlier time than was seen tells of one.
    if let row, try row.value("boot") == source.boot,
      try row.value("origin") + steady.seconds >= row.value("seen")
    {
      return (Timeline(origin: try row.value("origin"), steps: steps), try row.value("seen"))
    }
    // A ledger without the row was kept by the clock of the machine until now.
    let seen =
      try row.map { try $0.value("seen") + noteInterval }
      ?? Double.fetchOne(db, sql: "SELECT at FROM events ORDER BY id DESC LIMIT 1")
      ?? 0
    let time = max(now - (steps.last?.ahead ?? 0), seen)
    return (Timeline(origin: time - steady.seconds, steps: steps), nil)
  }

  static func steps(_ db: Database) throws -> [Step] {
    try Row.fetchAll(db, sql: "SELECT since, ahead FROM clock_steps ORDER BY rowid").map {
      Step(since: try $0.value("since"), ahead: try $0.value("ahead"))
    }
  }

  func write(_ db: Database, _ source: TimeSource) throws {
    try db.execute(
      sql: "INSERT OR REPLACE INTO clock (id, boot, origin, seen) VALUES (1, ?, ?, ?)",
      arguments: [source.boot, origin, time(source.steady())])
  }
}

extension Ledger {
  /// The ledger's time.
  var now: Double { timeline.withLock { $0.time(source.steady()) } }

  func time(_ steady: SteadyTime?) -> Double {
    timeline.withLock { $0.time(min(steady ?? source.steady(), source.steady())) }
  }

  func time(of date: Date) -> Double { timeline.withLock { $0.time(of: date) } }

  func date(_ time: Double) -> Date { timeline.withLock { $0.date(time) } }

  func date(_ row: Row, _ column: String) throws -> Date { date(try row.value(column) as Double) }

  func optionalDate(_ row: Row, _ column: String) throws -> Date? {
    (try row.value(column) as Double?).map { date($0) }
  }

  /// Notes how far the ledger's time has come, and whether the clock of the machine was set meanwhile,
  /// which is an event and changes no waiting time. Call it about once a second; next to always it reads
  /// two clocks and does nothing more.
  ///
  /// - Returns: what is noted of the clock; nil where it was not set.
  @discardableResult
  public func noteTime() throws(LedgerError) -> String? {
    let isDue = timeNoted.withLock { noted in
      guard now - noted >= Timeline.noteInterval else { return false }
      noted = now
      return true
    }
    guard isDue || timeline.withLock({ $0.unknownStep(source) }) != 0 else { return nil }
    let (message, steps) = try write { db in
      try db.execute(sql: "UPDATE clock SET seen = max(seen, ?)", arguments: [now])
      // Another process may have noted the same step already.
      var timeline = timeline.withLock { $0 }
      timeline.steps = try Timeline.steps(db)
      let message = try noteStep(after: timeline, db)
      return (message, try Timeline.steps(db))
    }
    timeline.withLock { $0.steps = steps }
    return message
  }

  /// - Returns: what is noted; nil where the clock of the machine was not set.
  func noteStep(after timeline: Timeline, _ db: Database) throws -> String? {
    let step = timeline.unknownStep(source)
    guard step != 0 else { return nil }
    try db.execute(
      sql: "INSERT INTO clock_steps (since, ahead) VALUES (?, ?)",
      arguments: [timeline.time(source.steady()), (timeline.steps.last?.ahead ?? 0) + step])
    let seconds = abs(step).formatted(.number.precision(.fractionLength(1)).grouping(.never))
    let message =
      "the machine's clock was set \(step > 0 ? "forward" : "back") by \(seconds) s; "
      + "no waiting time changes"
    try event(db, "clock", by: .program, message)
    return message
  }
}
