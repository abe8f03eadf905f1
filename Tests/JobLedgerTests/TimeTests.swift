import Clocks
import Foundation
import GRDB
import Synchronization
import TestSupport
import Testing

@testable import JobLedger

/// The clock of the machine is set, and the machine is started anew: what waits does not notice.
@Suite struct TimeTests {
  /// A machine whose clocks a test sets apart.
  private final class Machine: Sendable {
    private struct State {
      var wall = 1_800_000_000.0
      var steady = 500.0
      var boot = "first"
    }
    private let state = Mutex(State())

    var source: TimeSource {
      TimeSource(
        wall: { Date(timeIntervalSince1970: self.state.withLock(\.wall)) },
        steady: { SteadyTime(seconds: self.state.withLock(\.steady)) },
        boot: state.withLock(\.boot))
    }
    var wall: Date { Date(timeIntervalSince1970: state.withLock(\.wall)) }
    var steady: SteadyTime { SteadyTime(seconds: state.withLock(\.steady)) }

    func pass(_ seconds: Double) {
      state.withLock {
        $0.wall += seconds
        $0.steady += seconds
      }
    }

    func setClock(by seconds: Double) { state.withLock { $0.wall += seconds } }

    func restart(afterHavingBeenOff seconds: Double) {
      state.withLock {
        $0.wall += seconds
        $0.steady = 20
        $0.boot = "after \($0.wall)"
      }
    }
  }

  private let folder: TemporaryFolder
  private let machine = Machine()
  private var path: String { folder.url.appendingPathComponent("ledger.sqlite").path }

  init() throws { folder = try TemporaryFolder() }

  private func open() throws -> Ledger { try Ledger(path: path, clock: machine.source) }

  /// As of a file that is named after the day on which it was written.
  @Test func howLongAgoTheClockShowedATimeIsOfTheLedgersTime() throws {
    let ledger = try open()
    let day = machine.wall
    machine.pass(86_400)
    #expect(abs(ledger.age(of: day) - 86_400) < 1)
    machine.setClock(by: 200 * 86_400)
    try ledger.noteTime()
    #expect(abs(ledger.age(of: day) - 86_400) < 1 && abs(ledger.age(of: machine.wall)) < 1)
    machine.setClock(by: -400 * 86_400)
    try ledger.noteTime()
    let back = machine.wall
    machine.pass(3600)
    #expect(abs(ledger.age(of: back) - 3600) < 1)
  }

  private func events(_ ledger: Ledger) throws -> [String] {
    try ledger.read { db in
      try String.fetchAll(db, sql: "SELECT message FROM events WHERE kind = 'clock' ORDER BY id")
    }
  }

  @Test(arguments: [3600.0, -3600])
  func theQuietPeriodLastsAsLongAsItDoes(step: Double) throws {
    let ledger = try open()
    _ = try ledger.recordInstance(.test(1))
    machine.pass(10)
    machine.setClock(by: step)
    try ledger.noteTime()
    machine.pass(19)
    #expect(try ledger.seriesDue(quietPeriod: 30).isEmpty)
    machine.pass(1.5)
    #expect(try ledger.seriesDue(quietPeriod: 30).count == 1)
  }

  @Test(arguments: [3600.0, -3600])
  func aDeliveryAndAJobWaitAsLongAsTheyShould(step: Double) throws {
    let ledger = try open()
    _ = try ledger.recordInstance(.test(1))
    machine.pass(31)
    for series in try ledger.seriesDue(quietPeriod: 30) {
      try ledger.assembleSeries(series, jobs: [.test()])
    }
    let policy = RetryPolicy(firstPause: 100, longestPause: 100, maximumAttempts: 5)
    let job = try #require(try ledger.claimJob())
    try ledger.failJob(job.id, reason: "once", policy: policy)
    machine.setClock(by: step)
    try ledger.noteTime()
    machine.pass(99)
    #expect(try ledger.claimJob() == nil)
    machine.pass(2)
    let again = try #require(try ledger.claimJob())
    try ledger.completeJob(again.id, result: .test(again.id), destinations: ["pacs"])
    let delivery = try #require(try ledger.claimDelivery())
    try ledger.markDeliveryFailed(delivery, .unreachable, error: "down", policy: policy)
    machine.setClock(by: -step)
    machine.pass(99)
    #expect(try ledger.claimDelivery() == nil)
    machine.pass(2)
    #expect(try ledger.claimDelivery() != nil)
  }

  /// What is purged by its age is not older because a clock was set.
  @Test(arguments: [40.0, -40]) func nothingAgesByASetClock(days: Double) throws {
    let ledger = try open()
    _ = try ledger.recordInstance(.test(1))
    machine.pass(31)
    for series in try ledger.seriesDue(quietPeriod: 30) {
      try ledger.assembleSeries(series, jobs: [])
    }
    let before = machine.wall
    machine.setClock(by: days * 86_400)
    try ledger.noteTime()
    machine.pass(60)
    let kept = try #require(try ledger.keptOriginals(after: .start).files.first)
    #expect((60.0...100).contains(ledger.age(of: kept)))
    #expect(abs(ledger.dateShown(ago: 61).timeIntervalSince(before) + 1) < 0.5)
  }

  @Test func aStepIsOneEventWhoeverNotesIt() throws {
    let (one, other) = (try open(), try open())
    machine.setClock(by: 1.5)
    #expect(try one.noteTime() == nil)
    machine.setClock(by: -3601.5)
    #expect(try one.noteTime()?.contains("set back by 3600.0 s") == true)
    #expect(try other.noteTime() == nil)
    #expect(try one.noteTime() == nil)
    machine.setClock(by: 3600)
    #expect(try other.noteTime()?.contains("set forward by 3600.0 s") == true)
    #expect(try one.noteTime() == nil)
    #expect(try events(one).count == 2)
  }

  /// People read the times that their clock showed, before the step and after it.
  @Test func timesAreThoseOfTheClockOfTheMachine() throws {
    let ledger = try open()
    let first = machine.wall
    _ = try ledger.recordInstance(.test(1, series: "1.2.3"))
    machine.pass(10)
    machine.setClock(by: -3600)
    try ledger.noteTime()
    machine.pass(10)
    let second = machine.wall
    _ = try ledger.recordInstance(.test(1, series: "1.2.4"))
    for ledger in [ledger, try open(), try Ledger(reading: path, clock: machine.source)] {
      let series = try ledger.record(ofStudy: "1.2").series
      #expect(
        series.map { $0.lastReceivedAt.timeIntervalSince1970.rounded() }
          == [first, second].map { $0.timeIntervalSince1970.rounded() })
    }
    #expect(abs(ledger.time(of: second) - ledger.now) < 0.001)
  }

  /// The sender came again after the clock was set back: by that it began before the end of the first.
  @Test func theOrderOfAssociationsIsThatOfWhichTheyCame() throws {
    let ledger = try open()
    func association(_ key: String) -> ReceivingAssociation {
      ReceivingAssociation(
        key: "d/1/\(key)", callingAETitle: "MODALITY", calledAETitle: "SEGMENTD",
        peerAddress: "10.0.0.5", startedAt: machine.steady)
    }
    let lost = association("1")
    _ = try ledger.recordInstance(.test(1), association: lost)
    machine.pass(1)
    try ledger.endAssociation(lost, .connectionLost)
    machine.setClock(by: -3600)
    machine.pass(1)
    let again = association("2")
    _ = try ledger.recordInstance(.test(1), association: again)
    try ledger.endAssociation(again, .released)
    #expect(try ledger.incompleteness(series: "1.2.3").isEmpty)
  }

  @Test func whatPassesWhileTheMachineIsOffCounts() throws {
    _ = try open().recordInstance(.test(1))
    machine.restart(afterHavingBeenOff: 300)
    let ledger = try open()
    #expect(try ledger.seriesDue(quietPeriod: 299).count == 1)
    #expect(try ledger.seriesDue(quietPeriod: 301).isEmpty)
    #expect(try events(ledger).isEmpty)
  }

  /// Such as by a flat battery of the real-time clock.
  @Test func timeDoesNotGoBackWhereTheMachineWasStartedWithAnEarlierClock() throws {
    let first = try open()
    _ = try first.recordInstance(.test(1))
    let before = first.now
    machine.restart(afterHavingBeenOff: -86400)
    let ledger = try open()
    #expect(ledger.now >= before)
    #expect(ledger.now < before + 2 * Timeline.noteInterval)
    #expect(try events(ledger).count == 1)
    machine.pass(60)
    #expect(try ledger.seriesDue(quietPeriod: 30).count == 1)
    // And once it is right again, that is a step like any other.
    machine.setClock(by: 86400)
    #expect(try ledger.noteTime()?.contains("forward") == true)
    #expect(try ledger.seriesDue(quietPeriod: 7200).isEmpty)
  }

  /// An older program wrote the times of a clock that was ten years ahead.
  @Test func whatAnOldClockPutOffIsDueWithinTheHour() throws {
    let clock: @Sendable () -> Date = { Date() + 86400 * 3650 }
    do {
      let old = try Ledger(path: path, version: 11, clock: TimeSource(clock))
      let time = clock().timeIntervalSince1970
      try old.write { db in
        try db.execute(sql: "INSERT INTO studies VALUES ('1.2', ?)", arguments: [time])
        try db.execute(
          sql: """
            INSERT INTO series (series_uid, study_uid, modality, revision, last_received_at)
            VALUES ('1.2.3', '1.2', 'CT', 1, ?)
            """, arguments: [time])
        try db.execute(
          sql: """
            INSERT INTO jobs (series_uid, revision, model, state, created_at, scheduled_at)
            VALUES ('1.2.3', 1, 'm', 'available', ?1, ?1)
            """, arguments: [time])
        try db.execute(
          sql: """
            INSERT INTO jobs (series_uid, revision, model, state, created_at, scheduled_at, finished_at)
            VALUES ('1.2.3', 1, 'n', 'completed', ?1, ?1, ?1)
            """, arguments: [time])
        try db.execute(
          sql: """
            INSERT INTO results (job_id, model_version, summary, created_at)
            SELECT max(id), '1', 'nothing', ? FROM jobs
            """, arguments: [time])
        try db.execute(
          sql: """
            INSERT INTO deliveries (job_id, destination, state, scheduled_at)
            SELECT job_id, 'pacs', 'waiting', ? FROM results
            """, arguments: [time])
      }
    }
    let ledger = try Ledger(path: path)
    let due = try ledger.read { db in
      try Double.fetchAll(
        db,
        sql: """
          SELECT scheduled_at FROM jobs WHERE state = 'available'
          UNION ALL SELECT scheduled_at FROM deliveries
          """)
    }
    #expect(due.count == 2)
    #expect(due.allSatisfy { $0 <= Date().timeIntervalSince1970 + 3700 }, "\(due)")
  }

  @Test func aProcessThatIsStoppedBetweenTwoClocksReadsThemAgain() {
    let pauses = Mutex([0.0, 60, 0, 0])
    let steady = Mutex(100.0)
    let source = TimeSource(
      wall: {
        let pause = pauses.withLock { $0.isEmpty ? 0 : $0.removeFirst() }
        steady.withLock { $0 += pause }
        return Date(timeIntervalSince1970: 1000)
      }, steady: { SteadyTime(seconds: steady.withLock { $0 }) }, boot: "b")
    _ = source.reading()
    #expect(source.reading().steady.seconds == 160)
  }
}
