import ConfigurationFile
import Foundation
import TestSupport
import Testing

@testable import Ingest
@testable import JobLedger
@testable import Pipeline

/// No command brings a ledger up to date under a daemon that runs, nor one that only looks at it.
@Suite struct UpgradeGuardTests {
  private let folder: TemporaryFolder
  private let state: StateDirectory
  private let configuration: SiteConfiguration

  init() throws {
    folder = try TemporaryFolder()
    state = try StateDirectory(path: folder.url.appendingPathComponent("state").path)
    var configuration = SiteConfiguration()
    configuration.stateDirectory = state.url.path
    self.configuration = configuration
    _ = try Ledger(path: state.ledger.path, version: 17)
  }

  private func reason() -> String? {
    do {
      _ = try Ledger(reading: state.ledger.path)
      return nil
    } catch {
      return error.description
    }
  }

  @Test func aRunningDaemonKeepsItsLedger() throws {
    let lock = try state.lock(for: "serve")
    let error = #expect(throws: LedgerError.self) {
      try ConfiguredParts(configuration, mustExist: true)
    }
    let text = try #require(error?.description)
    #expect(text.contains("a daemon of an older segmentd is using them"), "\(text)")
    #expect(reason()?.contains("older segmentd") == true)
    withExtendedLifetime(lock) {}
  }

  /// Whoever holds the lock is no other daemon.
  @Test(arguments: [true, false]) func withoutADaemonItIsBroughtUpToDate(isLocked: Bool) throws {
    let lock = isLocked ? try state.lock(for: "serve") : nil
    _ = try ConfiguredParts(configuration, mustExist: true, isLocked: isLocked)
    #expect(reason() == nil)
    withExtendedLifetime(lock) {}
    // The lock was given back.
    if !isLocked { _ = try state.lock(for: "serve") }
  }

  @Test func whoOnlyLooksChangesNothing() throws {
    let error = #expect(throws: LedgerError.self) { try ConfiguredParts(reading: configuration) }
    #expect(error?.description.contains("older segmentd") == true)
    #expect(reason() != nil)
    _ = try ConfiguredParts(configuration, mustExist: true)
    let parts = try ConfiguredParts(reading: configuration)
    let report = try StateRepair(
      state: parts.state, ledger: parts.ledger, intake: parts.intake, isDryRun: true
    ).run()
    #expect(report.steps == [] && report.report.findings == [])
    #expect(throws: LedgerError.self) { try parts.ledger.rescue() }
  }
}
