import ArgumentParser
import JobLedger

struct JobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobs", abstract: "Show what stands in the ledger.")

  @OptionGroup var config: ConfigurationOption

  @Option(help: ArgumentHelp("Only the jobs of this study.", valueName: "uid"))
  var study: String?

  @Flag(help: "Print JSON.")
  var json = false

  func run() async throws {
    let parts = try ConfiguredParts(config.load(), mustExist: true)
    let jobs = try parts.ledger.jobs(study: study)
    if json {
      print(try encodeJSON(jobs))
    } else if jobs.isEmpty {
      print("no jobs")
    } else {
      print(formatTable([["JOB", "STATE", "MODEL", "IMAGES", "SERIES", "NOTE"]] + jobs.map(row)))
    }
  }

  private func row(_ job: JobSummary) -> [String] {
    var notes = [job.summary, job.reason].compactMap(\.self)
    if let newer = job.supersededBy { notes.append("superseded by job \(newer)") }
    notes += job.deliveries.map { delivery in
      "\(delivery.destination): \(delivery.state)"
        + (delivery.state == "delivered" ? "" : delivery.lastError.map { " (\($0))" } ?? "")
    }
    return [
      "\(job.id)", job.state, job.model.isEmpty ? "-" : job.model, "\(job.instances)",
      job.seriesInstanceUID, notes.joined(separator: "; "),
    ]
  }
}
