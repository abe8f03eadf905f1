import ArgumentParser
import ConfigurationFile
import DICOM
import Foundation
import JobLedger
import Pipeline

struct ReplayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Show which studies another configuration would treat otherwise; change nothing.",
    discussion: """
      Reads the ledger and the originals in the spool, and lists every series that the rules of --config would \
      route to another model or none, or to one now, of which they would take another volume, that its geometry \
      section would judge otherwise, or that a model would not take any more (what model.yaml demands of the \
      headers: attributes, modality, body part, spacing, extent). Intensities are not read, and memory and \
      destinations are not considered. A series that was held for its pixels is read with them.

      Series whose originals were purged, and those that have not been assembled yet, are named: of them nothing \
      is said. Works while the daemon runs, and opens the ledger for reading alone.
      """
        + examples(
          "segmentd replay --config new.yaml --since 2026-11-01",
          "segmentd replay --config new.yaml --since 7d --json"))

  @Option(
    name: .customLong("config"),
    help: ArgumentHelp("The configuration to try.", valueName: "file"), completion: .yaml)
  var file: String

  @Option(
    help: ArgumentHelp(
      "Studies of which an image came since: 2026-11-26, 2026-11-26T08:30, or an age as 12h or 2d.",
      valueName: "date"))
  var since: Moment?

  @Option(
    name: .customLong("study"), parsing: .upToNextOption,
    help: ArgumentHelp("Only these studies.", valueName: "uid"))
  var studies: [String] = []

  @Option(
    help: ArgumentHelp(
      "The state directory, in place of the one that the configuration names.", valueName: "folder"),
    completion: .directory)
  var stateDirectory: String?

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    guard since != nil || !studies.isEmpty else {
      throw ValidationError("say which studies: --since or --study")
    }
    for uid in studies where !DICOMUID.isValid(uid) { throw ValidationError("\(uid) is not a UID") }
  }

  func run() async throws {
    var configuration = try SiteConfiguration.load(file)
    if let stateDirectory {
      configuration.stateDirectory = URL(fileURLWithPath: stateDirectory).standardizedFileURL.path
    }
    let parts = try ConfiguredParts(reading: configuration)
    if let unknown = try parts.ledger.unknown(studies).first {
      throw LedgerError.unknownStudy(unknown)
    }
    let line = CountLine("studies compared")
    let report = try Replay(parts).run(since: since?.date, studies: studies) { done, _ in
      line.show(done)
    }
    line.end()
    print(json ? try encodeJSON(report) : report.text)
  }
}

extension ReplayReport {
  /// For people.
  var text: String {
    var lines: [String] = []
    var study = ""
    for one in differences {
      if one.studyInstanceUID != study {
        study = one.studyInstanceUID
        lines.append("study \(study)")
      }
      let model = one.model.isEmpty ? "" : ", model \(one.model)"
      lines.append("  series \(one.seriesInstanceUID)\(model)")
      if one.differences.contains(.verdict), let was = one.verdictWas {
        let reasons = one.verdictReasons.isEmpty ? [] : [one.verdictReasons.joined(separator: "; ")]
        lines.append(
          "    verdict: was \(was.rawValue), would be "
            + ([one.verdictWouldBe.rawValue] + reasons).joined(separator: ": "))
      }
      let job = one.job.map { " (job \($0))" } ?? ""
      lines += [
        "    was\(job): \(one.was.text)", "    would be: \(one.wouldBe.text)",
      ]
    }
    lines += unreplayed.map {
      "not known: series \($0.seriesInstanceUID) of study \($0.studyInstanceUID): \($0.reason)"
    }
    let changed = Set(differences.map(\.studyInstanceUID)).count
    lines.append(
      "\(series) series of \(studies) studies compared: \(differences.count) differences in \(changed) "
        + "studies"
        + (unreplayed.isEmpty ? "" : "; \(unreplayed.count) series not known")
        + "; nothing was changed")
    return lines.joined(separator: "\n")
  }
}
