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

  @Option(help: ArgumentHelp("Jobs of this study.", valueName: "uid"))
  var study: String?

  @Option(help: ArgumentHelp("Jobs of this series.", valueName: "uid"))
  var series: String?

  @Option(help: ArgumentHelp("Jobs for this model.", valueName: "name"))
  var model: String?

  @Option(
    name: .customLong("state"),
    help: ArgumentHelp("Jobs in this state; may be repeated.", valueName: "state"))
  var states: [JobState] = []

  @Option(
    name: .customLong("older-than"),
    help: ArgumentHelp("Jobs made longer ago, as in 90m, 12h or 2d.", valueName: "age"))
  var olderThan: Age?

  @Option(
    name: .customLong("newer-than"),
    help: ArgumentHelp("Jobs made since, as in 90m, 12h or 2d.", valueName: "age"))
  var newerThan: Age?

  @Option(help: ArgumentHelp("Why, for the job's events; no patient data.", valueName: "text"))
  var reason: String?

  @Flag(name: .customLong("dry-run"), help: "Only say what would be done.")
  var isDryRun = false

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    let conditions = [study, series, model].compactMap(\.self)
    guard
      !jobs.isEmpty || !states.isEmpty || !conditions.isEmpty || olderThan != nil
        || newerThan != nil
    else {
      throw ValidationError(
        "say which jobs: --job, --study, --series, --model, --state, --older-than or --newer-than")
    }
  }

  /// Does it, and prints a line for each job.
  ///
  /// - Throws: `ExitCode` 1 where no job meets the conditions.
  func apply(_ action: JobAction) throws {
    let ledger = try ConfiguredParts(config.load(), mustExist: true).ledger
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
    var selection = JobSelection()
    selection.jobs = jobs
    selection.study = study
    selection.series = series
    selection.model = model
    selection.states = states
    selection.madeBefore = olderThan.map { Date() - $0.seconds }
    selection.madeAfter = newerThan.map { Date() - $0.seconds }
    return selection
  }
}

extension JobState: ExpressibleByArgument {}

/// A span of time as an administrator writes it: a number and m, h or d.
struct Age: ExpressibleByArgument {
  var seconds: TimeInterval

  init?(argument: String) {
    let units: [Character: Double] = ["m": 60, "h": 3600, "d": 86400]
    guard let unit = argument.last.flatMap({ units[$0] }), let number = Double(argument.dropLast()),
      number >= 0, number.isFinite
    else { return nil }
    seconds = number * unit
  }
}
