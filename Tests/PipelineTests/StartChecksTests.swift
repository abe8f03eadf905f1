import Foundation
import GRDB
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import Ingest
@testable import JobLedger
@testable import Pipeline

/// Nothing is processed before the ledger is known to be sound.
@Suite struct StartChecksTests {
  private let folder: TemporaryFolder
  private let state: StateDirectory
  private let ledger: Ledger
  private let checks: StartChecks

  init() throws {
    folder = try TemporaryFolder()
    state = try StateDirectory(path: folder.url.appendingPathComponent("state").path)
    ledger = try Ledger(path: state.ledger.path)
    let logger = Logger(label: "test")
    let intake = Intake(
      state: state, ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: logger),
      logger: logger)
    checks = StartChecks(ledger: ledger, recovery: Recovery(intake), logger: logger)
  }

  @Test func aStageBeginsAfterTheChecks() async throws {
    let stage = Stage()
    let checks = checks
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await AfterChecks(checks: checks, stage: stage).run() }
      try await Task.sleep(for: .milliseconds(200))
      #expect(!stage.hasRun && !checks.areDone)
      group.addTask { try await checks.run() }
      try await group.waitForAll()
    }
    #expect(stage.hasRun && checks.areDone)
  }

  @Test func aDamagedLedgerEndsThemAndNoStageBegins() async throws {
    try damage()
    await #expect(throws: LedgerError.self) { try await checks.run() }
    #expect(!checks.areDone)
  }

  /// In use, too: as soon as anyone is told of it, and it is read twice.
  @Test func damageInUseEndsTheDaemon() async throws {
    let watch = LedgerWatch(
      ledger: ledger, logger: Logger(label: "test"), interval: .milliseconds(10),
      confirmation: .milliseconds(10))
    try damage()
    ledger.suspectDamage()
    let error = await #expect(throws: LedgerError.self) { try await watch.run() }
    guard case .damaged(state.ledger.path, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  /// A disk that failed for a moment is no damage; the watch goes on until the daemon ends.
  @Test func aSoundLedgerEndsNothing() async throws {
    let watch = LedgerWatch(
      ledger: ledger, logger: Logger(label: "test"), interval: .milliseconds(10))
    ledger.suspectDamage()
    let group = ServiceGroup(services: [watch], logger: Logger(label: "test"))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      try await waitUntil("the check") { !ledger.suspicion.isRaised }
      await group.triggerGracefulShutdown()
      try await tasks.waitForAll()
    }
  }

  private func damage() throws {
    for number in 0..<300 { _ = try ledger.recordInstance(record(number)) }
    try ledger.commits.withConnection { db in
      try db.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
    }
    let handle = try FileHandle(forUpdating: state.ledger)
    let pages = try handle.seekToEnd() / 4096
    for page in pages / 2..<pages {
      try handle.seek(toOffset: page * 4096)
      try handle.write(contentsOf: Data(repeating: 0xA5, count: 4096))
    }
    try handle.close()
  }

  private func record(_ number: Int) -> InstanceRecord {
    InstanceRecord(
      studyInstanceUID: "1.2", seriesInstanceUID: "1.2.3", sopInstanceUID: "1.2.3.\(number)",
      sopClassUID: "1.2.840.10008.5.1.4.1.1.2", modality: "CT",
      transferSyntaxUID: "1.2.840.10008.1.2.1", spoolPath: "spool/\(UUID().uuidString).dcm",
      byteCount: 1000, contentHash: String(format: "%064x", number), source: .command)
  }

  @Test func shutdownEndsTheWaiting() async throws {
    let stage = Stage()
    let group = ServiceGroup(
      services: [AfterChecks(checks: checks, stage: stage)], logger: Logger(label: "test"))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      try await Task.sleep(for: .milliseconds(100))
      await group.triggerGracefulShutdown()
      try? await tasks.waitForAll()
    }
    #expect(!stage.hasRun)
  }
}

private final class Stage: Service {
  private let ran = Mutex(false)
  var hasRun: Bool { ran.withLock { $0 } }

  func run() async throws { ran.withLock { $0 = true } }
}
