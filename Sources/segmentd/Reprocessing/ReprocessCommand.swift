import ArgumentParser
import ConfigurationFile
import Foundation
import Ingest
import JobLedger
import Pipeline
import Wording

struct ReprocessCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reprocess",
    abstract: "Segment studies again.",
    discussion: """
      Creates a new job for each series and model, unless such a job is already waiting. A daemon on the same state \
      directory runs them, and the command returns; without one the command runs them and sends the results, until a \
      daemon starts, to which it leaves the rest. With --wait it always returns only when they have ended. If \
      another reprocess is running, it waits for that one.

      --study, --series and --from name studies and series; --since and --all-failed narrow them down, or, if none \
      are named, apply to all series. Jobs for series that are not named in the command have the lowest priority, \
      -1000: new studies never wait for them. --rate spreads them over time, across restarts.

      A series that may have missing instances is held, unless assembly.incompleteSeries is process. \
      Originals that are no longer on disk are retrieved from querySource.

      The jobs of one command are a reprocessing with a number: `segmentd jobs progress --reprocessing N` shows its \
      progress and when it will be finished, `segmentd jobs hold --reprocessing N` stops it and `segmentd jobs \
      release --reprocessing N` resumes it. --dry-run predicts how long it will take, from the last jobs of the \
      models.

      A job with the same images, model and settings as the last result gives that result: nothing is computed, and \
      nothing that has arrived is sent again. A different version of the model gives a new series that names the one \
      it replaces, and so does --force in any case. --dry-run says which it would be.

      The exit status is 2 if a job could not be created or has no delivered result.
      """
        + examples(
          "segmentd reprocess --study 1.2.3",
          "segmentd reprocess --model liver --since 2026-09-01 --dry-run",
          "segmentd reprocess --all-failed --rate 20/hour --wait"))

  @OptionGroup var config: ConfigurationOption

  @OptionGroup var selection: ReprocessSelectionOptions

  @Flag(help: "Make a new result, as a new series, even if the same one exists.")
  var force = false

  @Option(
    help: ArgumentHelp(
      "Jobs of a higher priority run first; 0 for series named in the command, otherwise -1000.",
      valueName: "number"))
  var priority: Int?

  @Option(
    help: ArgumentHelp(
      "Run at most this many new jobs: 20/hour, 100/day or 1/minute.", valueName: "number/unit"))
  var rate: Rate?

  @Option(
    help: ArgumentHelp(
      "Of a series of several volumes take the one of this number, as inspect lists them; later jobs of "
        + "the series for the model take the same one.", valueName: "number"))
  var volume: Int?

  @OptionGroup var channels: ChannelOptions

  @Flag(name: .customLong("wait"), help: "Return once the jobs have ended, whoever runs them.")
  var waits = false

  @Flag(name: .customLong("dry-run"), help: "Only say what would change.")
  var isDryRun = false

  @Flag(help: "Print the jobs as JSON.")
  var json = false

  func validate() throws {
    guard volume == nil || selection.isByHand && selection.series.count == 1 else {
      throw ValidationError("--volume is of one series: name it by --series")
    }
    guard channels.channels.isEmpty || selection.isByHand && selection.studies.count == 1 else {
      throw ValidationError("--channel is of one study: name it by --study")
    }
  }

  func run() async throws {
    let configuration = try config.load()
    configuration.startLogging()
    let parts = try ConfiguredParts(configuration, mustExist: true, account: invokingAccount)
    if let model = selection.model { _ = try parts.models.bundle(model) }
    let targets = try ReprocessTargets(selection, parts.ledger)
    let planner = ReprocessPlanner(parts, settings: try settings())
    if isDryRun { return try preview(targets, planner, parts) }

    let run = ReprocessRun(parts, use: try parts.state.lockOrHolder(for: "reprocess"))
    let preparation = StudyPreparation(parts: parts, planner: planner)
    var made = MadeJobs(
      secondsPerJob: rate?.secondsPerJob ?? 0, request: selection.text + (force ? " --force" : ""))
    for study in targets.studies {
      try run.leaveToDaemon()
      made.add(try await preparation.plan(study, isAlone: run.isAlone), parts.ledger)
    }
    for uid in targets.unknown {
      try run.leaveToDaemon()
      // Only a single study can be named with its series.
      let study = selection.studies.count == 1 ? selection.studies[0] : nil
      made.add(
        try await preparation.planUnknown(uid, in: study, isAlone: run.isAlone), parts.ledger)
    }
    made.makePending(parts.ledger)
    guard made.hasNews else { throw ReprocessError.nothing }
    made.tell(isMany: targets.studies.count > 1)
    let end = try await run.finish(made, waits: waits)
    try show(made, end, parts.ledger)
  }

  private func settings() throws -> ReprocessSettings {
    var settings = ReprocessSettings()
    settings.model = selection.model
    settings.volume = volume
    settings.channels = try channels.chosen()
    settings.isForced = force
    settings.priority = priority ?? (selection.isByHand ? 0 : -1000)
    return settings
  }

  private func preview(
    _ targets: ReprocessTargets, _ planner: ReprocessPlanner, _ parts: ConfiguredParts
  ) throws {
    var preview = ReprocessPreview()
    preview.source = try parts.querySource().map { "\($0)" }
    preview.unknown = targets.unknown
    for study in targets.studies {
      preview.add(try planner.plan(study: study.studyInstanceUID, study.requests))
    }
    try preview.forecast(parts.ledger)
    print(json ? try encodeJSON(preview) : preview.text)
  }

  private func show(_ made: MadeJobs, _ end: ReprocessRun.End, _ ledger: Ledger) throws {
    let jobs = try made.summaries(ledger)
    if json {
      print(try encodeJSON(jobs))
    } else {
      for job in jobs {
        let notes = [job.volume?.text, job.reason, job.summary] + job.deliveries.map(\.lastError)
        print(
          (["job \(job.id): \(job.model) on series \(job.seriesInstanceUID): \(job.state)"]
            + notes.compactMap(\.self)).joined(separator: "; "))
      }
    }
    let progress = try ledger.progress(ofJobs: made.jobs.map(\.id))
    if made.jobs.count > 1 { warn("\(made.jobs.count) jobs: \(progress.text)") }
    let isDone = jobs.allSatisfy { job in
      job.state == JobState.completed.rawValue
        && job.deliveries.allSatisfy { ["delivered", "sent", "superseded"].contains($0.state) }
    }
    guard made.problems.isEmpty, isDone || end == .leftToDaemon else { throw ExitCode.findings }
  }
}

/// The jobs that `reprocess` made or found.
struct MadeJobs {
  struct Job {
    var id: Int64
    /// Seconds after the first before which it does not run.
    var delay: Double
  }

  private(set) var jobs: [Job] = []
  private(set) var problems: [String] = []
  private var numbers: Set<Int64> = []
  /// Planned, and not made yet: those of many studies are one transaction of the ledger.
  private var pending: [PlannedJob] = []
  private let secondsPerJob: Double
  private let request: String
  /// Of the reprocessing; nil before the first job is made.
  private(set) var number: Int64?
  private var newCount = 0
  private var waitingCount = 0
  private var needlessCount = 0
  /// Whether a daemon makes the jobs of a study that came just now.
  private var leftToAssembly = false

  /// - Parameters:
  ///   - secondsPerJob: between two new jobs.
  ///   - request: what was asked for, for the ledger.
  init(secondsPerJob: Double, request: String) {
    self.secondsPerJob = secondsPerJob
    self.request = request
  }

  /// Makes the jobs of a plan, or says why not.
  ///
  /// - Parameter plan: nil where a daemon makes the jobs.
  mutating func add(_ plan: Result<StudyPlan, StudyProblem>?, _ ledger: Ledger) {
    defer { if pending.count >= batch { makePending(ledger) } }
    switch plan {
    case nil: leftToAssembly = true
    case .failure(let problem): add(problem.description)
    case .success(let plan):
      for unplanned in plan.unplanned {
        let model = unplanned.model.isEmpty ? "" : "model \(unplanned.model), "
        add("\(model)series \(unplanned.seriesInstanceUID): \(unplanned.reason)")
      }
      for planned in plan.jobs {
        if planned.isNeedless {
          needlessCount += 1
        } else {
          pending.append(planned)
        }
      }
    }
  }

  /// How many jobs are made in one transaction. Each is one of its own where it begins after the one before.
  private var batch: Int { secondsPerJob > 0 ? 1 : 100 }

  /// Makes the jobs that are planned by now. Where they cannot be made together, each is made by itself.
  mutating func makePending(_ ledger: Ledger) {
    let planned = pending
    pending = []
    if planned.count > 1, batch > 1, (try? make(planned, ledger)) != nil { return }
    for job in planned {
      do throws(LedgerError) { try make([job], ledger) } catch {
        add("series \(job.seriesInstanceUID): \(error)")
      }
    }
  }

  private mutating func make(_ planned: [PlannedJob], _ ledger: Ledger) throws(LedgerError) {
    if number == nil { number = try ledger.beginReprocessing(request) }
    let delay = Double(newCount) * secondsPerJob
    let made = try ledger.requestJobs(
      planned.map { planned in
        var job = planned.job
        (job.delay, job.reprocessing) = (delay, number)
        return (series: planned.seriesInstanceUID, job: job)
      })
    for requested in made {
      if requested.isNew { newCount += 1 } else { waitingCount += 1 }
      guard numbers.insert(requested.id).inserted else { continue }
      jobs.append(Job(id: requested.id, delay: requested.isNew ? delay : 0))
    }
  }

  private mutating func add(_ problem: String) {
    problems.append(problem)
    warn(problem)
  }

  /// Says what was made.
  func tell(isMany: Bool) {
    if waitingCount > 0 {
      warn(
        "\(counted(waitingCount, "job waits", "jobs wait")) for the same already: no "
          + "second one was made")
    }
    if needlessCount > 0 {
      warn(
        "\(needlessCount) series need no job: their results are the same, and originals are not here"
      )
    }
    if isMany { warn(counted(newCount, "new job")) }
    if isMany, let number {
      warn("reprocessing \(number): segmentd jobs progress --reprocessing \(number)")
    }
  }

  /// The jobs as they are by now, in their order; asked for together, as there may be thousands.
  func summaries(_ ledger: Ledger) throws(LedgerError) -> [JobSummary] {
    // No selection would be that of all jobs.
    guard !jobs.isEmpty else { return [] }
    var query = JobQuery()
    query.selection.jobs = jobs.map(\.id)
    let known = Dictionary(
      try ledger.jobs(query).map { ($0.id, $0) }, uniquingKeysWith: { $1 })
    return jobs.compactMap { known[$0.id] }
  }

  /// Whether there is anything to report.
  var hasNews: Bool {
    !jobs.isEmpty || !problems.isEmpty || needlessCount > 0 || leftToAssembly
  }
}

enum ReprocessError: Error, CustomStringConvertible {
  case nothing

  var description: String { "no series meets these conditions" }
}
