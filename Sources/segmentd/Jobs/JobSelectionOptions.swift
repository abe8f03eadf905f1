import ArgumentParser
import Foundation
import JobLedger
import Pipeline

/// Which jobs a command changes, and how it tells what it did.
struct JobSelectionOptions: ParsableArguments {
  @OptionGroup var config: ConfigurationOption

  @Option(
    name: .customLong("job"),
    help: ArgumentHelp("This job; may be repeated.", valueName: "number"))
  var jobs: [Int64] = []

  @OptionGroup var filter: JobFilterOptions

  @Option(help: ArgumentHelp("Why, for the job's events; no patient data.", valueName: "text"))
  var reason: String?

  @Flag(name: .customLong("dry-run"), help: "Only report what would be done.")
  var isDryRun = false

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    guard !jobs.isEmpty || !filter.isEmpty else {
      throw ValidationError(
        "say which jobs: --job, --study, --series, --model, --state, --older-than, --newer-than, "
          + "--destination, --delivery or --reprocessing")
    }
  }

  /// Does it, and prints a line for each job.
  ///
  /// - Throws: `ExitCode` 1 where no job meets the conditions.
  func apply(_ action: JobAction) throws {
    let ledger = try ConfiguredParts(config.load(), mustExist: true, account: invokingAccount)
      .ledger
    let changes = try ledger.apply(action, to: selection, reason: reason, isDryRun: isDryRun)
    if json {
      print(try encodeJSON(changes))
    } else if !changes.isEmpty {
      let rows = changes.map { change in
        [
          "\(change.job)", change.state.rawValue, change.model.isEmpty ? "-" : change.model,
          change.seriesInstanceUID,
          (isDryRun && change.isChanged ? "would be changed: " : "") + change.outcome,
        ]
      }
      print(formatTable([["JOB", "WAS", "MODEL", "SERIES", "NOW"]] + rows))
    }
    guard !changes.isEmpty else {
      warn("no job meets these conditions")
      throw ExitCode.failure
    }
  }

  private var selection: JobSelection {
    var selection = filter.selection
    selection.jobs = jobs
    return selection
  }
}
