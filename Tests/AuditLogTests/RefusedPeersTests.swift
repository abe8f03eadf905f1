import Foundation
import Logging
import TestSupport
import Testing

@testable import AuditLog

/// Who was not admitted, as it is read from the files of the audit log.
@Suite struct RefusedPeersTests {
  private let folder: TemporaryFolder
  private let application = AuditedApplication(aeTitle: "SEGMENTD", host: "pc1", processID: 42)
  private var path: String { folder.url.appendingPathComponent("audit").path }

  init() throws { folder = try TemporaryFolder() }

  @Test func whoWasNotAdmittedIsReadAgain() throws {
    let log = AuditLog(
      application: application, folder: path, keepDays: 183,
      age: { Date().timeIntervalSince($0) }, server: nil,
      logger: Logger(label: "test"))
    #expect(AuditLog.refusedPeers(in: path).isEmpty)
    let hostile = AuditedPeer(
      name: "A\"<&>B", isAETitle: true, address: .ip("10.0.0.66"))
    for _ in 0..<3 { log.notAdmitted(hostile, reason: "association rejected: \"x\" </a>\n&lt;") }
    log.record(
      .session(of: "olga", from: "10.0.0.7", begins: true, with: application))
    log.notAdmitted(
      AuditedPeer(name: "10.0.0.67", isAETitle: false, address: .ip("10.0.0.67")),
      reason: "HTTP request refused with 401: log in first")
    let found = AuditLog.refusedPeers(in: path)
    #expect(found.map(\.name) == ["10.0.0.67", "A\"<&>B"])
    #expect(found.map(\.address) == [nil, "10.0.0.66"] && found.map(\.count) == [1, 3])
    #expect(found.last?.reason == "association rejected: \"x\" </a>\n&lt;")
    #expect(abs(found[0].lastAt.timeIntervalSinceNow) < 3600)
    // Of another week.
    let later = Date(timeIntervalSinceNow: 8 * 86_400)
    #expect(AuditLog.refusedPeers(in: path, now: later).isEmpty)
  }

  /// Somebody who calls again and again: the newest are read, and no more than that.
  @Test func notMoreThanTheEndOfALargeFileIsRead() throws {
    let files = AuditFiles(folder: path, keepDays: 183)
    let entries = (0..<4000).map { number in
      SyslogEntry(
        .notAdmitted(
          AuditedPeer(name: "PEER\(number)", isAETitle: true, address: .ip("10.0.0.1")),
          by: application, reason: "association rejected"), of: application
      ).line
    }
    try files.append(entries.joined(separator: "\n"), at: Date())
    let found = AuditLog.refusedPeers(in: path)
    #expect(found.first?.name == "PEER3999" && found.count > 1000 && found.count < 4000)
  }
}
