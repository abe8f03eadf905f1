import ArgumentParser
import ConfigurationFile
import Foundation
import Ingest
import JobLedger
import Pipeline
import Wording

struct PurgeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "purge",
    abstract: "Remove originals, results and events that the retention rules no longer keep.",
    discussion: """
      Does immediately what the daemon does every retention.intervalMinutes, with or without a running daemon: \
      removes what is older than retention: in the configuration allows, and the oldest finished series and results \
      if too much is kept or too little disk space is free. Without that section nothing is removed.

      Nothing that is still in use is removed: originals of a study with a series that is arriving, incomplete, or \
      has a waiting or running job; originals of held jobs, unless retention.originals.heldDays is set; and anything \
      that a destination does not have, or has not proved to keep if that is required. The ledger remembers what was \
      removed, when and by which rule: see segmentd explain. --dry-run says what would be removed, and changes \
      nothing.
      """
        + examples("segmentd purge --dry-run --list"))

  @OptionGroup var config: ConfigurationOption

  @Flag(name: .customLong("dry-run"), help: "Only report what would be removed.")
  var isDryRun = false

  @Flag(help: "Name each series and each result.")
  var list = false

  @Flag(help: "Print JSON, which names them all.")
  var json = false

  func run() async throws {
    let configuration = try config.load()
    guard configuration.retention.isConfigured else {
      warn("\(config.path): no rule of retention: is set, by which anything would be removed")
      if json { print(try encodeJSON(PurgeReport(PurgePlan(), isDryRun: isDryRun))) }
      return
    }
    configuration.startLogging()
    let plan: PurgePlan
    if isDryRun {
      let state = StateDirectory(existing: configuration.stateDirectory)
      plan = try Retention(
        state: state, ledger: Ledger(reading: state.ledger.path), rules: configuration.retention
      ).plan()
    } else {
      plan = try ConfiguredParts(configuration, mustExist: true, account: invokingAccount).retention
        .run()
    }
    let report = PurgeReport(plan, isDryRun: isDryRun)
    print(json ? try encodeJSON(report) : report.text(namesAll: list))
  }
}

/// What a purge did, or would do, for people and scripts.
struct PurgeReport: Encodable {
  private struct Item: Encodable {
    var kind: String
    var state: String
    var studyInstanceUID: String
    var seriesInstanceUID: String
    var job: Int64?
    /// When the last thing happened to it.
    var since: Date
    var rule: String
    var files: Int
    var bytes: Int
  }

  private var isDryRun: Bool
  private var totals: [PurgePlan.Total]
  private var items: [Item]
  private var events: RemovableEvents?
  private var bytes: Int
  private var freeBytes: Int?
  private var shortfalls: [String: Int]

  init(_ plan: PurgePlan, isDryRun: Bool) {
    self.isDryRun = isDryRun
    totals = plan.totals
    items = plan.items.map {
      Item(
        kind: $0.what.kind.rawValue, state: $0.what.state.rawValue,
        studyInstanceUID: $0.what.studyInstanceUID, seriesInstanceUID: $0.what.seriesInstanceUID,
        job: $0.what.job, since: $0.what.since, rule: $0.rule, files: $0.files, bytes: $0.bytes)
    }
    events = plan.events
    bytes = plan.bytes
    freeBytes = plan.freeBytes
    shortfalls = plan.shortfalls
  }

  func text(namesAll: Bool) -> String {
    let verb = isDryRun ? "would be purged" : "purged"
    var rows = totals.map {
      [
        $0.kind.rawValue, "\($0.items)", "\($0.files)", megabytes($0.bytes), "retention.\($0.rule)",
      ]
    }
    if let events, events.count > 0 {
      rows.append(["events", "\(events.count)", "-", "-", "retention.events.days"])
    }
    var lines =
      rows.isEmpty
      ? ["nothing \(verb)"] : [formatTable([["KIND", "COUNT", "FILES", "MB", "RULE"]] + rows)]
    if namesAll {
      lines += items.map { item in
        let name = item.job.map { "the result of job \($0)" } ?? "series \(item.seriesInstanceUID)"
        return "\(verb): \(name) (\(item.state) since \(item.since.formatted(.iso8601))), "
          + "\(counted(item.files, "file")), \(megabytes(item.bytes)) MB, by retention.\(item.rule)"
      }
    }
    if let kept = events?.kept { lines.append("older events are kept: \(kept)") }
    lines += shortfalls.sorted { $0.key < $1.key }.map { rule, bytes in
      "retention.\(rule): \(megabytes(bytes)) MB more would have to go, and nothing more is finished"
    }
    return lines.joined(separator: "\n")
  }

  private func megabytes(_ bytes: Int) -> String { String(format: "%.1f", Double(bytes) / 1e6) }
}
