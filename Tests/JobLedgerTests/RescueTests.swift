import Foundation
import TestSupport
import Testing

@testable import JobLedger

/// What a process that was killed leaves behind, seen by the next one on the same file.
@Suite struct RescueTests {
  @Test func aJobThatWasRunningRunsAgain() throws {
    let fixture = try LedgerFixture()
    let job = try fixture.makeJob()
    _ = try #require(try fixture.ledger.claimJob())
    let next = try fixture.reopened()
    #expect(try next.claimJob() == nil)
    #expect(try next.rescue() == 1)
    #expect(try next.rescue() == 0)
    let again = try #require(try next.claimJob())
    #expect(again.id == job && again.attempt == 2)
    #expect(try next.job(job).attempts.map(\.outcome) == ["rescued", nil])
  }

  /// A job that kills the process must not keep the others from running, nor be rescued endlessly.
  @Test func aJobThatKillsTheProcessGoesBehindTheOthersAndIsHeldInTheEnd() throws {
    let fixture = try LedgerFixture()
    let killer = try fixture.makeJob(series: "1.1")
    let other = try fixture.makeJob(series: "1.5")
    #expect(try fixture.ledger.claimJob()?.id == killer)
    fixture.clock.advance(1)
    #expect(try fixture.reopened().rescue(maximumRescues: 2) == 1)
    #expect(try fixture.ledger.claimJob()?.id == other)
    try fixture.ledger.completeJob(other, result: .test(other), destinations: [])
    for rescued in [1, 0] {
      #expect(try fixture.ledger.claimJob()?.id == killer)
      #expect(try fixture.reopened().rescue(maximumRescues: 2) == rescued)
    }
    #expect(try fixture.ledger.claimJob() == nil)
    let job = try fixture.ledger.job(killer)
    #expect(job.job.state == "held")
    #expect(job.job.reason?.contains("3 times") == true)
    #expect(job.attempts.map(\.outcome) == ["rescued", "rescued", "rescued"])
  }

  @Test func aDeliveryThatWasUnderWayIsSentAgain() throws {
    let fixture = try LedgerFixture()
    let job = try fixture.makeJob()
    _ = try fixture.ledger.claimJob()
    try fixture.ledger.completeJob(job, result: .test(job), destinations: ["pacs"])
    let first = try #require(try fixture.ledger.claimDelivery())
    let next = try fixture.reopened()
    #expect(try next.claimDelivery() == nil)
    try next.rescue()
    let second = try #require(try next.claimDelivery())
    #expect(second.id == first.id && second.attempt == 2 && second.objects == first.objects)
    try next.markDelivered(second)
    #expect(throws: LedgerError.notSending(job: job, destination: "pacs")) {
      try fixture.ledger.markDelivered(first)
    }
  }

  /// The files as `kill -9` leaves them: nothing closed, nothing moved out of the write-ahead log.
  @Test func whatWasAcknowledgedIsInTheFilesAtAnyMoment() throws {
    let fixture = try LedgerFixture()
    for number in 0..<50 {
      try fixture.receive(.test(number))
      if number % 10 == 9 {
        let copy = try copyOfFiles(fixture)
        let ledger = try Ledger(path: copy.path("ledger.sqlite"))
        #expect(try ledger.instances(series: "1.2.3").all.map(\.spoolPath).count == number + 1)
        try ledger.checkIntegrity()
      }
    }
  }

  /// A loss of power can leave the last page half written: it was not acknowledged.
  @Test(arguments: [1, 100, 5000])
  func aTornLogKeepsWhatCameBefore(lostBytes: Int) throws {
    let fixture = try LedgerFixture()
    for number in 0..<20 { try fixture.receive(.test(number)) }
    let copy = try copyOfFiles(fixture)
    let log = copy.path("ledger.sqlite-wal")
    let bytes = try Data(contentsOf: URL(fileURLWithPath: log))
    try (bytes.dropLast(lostBytes) + Data(repeating: 0xA5, count: lostBytes / 2))
      .write(to: URL(fileURLWithPath: log))
    let ledger = try Ledger(path: copy.path("ledger.sqlite"))
    try ledger.checkIntegrity()
    let paths = try ledger.instances(series: "1.2.3").all.map(\.spoolPath)
    #expect(
      paths
        == Array(
          try fixture.ledger.instances(series: "1.2.3").all.map(\.spoolPath).prefix(paths.count)))
    #expect((18...19).contains(paths.count))
  }

  private func copyOfFiles(_ fixture: LedgerFixture) throws -> TemporaryFolder {
    let copy = try TemporaryFolder()
    for name in ["ledger.sqlite", "ledger.sqlite-wal"] {
      try FileManager.default.copyItem(
        atPath: fixture.folder.path(name), toPath: copy.path(name))
    }
    return copy
  }
}
