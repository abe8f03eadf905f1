import FileSystem
import Foundation
import Logging
import TestSupport
import Testing

@testable import AuditLog

/// Files of the audit log, and what becomes of it where a syslog server is away.
@Suite struct AuditLogTests {
  private let folder: TemporaryFolder
  private let application = AuditedApplication(aeTitle: "SEGMENTD", host: "pc1", processID: 42)
  private let age: @Sendable (Date) -> TimeInterval = { Date().timeIntervalSince($0) }
  private var path: String { folder.url.appendingPathComponent("audit").path }

  init() throws { folder = try TemporaryFolder() }

  private func lines(_ day: String) throws -> [String] {
    try String(contentsOfFile: "\(path)/\(day).log", encoding: .utf8).split(separator: "\n").map(
      String.init)
  }

  @Test func aFileForEachDayIsForUsAloneAndRemovedByAge() throws {
    let files = AuditFiles(folder: path, keepDays: 183)
    let start = Date(timeIntervalSince1970: 0)
    try files.append("first", at: start)
    try files.append("second", at: start)
    try files.append("third", at: start.addingTimeInterval(86_400))
    #expect(try lines("1970-01-01") == ["first", "second"])
    #expect(FileStatus("\(path)/1970-01-01.log").map { $0.mode & 0o777 } == 0o600)
    #expect(FileStatus(path).map { $0.mode & 0o777 } == 0o700)
    try Data().write(to: URL(fileURLWithPath: "\(path)/notes.log"))
    func removed(afterDays days: Double) -> [String] {
      files.removeOld { (start + days * 86_400).timeIntervalSince($0) }
    }
    #expect(removed(afterDays: 183) == [])
    #expect(removed(afterDays: 184) == ["1970-01-01.log"])
    #expect(try lines("1970-01-02") == ["third"])
    #expect(FileManager.default.fileExists(atPath: "\(path)/notes.log"))
  }

  /// What counts is how long ago the clock showed the day, not what it shows now: it may have been set by months.
  @Test func aClockThatWasSetRemovesNothingThatIsNotOld() throws {
    let path = path
    for step in [200.0, -400.0] {
      let log = AuditLog(
        application: application, folder: path, keepDays: 183,
        // A moment ago it was set by so many days: what it shows now and what it showed then are as old.
        age: { time in
          let wall = Date().timeIntervalSince(time)
          return abs(wall) < 2 * 86_400 ? wall : wall - step * 86_400
        }, server: nil, logger: Logger(label: "test"))
      let before = AuditFiles(folder: path, keepDays: 183)
      let day = Date() - step * 86_400
      try before.append("before", at: day)
      #expect(log.record(.activity(of: application, starts: true, by: "root")))
      #expect(try lines(AuditFiles.day(day)) == ["before"])
      #expect(try lines(AuditFiles.day(Date())).count >= 1)
    }
  }

  @Test func alertsAreLimitedAndCounted() throws {
    let log = AuditLog(
      application: application, folder: path, keepDays: 1, age: age, server: nil,
      logger: Logger(label: "test"))
    let peer = AuditedPeer(name: "X", isAETitle: true, address: .ip("10.0.0.9"))
    for _ in 0..<AuditLog.alertsPerMinute + 5 { log.notAdmitted(peer, reason: "unknown") }
    #expect(try lines(AuditFiles.day(Date())).count == AuditLog.alertsPerMinute)
  }

  /// Nothing waits for a server that is away; what is beyond the bound is lost there, not in the file.
  @Test func aServerThatIsAwayHoldsUpNothing() async throws {
    let server = SyslogServer(host: "127.0.0.1", port: 1, transport: .tcp)
    let log = AuditLog(
      application: application, folder: path, keepDays: 1, age: age, server: server,
      logger: Logger(label: "test"))
    for _ in 0..<20 { log.record(.activity(of: application, starts: true, by: "root")) }
    #expect(try lines(AuditFiles.day(Date())).count == 20)
    await log.close(within: .milliseconds(100))
  }
}
