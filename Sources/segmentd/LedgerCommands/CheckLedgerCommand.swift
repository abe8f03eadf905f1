import ArgumentParser
import ConfigurationFile
import Foundation
import Ingest
import JobLedger
import Pipeline
import Wording

struct CheckLedgerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Compare ledger, spool and results, and change nothing.",
    discussion: """
      Finds damage to the ledger; dangling references; impossible states; several current results; events that were \
      changed, removed or added, by their number; instances and results whose file is missing or has another \
      SHA-256; files that the ledger does not know. Works with or without a running daemon, also on a read-only \
      ledger. Files that are just arriving are not findings.

      Exit status: 0 if nothing is found, 2 if something is, 1 if the check could not be made.
      """
        + examples("segmentd ledger check", "segmentd ledger check --quick --json"))

  @OptionGroup var config: ConfigurationOption

  @Flag(help: "Only check that each file exists and has the right size, without reading it.")
  var quick = false

  @Option(
    help: ArgumentHelp(
      "An event that must be in the history, as printed by an earlier check.",
      valueName: "number:sha256"))
  var head: EventMark?

  @Flag(help: "Print JSON.")
  var json = false

  func run() async throws {
    let configuration = try config.load()
    let state = StateDirectory(existing: configuration.stateDirectory)
    let check = StateCheck(
      state: state, ledger: try Ledger(reading: state.ledger.path), comparesHashes: !quick,
      mark: head)
    let progress = CountLine("instances compared")
    let report = try check.run { progress.show($0) }
    progress.end()
    print(json ? try encodeJSON(report) : report.text)
    guard report.findings.isEmpty else { throw ExitCode.findings }
  }
}

extension EventMark: ExpressibleByArgument {
  /// - Parameter argument: `NUMBER:SHA256`.
  public init?(argument: String) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let event = Int64(parts[0]), parts[1].count == 64 else { return nil }
    self.init(event: event, sha256: parts[1].lowercased())
  }

  var text: String { "\(event):\(sha256)" }
}

extension StateReport {
  /// For people.
  var text: String {
    var lines = findings.map { "\($0.kind.rawValue): \($0.text)" } + notes.map { "note: \($0)" }
    if let events {
      lines += events.removals.map {
        "note: events up to \($0.upTo.event) were removed \($0.at.formatted(.iso8601)): \($0.reason)"
      }
      lines.append("\(counted(events.events, "event")); the last is \(events.head.text)")
    }
    let how = comparesHashes ? "their SHA-256" : "their size alone"
    lines.append(
      "\(counted(instances, "instance")) and \(counted(resultFiles, "file")) of results compared by \(how)"
    )
    lines.append(findings.isEmpty ? "nothing is wrong" : counted(findings.count, "finding"))
    return lines.joined(separator: "\n")
  }
}

/// A count that grows, on standard error where that is a terminal.
final class CountLine: Sendable {
  private let onTerminal = isatty(STDERR_FILENO) == 1
  private let what: String

  init(_ what: String) { self.what = what }

  func show(_ count: Int) {
    guard onTerminal else { return }
    FileHandle.standardError.write(Data("\r\u{1b}[K\(count) \(what)".utf8))
  }

  func end() {
    guard onTerminal else { return }
    FileHandle.standardError.write(Data("\r\u{1b}[K".utf8))
  }
}
