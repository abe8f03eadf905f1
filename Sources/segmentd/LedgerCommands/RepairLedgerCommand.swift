import ArgumentParser
import ConfigurationFile
import Foundation
import Ingest
import JobLedger
import Pipeline

struct RepairLedgerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "repair", abstract: "Repair what can be repaired of ledger, spool and results.",
    discussion: """
      Stop the daemon first. Files of the spool that the ledger does not know are recorded. Instances whose file is \
      lost or damaged are marked: their series is held until they are sent again. Current results whose file is lost \
      are made again, and results on disk that the ledger does not know are added to it; what has arrived is not \
      sent again. Files that belong to no result of their job are removed.

      A missing ledger is rebuilt from spool and results, as by a daemon that starts without one. With --rebuild an \
      existing one is replaced in the same way, and kept as ledger.sqlite.replaced-TIME.

      Exit status: 0 if everything is in order afterwards, 2 if something is left, such as files that have to be \
      sent again, 1 for failure.
      """
        + examples("segmentd ledger repair --dry-run", "segmentd ledger repair --rebuild"))

  @OptionGroup var config: ConfigurationOption

  @Flag(name: .customLong("dry-run"), help: "Only report what would be done.")
  var isDryRun = false

  @Flag(help: "Only check that each file exists and has the right size, without reading it.")
  var quick = false

  @Flag(help: "Rebuild the ledger from spool and results, and keep the old file next to it.")
  var rebuild = false

  @Flag(
    name: .customLong("remove-unknown-results"),
    help: "Also remove files of results whose job number the ledger does not know.")
  var removesUnknownResults = false

  @Flag(help: "Print JSON.")
  var json = false

  func run() async throws {
    let configuration = try config.load()
    configuration.startLogging()
    let state = StateDirectory(existing: configuration.stateDirectory)
    try checkOwner(state)
    let lock = try state.lockAlone(for: "repair")
    defer { withExtendedLifetime(lock) {} }
    let isThere = FileManager.default.fileExists(atPath: state.ledger.path)
    if isDryRun, rebuild || !isThere {
      print("the ledger is rebuilt from the files in \(state.spool.path) and \(state.results.path)")
      throw ExitCode.findings
    }
    if rebuild, isThere { try keepPresent(state.ledger.path) }
    let progress = CountLine("instances compared")
    // What is only to be looked at is not brought up to date either.
    let parts =
      isDryRun
      ? try ConfiguredParts(reading: configuration)
      : try ConfiguredParts(configuration, isLocked: true, account: invokingAccount)
    let repair = StateRepair(
      state: state, ledger: parts.ledger, intake: parts.intake, isDryRun: isDryRun,
      comparesHashes: !quick, removesUnknownResults: removesUnknownResults)
    let report = try repair.run { progress.show($0) }
    progress.end()
    if let damage = report.report.findings.first(where: { $0.kind == .damage }) {
      throw LedgerCommandError.damaged(path: state.ledger.path, reason: damage.text)
    }
    print(json ? try encodeJSON(report) : report.text)
    guard report.report.findings.isEmpty else { throw ExitCode.findings }
  }

  /// Files that another user makes could not be used by the daemon.
  private func checkOwner(_ state: StateDirectory) throws {
    var status = stat()
    guard stat(state.url.path, &status) == 0 else {
      throw LedgerCommandError.noStateDirectory(path: state.url.path)
    }
    guard status.st_uid == geteuid() else {
      throw LedgerCommandError.otherOwner(path: state.url.path, owner: status.st_uid)
    }
  }

  /// With its write-ahead log, which belongs to it.
  private func keepPresent(_ path: String) throws {
    let time = Date().formatted(.iso8601).replacing(":", with: "")
    for suffix in ["", "-wal", "-shm"]
    where FileManager.default.fileExists(atPath: path + suffix) {
      try FileManager.default.moveItem(
        atPath: path + suffix, toPath: "\(path).replaced-\(time)\(suffix)")
    }
  }
}

extension StateRepairReport {
  /// For people.
  var text: String {
    let done = isDryRun ? steps.map { "would be done: \($0)" } : steps
    return (done + [report.text]).joined(separator: "\n")
  }
}
