import ArgumentParser
import ConfigurationFile
import DICOM
import Foundation
import JobLedger
import Pipeline
import Wording

struct ReplayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Show which studies another configuration would treat differently; change nothing.",
    discussion: """
      Reads the ledger and the originals in the spool, and lists every series that --config would treat differently: \
      that its rules would route to another model, to none, or to one where there was none; of which they would \
      choose another volume; that its geometry section would judge differently; or that a model would no longer \
      accept (by the conditions of model.yaml on the headers: attributes, modality, body part, spacing, extent). \
      Intensities, memory and destinations are not considered. Pixels are read only for a series that was held for \
      them.

      Series whose originals were purged, and those that have not been assembled yet, are only named. Works while \
      the daemon is running, and only reads the ledger.
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
      "Studies that received an image since then: 2026-11-26, 2026-11-26T08:30, or an age such as 12h or 2d.",
      valueName: "date"))
  var since: Moment?

  @Option(
    name: .customLong("study"), parsing: .upToNextOption,
    help: ArgumentHelp("Only these studies.", valueName: "uid"))
  var studies: [String] = []

  @Option(
    help: ArgumentHelp(
      "The state directory, instead of the one in the configuration.", valueName: "folder"),
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
      "\(series) series of \(counted(studies, "study", "studies")) compared: "
        + "\(counted(differences.count, "difference")) in \(counted(changed, "study", "studies"))"
        + (unreplayed.isEmpty ? "" : "; \(unreplayed.count) series not known")
        + "; nothing was changed")
    return lines.joined(separator: "\n")
  }
}
