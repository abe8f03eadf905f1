import ArgumentParser
import Configuration
import DICOM
import Foundation
import SeriesProcessing
import SeriesReading
import SeriesSelection

struct RulesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rules", abstract: "Work on the rules that give series to models.",
    subcommands: [Test.self])

  struct Test: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show what each rule makes of each series of a study; change nothing.",
      discussion: """
        Reads the headers below STUDY_FOLDER and judges every series by every rule of the \
        configuration, as the daemon would if the study arrived now. A series that misses a rule \
        by one criterion is called a near miss.
        """)

    @OptionGroup var config: ConfigurationOption

    @Flag(help: "Print the decisions as JSON.")
    var json = false

    @Argument(help: ArgumentHelp("A folder with the files of a study.", valueName: "study-folder"))
    var folder: String

    func run() async throws {
      let rules = ModelRules(try config.load().modelRules)
      let scan = try InputScan([folder])
      warn(about: scan)
      guard !scan.series.isEmpty else { throw RunError.nothingToRead(inputs: [folder]) }
      let studies = try RuleTrial.studies(scan.series, rules: rules)
      if json {
        print(try encodeJSON(["studies": studies]))
      } else {
        print(studies.map(\.text).joined(separator: "\n"))
      }
    }
  }
}

/// What the rules make of one study.
struct RuleTrial: Encodable {
  struct Series: Encodable {
    var seriesInstanceUID: String
    var images: Int
    /// What the rules were shown, by the keys of criteria.
    var attributes: [String: SeriesValue]
    /// Why the series cannot be judged.
    var fault: String?
  }

  var studyInstanceUID: String
  var series: [Series]
  var rules: [RuleOutcome]

  static func studies(_ series: [SeriesFiles], rules: ModelRules) throws -> [RuleTrial] {
    var members: [String: [SeriesFiles]] = [:]
    for entry in series {
      guard let first = entry.files.first else { continue }
      members[try DICOMFile(path: first.path).identity().studyInstanceUID, default: []]
        .append(entry)
    }
    return members.sorted { $0.key < $1.key }.map { study, series in
      RuleTrial(study: study, series, rules: rules)
    }
  }

  private init(study: String, _ members: [SeriesFiles], rules: ModelRules) {
    studyInstanceUID = study
    var facts: [SeriesFacts] = []
    series = []
    for entry in members {
      do throws(DICOMError) {
        // Everything is shown, also what the rules as they are do not ask.
        let found = try SeriesFacts(entry, everyImage: true)
        facts.append(found)
        let attributes = SeriesAttribute.allCases.compactMap { attribute in
          found[attribute].map { (attribute.rawValue, $0) }
        }
        series.append(
          Series(
            seriesInstanceUID: entry.seriesInstanceUID, images: found.imageCount,
            attributes: Dictionary(attributes, uniquingKeysWith: { $1 })))
      } catch {
        series.append(
          Series(
            seriesInstanceUID: entry.seriesInstanceUID, images: entry.files.count, attributes: [:],
            fault: error.description))
      }
    }
    self.rules = rules.outcomes(for: facts)
  }

  var text: String {
    var lines = ["study \(studyInstanceUID): \(series.count) series"]
    for entry in series {
      if let fault = entry.fault {
        lines.append("  series \(entry.seriesInstanceUID): cannot be judged: \(fault)")
      } else {
        lines.append("  series \(entry.seriesInstanceUID): \(entry.images) images")
      }
    }
    if rules.isEmpty { lines.append("  the configuration has no rules") }
    for outcome in rules {
      lines.append("")
      lines.append(
        "  rule \(outcome.rule): model \(outcome.model), selects "
          + (outcome.selection == .best ? "the best series" : "every series that matches"))
      for decision in outcome.decisions { lines += Self.lines(decision) }
    }
    return lines.joined(separator: "\n")
  }

  private static func lines(_ decision: SeriesDecision) -> [String] {
    let score = decision.score
    let state =
      switch decision.kind {
      case .selected: "selected: \(decision.reason)"
      case .passedOver: "passed over: \(decision.reason)"
      case .tied: "held: \(decision.reason)"
      case .noMatch: score.isNearMiss ? "no match, a near miss" : "no match"
      }
    var lines = [
      "    series \(decision.seriesInstanceUID): score \(score.pointsText), \(state)"
    ]
    for finding in score.required {
      lines.append(
        "      \(finding.isMet ? "yes" : "NO ") required  \(finding.description(showingText: true))"
      )
    }
    for preference in score.preferred {
      let findings = preference.findings.map { $0.description(showingText: true) }
      lines.append(
        "      \(preference.isMet ? "yes" : "no ") \(preference.pointsText) points  "
          + findings.joined(separator: "; "))
    }
    if case .noMatch = decision.kind, score.missed.isEmpty {
      lines += score.objections(showingText: true).map { "      NO  \($0)" }
    }
    return lines
  }
}
