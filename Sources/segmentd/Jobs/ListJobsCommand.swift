import ArgumentParser
import Foundation
import JobLedger
import Pipeline

struct ListJobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List jobs.",
    discussion: """
      One line for each job: its state, the verdict of the geometry gate on its series (accepted, \
      repaired or held; "-" where it was not assessed), and what came of it. With --job everything \
      about one job: why the verdict is what it is, in the words of `segmentd inspect`, the volumes, \
      each attempt, each event, the associations over which the series came and how they ended, and \
      the instances that were refused. With --refused the instances that were refused and have not \
      arrived since, those included of which it cannot be told which series lacks them. Where \
      processing is paused, standard error says since when and by whom.
      """)

  @OptionGroup var config: ConfigurationOption

  @Option(help: ArgumentHelp("Only the jobs of this study.", valueName: "uid"))
  var study: String?

  @Option(help: ArgumentHelp("All about this job.", valueName: "number"))
  var job: Int64?

  @Flag(help: "List refused instances, not jobs.")
  var refused = false

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    guard [job != nil, study != nil, refused].filter(\.self).count <= 1 else {
      throw ValidationError("--job, --study and --refused cannot be given together")
    }
  }

  func run() async throws {
    let ledger = try ConfiguredParts(config.load(), mustExist: true).ledger
    if let job {
      let detail = try ledger.job(job)
      return print(json ? try encodeJSON(detail) : detail.text)
    }
    if refused {
      let refusals = try ledger.refusals()
      return print(json ? try encodeJSON(refusals) : refusalTable(refusals))
    }
    let jobs = try ledger.jobs(study: study)
    if json {
      print(try encodeJSON(jobs))
    } else if jobs.isEmpty {
      print("no jobs")
    } else {
      let head = ["JOB", "STATE", "MODEL", "IMAGES", "VERDICT", "SERIES", "NOTE"]
      print(formatTable([head] + jobs.map(row)))
    }
    if !json, let pause = try ledger.processingState().pauseText { warn(pause) }
    let count = try ledger.refusals(withoutSeries: true).count
    if count > 0, !json {
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
    var notes = [summary, volume?.text, reason].compactMap(\.self)
    if priority != 0, finishedAt == nil { notes.append("priority \(priority)") }
    if let verdict, verdict != .accepted {
      let reasons = verdictReasons.filter { why in !notes.contains { $0.contains(why) } }
      if !reasons.isEmpty { notes.append("\(verdict): " + reasons.joined(separator: "; ")) }
    }
    return notes + outcomes
  }

  fileprivate var outcomes: [String] {
    (sameResultAs.map { ["the result of job \($0)"] } ?? [])
      + (supersededBy.map { ["superseded by job \($0)"] } ?? [])
      + deliveries.map { delivery in
        "\(delivery.destination): \(delivery.state)"
          + (delivery.state == "delivered" ? "" : delivery.lastError.map { " (\($0))" } ?? "")
      }
  }
}

extension JobDetail {
  /// Everything about a job, for people.
  fileprivate var text: String {
    let notes =
      [job.summary, job.volume?.text, job.reason].compactMap(\.self)
      + (job.priority == 0 ? [] : ["priority \(job.priority)"]) + job.outcomes
    var lines = ["job \(job.id): \(job.state), model \(job.modelName), \(job.instances) images"]
    lines += notes.map { "  \($0)" }
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
          .joined(separator: ": "))
    }
    lines += associations.map(\.text) + refusals.map(\.text)
    lines += events.map { "\($0.at.formatted(.iso8601)) \($0.kind): \($0.message)" }
    return lines.joined(separator: "\n")
  }
}
