import ArgumentParser
import ConfigurationFile
import Ingest
import JobLedger
import Pipeline
import SeriesSelection

struct ReprocessCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reprocess",
    abstract: "Segment a study again.",
    discussion: """
      Makes a new job for each series and model. A daemon on the same state directory runs them; \
      without one this command does it, and sends the results. A series of which instances may be \
      missing is held, unless assembly.incompleteSeries is process. Originals that are no longer on \
      disk are retrieved from querySource.

      A job whose images, model and settings are those of the last result comes to that result: \
      nothing is computed, and nothing is sent that arrived. Another version of the model gives a \
      new series that names the one it replaces, and so does --force in any case.
      """)

  @OptionGroup var config: ConfigurationOption

  @Option(help: ArgumentHelp("The study.", valueName: "uid"))
  var study: String

  @Option(help: ArgumentHelp("Only this series of the study.", valueName: "uid"))
  var series: String?

  @Option(help: "Use this model, not those of the earlier jobs.")
  var model: String?

  @Flag(help: "Make a new result where there is the same one, as a series of its own.")
  var force = false

  @Option(help: ArgumentHelp("Jobs of a higher priority run first.", valueName: "number"))
  var priority = 0

  @OptionGroup var channels: ChannelOptions

  @Flag(help: "Print the new jobs as JSON.")
  var json = false

  func run() async throws {
    let configuration = try config.load()
    configuration.startLogging()
    let parts = try ConfiguredParts(configuration, mustExist: true)
    if let model { _ = try parts.models.bundle(model) }
    let held = try parts.state.lockUnlessInUse()
    guard try await originals(parts, isAlone: held != nil) else {
      return warn("a daemon is using this state directory and will assemble what came")
    }
    var jobs: [Int64] = []
    var together: Set<String> = []
    let stacks = try parts.assessor(ModelRules([])).stacks(ofStudy: study)
    for found in try unitsAsked(stacks, parts.ledger) {
      for name in try models(for: found, parts) {
        let bundle = try parts.models.bundle(name)
        if bundle.network.inputChannels > 1, !bundle.channels.isEmpty {
          together.insert(name)
        } else {
          let uid = found.seriesInstanceUID
          let stacked = stacks[uid] ?? []
          var job = NewJob(
            model: name, start: try start(of: [uid] + stacked, parts), priority: priority,
            stackedWith: stacked)
          job.isForced = force
          jobs.append(try parts.ledger.reprocess(series: uid, job: job))
        }
      }
    }
    for name in together.sorted() { jobs.append(try reprocessTogether(name, parts)) }
    guard !jobs.isEmpty else { throw ReprocessError.noModel(study: study) }
    guard let lock = held else {
      _ = try show(jobs, parts.ledger)
      return warn("a daemon is using this state directory and will run them")
    }
    if let pause = try parts.ledger.processingState().pauseText {
      warn("\(pause); the jobs wait for segmentd resume and a daemon")
    }
    try parts.ledger.rescue()
    for job in jobs { try await runToCompletion(job, parts) }
    withExtendedLifetime(lock) {}
    guard try show(jobs, parts.ledger) else { throw ExitCode.failure }
  }

  /// The series asked for; of a stack of series the one by which it goes.
  private func unitsAsked(_ stacks: [String: [String]], _ ledger: Ledger) throws
    -> [SeriesOfStudy]
  {
    let first = Dictionary(
      stacks.flatMap { first, others in others.map { ($0, first) } },
      uniquingKeysWith: { first, _ in first })
    return try ledger.imageSeries(ofStudy: study, only: series.map { first[$0] ?? $0 })
      .filter { first[$0.seriesInstanceUID] == nil }
  }

  /// One job for the channels of a model, found in the whole study.
  private func reprocessTogether(_ model: String, _ parts: ConfiguredParts) throws -> Int64 {
    let selection = try parts.assessor(ModelRules([])).selection(
      parts.models.bundle(model).channels,
      of: parts.ledger.imageSeries(ofStudy: study).map(\.seriesInstanceUID),
      chosen: channels.chosen()
    ).get()
    var job = NewJob(model: model, selection: selection)
    job.isForced = force
    job.priority = priority
    job.start = try start(of: selection.series.map(\.seriesInstanceUID), parts)
    return try parts.ledger.reprocess(
      series: selection.reference.seriesInstanceUID, job: job)
  }

  /// A job of series of which instances may be missing is held, as by the daemon.
  private func start(of series: [String], _ parts: ConfiguredParts) throws -> NewJob.Start {
    let assessor = parts.assessor(ModelRules([]))
    let reasons = try series.compactMap { uid in
      try assessor.reasonToWait(uid).map { series.count > 1 ? "series \(uid): \($0)" : $0 }
    }
    return reasons.isEmpty ? .available : .held(reason: reasons.joined(separator: "; "))
  }

  /// The models asked for, of earlier jobs, or of the rules.
  private func models(for series: SeriesOfStudy, _ parts: ConfiguredParts) throws -> [String] {
    if let model { return [model] }
    if !series.models.isEmpty { return series.models }
    let uid = series.seriesInstanceUID
    return try parts.assessor(parts.rules()).assess(study: study, series: [uid])[uid]?.plan.models
      ?? []
  }

  /// Retrieves originals that are no longer here, and warns of a study that has not come as a whole.
  ///
  /// - Returns: false for a study of which nothing was here, where a daemon makes its jobs.
  private func originals(_ parts: ConfiguredParts, isAlone: Bool) async throws -> Bool {
    let known = try? parts.ledger.series(ofStudy: study, only: series)
    let spool = SpoolCheck(state: parts.state)
    let lost = try (known ?? []).contains {
      try spool.missing(parts.ledger.instances(series: $0.seriesInstanceUID).current) != nil
    }
    if known == nil || lost, let source = try parts.querySource() {
      warn("retrieving the originals from \(source)")
      let retrieval = StudyRetrieval(parts: parts, source: source, isAlone: isAlone)
      for row in try await retrieval.run(study: study, series: series) {
        if let problem = row.problem { warn("series \(row.seriesInstanceUID): \(problem)") }
      }
    }
    for uid in try parts.ledger.unassembledSeries(ofStudy: study) {
      warn("series \(uid) has not been assembled yet: the study may not have arrived as a whole")
    }
    return known != nil || isAlone || parts.configuration.querySource == nil
  }

  private func runToCompletion(_ job: Int64, _ parts: ConfiguredParts) async throws {
    let line = ProgressLine()
    _ = try await parts.runner.runNext(id: job) { line.show($0) }
    let delivery = try parts.delivery()
    while try await delivery.deliverNext(job: job) {}
    while try await delivery.proveNext(job: job) {}
  }

  /// - Returns: whether every job is completed and its result delivered, or sent where proof is waited for.
  private func show(_ jobs: [Int64], _ ledger: Ledger) throws -> Bool {
    let new = try ledger.jobs(study: study).filter { jobs.contains($0.id) }
    if json {
      print(try encodeJSON(new))
    } else {
      for job in new {
        let notes = [job.reason, job.summary] + job.deliveries.map(\.lastError)
        print(
          (["job \(job.id): \(job.model) on series \(job.seriesInstanceUID): \(job.state)"]
            + notes.compactMap(\.self)).joined(separator: "; "))
      }
    }
    return new.allSatisfy { job in
      job.state == "completed"
        && job.deliveries.allSatisfy { ["delivered", "sent"].contains($0.state) }
    }
  }
}

enum ReprocessError: Error, CustomStringConvertible {
  case noModel(study: String)

  var description: String {
    switch self {
    case .noModel(let study):
      "no rule of the configuration matches a series of study \(study); name a model by --model"
    }
  }
}
