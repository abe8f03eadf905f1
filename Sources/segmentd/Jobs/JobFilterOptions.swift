import ArgumentParser
import Foundation
import JobLedger

/// Which jobs are meant: those that meet every condition that is given.
struct JobFilterOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Jobs of this study.", valueName: "uid"))
  var study: String?

  @Option(help: ArgumentHelp("Jobs of this series.", valueName: "uid"))
  var series: String?

  @Option(help: ArgumentHelp("Jobs for this model.", valueName: "name"), completion: .model)
  var model: String?

  @Option(
    name: .customLong("state"),
    help: ArgumentHelp("Jobs in this state; may be repeated.", valueName: "state"))
  var states: [JobState] = []

  @Option(
    name: .customLong("older-than"),
    help: ArgumentHelp("Jobs older than this, such as 90m, 12h or 2d.", valueName: "age"))
  var olderThan: Age?

  @Option(
    name: .customLong("newer-than"),
    help: ArgumentHelp("Jobs newer than this, such as 90m, 12h or 2d.", valueName: "age"))
  var newerThan: Age?

  @Option(help: ArgumentHelp("Jobs whose result goes to this destination.", valueName: "name"))
  var destination: String?

  @Option(
    name: .customLong("delivery"),
    help: ArgumentHelp(
      "Jobs whose result has a delivery in this state, to any destination or the one named; may be "
        + "repeated.", valueName: "state"))
  var deliveries: [DeliveryState] = []

  @Option(
    help: ArgumentHelp(
      "Jobs of this reprocessing, by the number that reprocess printed.", valueName: "number")
  )
  var reprocessing: Int64?

  /// Whether no condition is given.
  var isEmpty: Bool {
    [study, series, model, destination].allSatisfy { $0 == nil } && states.isEmpty
      && deliveries.isEmpty && olderThan == nil && newerThan == nil && reprocessing == nil
  }

  var selection: JobSelection {
    var selection = JobSelection()
    selection.study = study
    selection.series = series
    selection.model = model
    selection.states = states
    selection.madeBefore = olderThan.map { Date() - $0.seconds }
    selection.madeAfter = newerThan.map { Date() - $0.seconds }
    selection.destination = destination
    selection.deliveryStates = deliveries
    selection.reprocessing = reprocessing
    return selection
  }
}

extension JobState: ExpressibleByArgument {}
extension DeliveryState: ExpressibleByArgument {}

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
