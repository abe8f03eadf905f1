import ArgumentParser
import ConfigurationFile
import Explanation
import Foundation
import Ingest
import JobLedger
import Pipeline
import Wording

struct ListJobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List jobs.",
    discussion: """
      One line for each job that meets every condition given: its state, the verdict of the geometry gate \
      on its series (accepted, repaired or held; "-" if it was not assessed), and its outcome. \
      Without --limit the table shows the last hundred jobs, and JSON all of them.

      With --job everything about one job: the reasons of the verdict, in the words of `segmentd inspect`, what to \
      do if it is held, the volumes, each attempt, each event, the associations over which the series arrived and \
      how they ended, and the instances that were refused. With --pending the series that are arriving or waiting to \
      be assembled, and what each is waiting for. With --refused the instances that were refused and have not \
      arrived since, including those that cannot be attributed to a series; for a file of a watch folder the table \
      has the path, which may contain a patient's name, and the hash that logs, events and JSON have instead. For a \
      job that a cluster computes the note says where it is: its name and number in the cluster, its state, the \
      node, the partition, and why it is waiting.

      If processing is paused, standard error says since when and by whom.

      Only reads the ledger, and works on a read-only or full disk too.
      """
        + examples(
          "segmentd jobs list --state held", "segmentd jobs list --job 17",
          "segmentd jobs list --json --after 12000 --limit 500"))

  @OptionGroup var config: ConfigurationOption

  @OptionGroup var filter: JobFilterOptions

  @OptionGroup var page: JobPageOptions

  @Option(help: ArgumentHelp("Everything about this job.", valueName: "number"))
  var job: Int64?

  @Flag(help: "List series that are arriving or waiting to be assembled, instead of jobs.")
  var pending = false

  @Flag(help: "List refused instances, instead of jobs.")
  var refused = false

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    let lists = [job != nil, pending, refused].filter(\.self).count
    guard lists == 0 || lists == 1 && filter.isEmpty && page.isEmpty else {
      throw ValidationError(
        "--job, --pending and --refused cannot be given together, nor with conditions")
    }
  }

  func run() async throws {
    let configuration = try config.load()
    let ledger = try Ledger(
      reading: StateDirectory(existing: configuration.stateDirectory).ledger.path)
    if let job {
      var detail = try ledger.job(job)
      detail.job = detail.job.withoutFiles
      detail.refusals = detail.refusals.map(\.withoutFile)
      return print(json ? try encodeJSON(AdvisedJobDetail(detail)) : detail.text)
    }
    if refused {
      let refusals = try ledger.refusals()
      return print(json ? try encodeJSON(refusals.map(\.withoutFile)) : refusalTable(refusals))
    }
    if pending {
      let series = try ledger.pendingSeries()
      return print(
        json
          ? try encodeJSON(series)
          : series.isEmpty
            ? "no series is pending"
            : pendingTable(series, configuration.waitingTimes))
    }
    let jobs = try page.jobs(filter.selection, in: ledger, isTable: !json)
    if json { return print(try encodeJSON(jobs.map { AdvisedJob($0.withoutFiles) })) }
    if jobs.isEmpty {
      print("no jobs")
    } else {
      let head = ["JOB", "STATE", "MODEL", "IMAGES", "VERDICT", "SERIES", "NOTE"]
      print(formatTable([head] + jobs.map(row)))
    }
    try tellWhatIsNotListed(ledger, listed: jobs.count)
  }

  /// On standard error.
  private func tellWhatIsNotListed(_ ledger: Ledger, listed: Int) throws {
    let all = try ledger.jobCount(filter.selection)
    if all > listed {
      warn(
        "\(listed) of \(counted(all, "job")): see --limit, --offset and --after in segmentd jobs list --help"
      )
    }
    if let pause = try ledger.processingState().pauseText { warn(pause) }
    let pending = try ledger.pendingSeriesCount()
    if pending > 0 {
      warn("\(pending) series arriving or not assembled yet: segmentd jobs --pending")
    }
    if let handover = try ledger.handoverState(), handover.backlog.waiting > 0 {
      let since = handover.backlog.oldestAt.map { " since \($0.formatted(.iso8601))" } ?? ""
      warn(
        "\(handover.backlog.waiting) entries of \(handover.backlog.series.count) series wait to be "
          + "handed over to the head\(since): segmentd doctor")
    }
    let count = try ledger.refusals(withoutSeries: true).count
    if count > 0 {
      warn(
        "\(count) refused instance(s) of which it cannot be told which series lacks them: "
          + "segmentd jobs --refused")
    }
  }

  private func row(_ job: JobSummary) -> [String] {
    [
      "\(job.id)", job.state, job.modelName, "\(job.instances)", job.verdict?.rawValue ?? "-",
      job.seriesInstanceUID, job.notes.joined(separator: "; "),
    ]
  }
}

extension JobSummary {
  fileprivate var modelName: String { model.isEmpty ? "-" : model }

  /// What came of the job, and what was mended or is wrong, each once.
  fileprivate var notes: [String] {
    var notes = [summary, volume?.text, reason, place?.text].compactMap(\.self)
    if priority != 0, finishedAt == nil { notes.append("priority \(priority)") }
    if let pauseText { notes.append(pauseText) }
    if let verdict, verdict != .accepted {
      let reasons = verdictReasons.filter { why in !notes.contains { $0.contains(why) } }
      if !reasons.isEmpty { notes.append("\(verdict): " + reasons.joined(separator: "; ")) }
    }
    return notes + outcomes
  }

  fileprivate var outcomes: [String] {
    (purgedAt.map { ["its files were purged at \($0.formatted(.iso8601))"] } ?? [])
      + (sameResultAs.map { ["the result of job \($0)"] } ?? [])
      + (supersededBy.map { ["superseded by job \($0)"] } ?? [])
      + deliveries.map(\.text)
  }

  /// Of one that is tried again after a failure.
  fileprivate var pauseText: String? {
    guard state == "retryable", let nextAt else { return nil }
    return "attempt \(attempts + 1) at \(nextAt.formatted(.iso8601))"
  }
}

extension JobSummary.Delivery {
  /// How far it is, with its attempts and the next one where it has not arrived.
  fileprivate var text: String {
    guard state != "delivered" else { return "\(destination): \(state)" }
    var parts = [lastError].compactMap(\.self)
    if attempts > 0 {
      parts.append(counted(attempts, "attempt"))
      if let nextAt { parts.append("next at \(nextAt.formatted(.iso8601))") }
    }
    return "\(destination): \(state)"
      + (parts.isEmpty ? "" : " (\(parts.joined(separator: "; ")))")
  }
}

extension JobDetail {
  /// Everything about a job, for people.
  fileprivate var text: String {
    let notes =
      [job.summary, job.volume?.text, job.reason, job.place?.text].compactMap(\.self)
      + (job.reprocessing.map { ["made by reprocessing \($0)"] } ?? [])
      + (job.priority == 0 ? [] : ["priority \(job.priority)"])
      + [job.pauseText].compactMap(\.self) + job.outcomes
    var lines = [
      "job \(job.id): \(job.state), model \(job.modelName), \(counted(job.instances, "image"))"
    ]
    lines += notes.map { "  \($0)" }
    let advice = [job.advice] + job.deliveries.map { job.deliveryAdvice($0) }
    lines += advice.compactMap(\.self).map { "  what to do: \($0)" }
    let verdict = job.verdict?.rawValue ?? "not assessed"
    lines.append("series \(job.seriesInstanceUID): \(verdict)")
    lines += verdictLines(
      reasons: job.verdictReasons, volumes: job.volumes.map { (dims: $0.dims, splitBy: $0.splitBy) }
    )
    for attempt in attempts {
      let end = attempt.finishedAt.map { " to \($0.formatted(.iso8601))" } ?? ""
      lines.append(
        "attempt \(attempt.number): \(attempt.startedAt.formatted(.iso8601))\(end), "
          + ([attempt.outcome ?? "running"] + [attempt.message].compactMap(\.self))
          .joined(separator: ": ")
          + (attempt.place.map { "; \($0.text)" } ?? ""))
    }
    lines += associations.map(\.text) + refusals.map(\.text)
    lines += events.map { "\($0.at.formatted(.iso8601)) \($0.kind): \($0.message)" }
    return lines.joined(separator: "\n")
  }
}
