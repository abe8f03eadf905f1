import ArgumentParser
import ConfigurationFile
import Foundation
import Pipeline
import SeriesReading

struct RulesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rules", abstract: "Try the rules that assign series to models.",
    discussion: examples("segmentd rules test FOLDER"),
    subcommands: [Test.self])

  struct Test: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show what each rule makes of each series of a study; change nothing.",
      discussion: """
        Reads the headers in STUDY_FOLDER and assesses every series by the geometry gate and every rule of the \
        configuration, as the daemon would if the study arrived now. A series that fails a single criterion of a \
        rule is called a near miss. For a model with several channels, the series of each channel is listed, or why \
        there is none.
        """
          + examples(
            "segmentd rules test FOLDER", "segmentd rules test --config new.yaml --json FOLDER"))

    @OptionGroup var config: ConfigurationOption

    @Flag(help: "Print the decisions as JSON.")
    var json = false

    @Argument(
      help: ArgumentHelp("A folder with the files of a study.", valueName: "study-folder"),
      completion: .directory)
    var folder: String

    func run() async throws {
      let configuration = try config.load()
      let scan = try InputScan([folder])
      warn(about: scan)
      guard !scan.series.isEmpty else { throw RunError.nothingToRead(inputs: [folder]) }
      let rules = configuration.rules(for: configuration.modelLibrary) { model, error in
        warn("the channels of model \(model) are not shown: \(error)")
      }
      let studies = try RuleTrial.studies(
        scan.series, rules: rules, geometry: configuration.geometryRules)
      if json {
        print(try encodeJSON(["studies": studies]))
      } else {
        print(studies.map(\.text).joined(separator: "\n"))
      }
    }
  }
}
