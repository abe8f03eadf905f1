import ArgumentParser
import ConfigurationFile
import Explanation
import Foundation
import JobLedger
import Pipeline

struct ExplainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Tell the history of a study.",
    discussion: """
      In plain sentences and chronological order: what arrived when and from whom, how each association ended, what \
      was refused, what the query source answered, which rule chose which model and why, the verdicts on the \
      geometry, each attempt with the times of its stages and its memory, the model and its hash, the proof of the \
      result, deliveries and storage commitment; then what is being waited for, and until when. Only reads the \
      ledger, with or without a running daemon; works on a read-only copy too. Contains no patient names.
      """
        + examples(
          "segmentd explain --study 1.2.3", "segmentd explain --study 1.2.3 --series 1.2.3.4 --json"
        ))

  @OptionGroup var config: ConfigurationOption

  @Option(help: ArgumentHelp("The study.", valueName: "uid"))
  var study: String

  @Option(help: ArgumentHelp("Only this series of the study.", valueName: "uid"))
  var series: String?

  @Flag(help: "Print the same as JSON, with the data behind it.")
  var json = false

  func run() async throws {
    let configuration = try config.load()
    let path = configuration.stateDirectory + "/ledger.sqlite"
    let ledger = try Ledger(reading: path)
    let explanation = StudyExplanation(
      try ledger.record(ofStudy: study, only: series),
      waiting: configuration.waitingTimes)
    print(json ? try encodeJSON(explanation) : explanation.text)
  }
}
