import ArgumentParser
import Foundation
import Ingest
import JobLedger
import Wording

struct ProgressOfJobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "progress", abstract: "Show the progress of jobs, and when they will be finished.",
    discussion: """
      Counts the jobs that meet every condition given by their states, and says how many an hour were completed \
      recently (in the last hour, or since the first of these was created) and when the rest will be finished at \
      that rate.

      The jobs of a reprocessing are stopped by `segmentd jobs hold --reprocessing N`, which lets running jobs \
      finish, and resumed by `segmentd jobs release --reprocessing N`.
      """
        + examples(
          "segmentd jobs progress --reprocessing 3", "segmentd jobs progress --model liver --json"))

  @OptionGroup var config: ConfigurationOption

  @OptionGroup var filter: JobFilterOptions

  @Flag(help: "Print JSON.")
  var json = false

  func run() async throws {
    let configuration = try config.load()
    let ledger = try Ledger(
      reading: StateDirectory(existing: configuration.stateDirectory).ledger.path)
    let progress = try ledger.progress(of: filter.selection)
    let report = Report(progress, now: Date())
    print(json ? try encodeJSON(report) : report.text)
    if let pause = try ledger.processingState().pauseText { warn(pause) }
  }

  struct Report: Encodable {
    var states: [String: Int]
    var jobs: Int
    var remaining: Int
    var madeAt: Date?
    var lastEndAt: Date?
    var jobsAnHour: Double?
    var endsAt: Date?

    init(_ progress: SelectionProgress, now: Date) {
      states = progress.states
      jobs = progress.states.values.reduce(0, +)
      remaining = progress.remaining
      madeAt = progress.madeAt
      lastEndAt = progress.lastEndAt
      jobsAnHour = progress.jobsAnHour.map { ($0 * 10).rounded() / 10 }
      endsAt =
        remaining == 0
        ? nil
        : progress.remainingSeconds.map {
          Date(timeIntervalSince1970: (now.timeIntervalSince1970 + $0).rounded())
        }
    }

    var text: String {
      guard jobs > 0 else { return "no jobs" }
      let counts = JobState.allCases.compactMap { state in
        states[state.rawValue].map { "\($0) \(state.rawValue)" }
      }.joined(separator: ", ")
      var lines = ["\(counted(jobs, "job")): \(counts)"]
      if let madeAt { lines.append("the first was made at \(madeAt.formatted(.iso8601))") }
      if let lastEndAt { lines.append("the last end was at \(lastEndAt.formatted(.iso8601))") }
      if let jobsAnHour {
        lines.append(String(format: "%.1f jobs an hour were completed lately", jobsAnHour))
      }
      if let endsAt {
        lines.append("\(remaining) are left, at this pace until \(endsAt.formatted(.iso8601))")
      } else if remaining > 0 {
        lines.append("\(remaining) are left")
      }
      return lines.joined(separator: "\n")
    }
  }
}
