import ConfigurationFile
import DICOM
import Foundation
import GeometryGate
import Ingest
import JobLedger
import Segmentation
import SeriesProcessing
import SeriesReading
import SeriesSelection
import Wording

/// Compares what became of the studies in the ledger with what another configuration would make of them. Nothing
/// is changed.
///
/// Images are read from the spool; what is not there any more is named. Headers decide, except for a series whose
/// recorded verdict is held and whose headers say otherwise: of such a series the pixels are read too.
///
/// ```swift
/// let report = try Replay(ConfiguredParts(reading: proposed)).run(since: monday)
/// for series in report.differences { print(series.seriesInstanceUID, series.wouldBe.text) }
/// ```
public struct Replay {
  private let parts: ConfiguredParts
  private let rules: ModelRules
  private let assessor: StudyAssessor
  private let spool: SpoolCheck

  /// - Parameter parts: of the other configuration.
  /// - Throws: `ModelLibraryError` or `ModelBundleError` where a rule's model cannot be used.
  public init(_ parts: ConfiguredParts) throws {
    self.parts = parts
    rules = try parts.rules()
    assessor = parts.assessor(rules)
    spool = SpoolCheck(state: parts.state)
  }

  /// - Parameters:
  ///   - date: studies of which an image came since; nil for all.
  ///   - studies: only these; empty for all.
  ///   - progress: is told how many studies of how many are done.
  /// - Throws: `LedgerError`, ``MachineFault``
  public func run(
    since date: Date?, studies: [String] = [], progress: (Int, Int) -> Void = { _, _ in }
  ) throws -> ReplayReport {
    var selection = ReprocessSelection()
    selection.uids = studies
    selection.receivedSince = date
    var selected: [String] = []
    for row in try parts.ledger.selectedSeries(selection)
    where selected.last != row.studyInstanceUID { selected.append(row.studyInstanceUID) }
    var report = ReplayReport()
    for (number, study) in zip(1..., selected) {
      try add(study, to: &report)
      progress(number, selected.count)
    }
    return report
  }

  private func add(_ study: String, to report: inout ReplayReport) throws {
    report.studies += 1
    let known = try parts.ledger.imageSeries(ofStudy: study)
    let arriving = Set(try parts.ledger.unassembledSeries(ofStudy: study))
    let gone = try absent(known)
    let uids = known.map(\.seriesInstanceUID)
    let assessed = try assessor.assess(study: study, series: uids)
    let channelJobs = try assessor.channelJobs(assessed, due: Set(uids))
    let past = Self.lastJobs(try parts.ledger.jobs(study: study))
    for series in known {
      let uid = series.seriesInstanceUID
      func leaveOut(_ reason: String) {
        report.unreplayed.append(
          UnreplayedSeries(studyInstanceUID: study, seriesInstanceUID: uid, reason: reason))
      }
      if arriving.contains(uid) {
        leaveOut("it has not been assembled yet")
      } else if let reason = gone[uid] {
        leaveOut(reason)
      } else if let assessed = assessed[uid] {
        if !gone.isEmpty, case .unreadable(let reason) = assessed.plan {
          leaveOut(reason)
          continue
        }
        report.series += 1
        report.differences += try differences(
          study, series, assessed, channelJobs[uid] ?? [], past[uid] ?? [:])
      }
    }
  }

  /// Series of which originals are not in the spool, with how many and why.
  private func absent(_ known: [SeriesOfStudy]) throws -> [String: String] {
    var absent: [String: String] = [:]
    for series in known {
      let instances = try parts.ledger.instances(series: series.seriesInstanceUID).current
      let count = spool.missing(instances)?.damagedCount ?? 0
      let purged = instances.count(where: \.isPurged)
      guard count > 0 else { continue }
      absent[series.seriesInstanceUID] =
        "\(count) of \(counted(instances.count, "original")) "
        + (purged == count ? "purged" : purged == 0 ? "missing" : "purged or missing")
    }
    return absent
  }

  /// The last job for each model by series; of those without a model and with one the later counts.
  private static func lastJobs(_ jobs: [JobSummary]) -> [String: [String: JobSummary]] {
    var last: [String: [String: JobSummary]] = [:]
    for job in jobs.sorted(by: { $0.id < $1.id }) {
      if job.model.isEmpty {
        last[job.seriesInstanceUID] = ["": job]
      } else {
        last[job.seriesInstanceUID]?[""] = nil
        last[job.seriesInstanceUID, default: [:]][job.model] = job
      }
    }
    return last
  }

  private func differences(
    _ study: String, _ series: SeriesOfStudy, _ assessed: AssessedSeries, _ channelJobs: [NewJob],
    _ past: [String: JobSummary]
  ) throws -> [ReplayedSeries] {
    let uid = series.seriesInstanceUID
    let source = try assessed.stackedWith.isEmpty ? source(uid) : nil
    let verdictWas = past.values.filter { $0.verdict != nil }.max { $0.id < $1.id }?.verdict
    var verdict = assessed.verdict
    if verdictWas == .held, verdict.kind != .held, let source,
      let reason = Self.pixelFault(source)
    {
      verdict.kind = .held
      verdict.reasons.insert(reason, at: 0)
    }
    let present = try routings(
      assessed.jobs(modality: series.modality, rules: rules, channelJobs: channelJobs),
      verdict, source)
    let models = Set(past.keys).union(present.keys)
    return try models.filter { !$0.isEmpty || models.count == 1 }.sorted().compactMap { model in
      let job = past[model]
      var found: [ReplayedSeries.Difference] = []
      if let verdictWas, verdictWas != verdict.kind { found.append(.verdict) }
      found += try differences(job, present[model], isVerdictNamed: !found.isEmpty)
      guard !found.isEmpty else { return nil }
      // What has no job for any model says why once.
      return ReplayedSeries(
        studyInstanceUID: study, seriesInstanceUID: uid, model: model, differences: found,
        job: (job ?? past[""])?.id,
        was: (job ?? past[""]).map { SeriesRouting($0) } ?? SeriesRouting(.noJob),
        wouldBe: (present[model] ?? present[""])?.routing ?? SeriesRouting(.noJob),
        verdictWas: verdictWas, verdictWouldBe: verdict.kind, verdictReasons: verdict.reasons)
    }
  }

  private struct Forecast {
    var routing: SeriesRouting
    /// Whether the model would not take the series.
    var isRefusedByModel = false
  }

  /// By model.
  private func routings(_ jobs: [NewJob], _ verdict: SeriesVerdict, _ source: SourceSeries?)
    throws -> [String: Forecast]
  {
    var routings: [String: Forecast] = [:]
    for job in jobs {
      var forecast = Forecast(routing: SeriesRouting(job, verdict: verdict))
      if forecast.routing.kind == .segmented, job.inputs.isEmpty, let source,
        let reason = try parts.models.bundle(job.model).headerRefusal(
          of: source, volume: job.volume?.name, geometry: parts.configuration.geometryRules)
      {
        forecast.routing = SeriesRouting(.held, volume: job.volume?.name, reason: reason)
        forecast.isRefusedByModel = true
      }
      routings[job.model] = forecast
    }
    return routings
  }

  /// - Parameters:
  ///   - job: the last one of the series for the model.
  ///   - forecast: of the series and the model.
  ///   - isVerdictNamed: whether the verdict is another one, which explains what follows from it.
  private func differences(
    _ job: JobSummary?, _ forecast: Forecast?, isVerdictNamed: Bool
  ) throws -> [ReplayedSeries.Difference] {
    let was = job.map { SeriesRouting($0).kind } ?? .noJob
    let wouldBe = forecast?.routing.kind ?? .noJob
    if job?.model.isEmpty == true { return was == wouldBe || isVerdictNamed ? [] : [.routing] }
    // Somebody took back what the rules had chosen the model for, or it was held as it ran.
    let wasTaken = try was == .segmented || job.map(isTaken) ?? false
    let hadJob = wasTaken || was == .held
    guard hadJob == [.segmented, .held].contains(wouldBe) else { return [.routing] }
    if !wasTaken, was == .held, wouldBe == .segmented { return isVerdictNamed ? [] : [.routing] }
    if was == .segmented, wouldBe == .held {
      if forecast?.isRefusedByModel == true { return [.input] }
      return isVerdictNamed ? [] : [.routing]
    }
    if was == .segmented, wouldBe == .segmented, job?.volume?.name != forecast?.routing.volume {
      return [.volume]
    }
    return []
  }

  /// Whether the job of a held or cancelled state ran, or waits or ended for a person.
  private func isTaken(_ job: JobSummary) throws -> Bool {
    if job.attempts > 0 { return true }
    let end = try parts.ledger.job(job.id).events.last { $0.kind == job.state }
    return end?.cause == .person
  }

  private func source(_ series: String) throws -> SourceSeries? {
    let files = SeriesFiles(try parts.ledger.instances(series: series), in: parts.state)
    do {
      return try SourceSeries(files, geometry: parts.configuration.geometryRules)
    } catch let error as DICOMError {
      if let fault = MachineFault(error) { throw fault }
      return nil
    }
  }

  /// What reading the pixels reveals.
  private static func pixelFault(_ source: SourceSeries) -> String? {
    for volume in source.assessment.usableStacks {
      do { try SourceSeries.checkPixels(of: volume) } catch {
        return (error as? GeometryFinding)?.message ?? "\(error)"
      }
    }
    return nil
  }
}

extension SeriesRouting {
  /// Of a job that would be made.
  fileprivate init(_ job: NewJob, verdict: SeriesVerdict) {
    switch job.start {
    case .available where verdict.kind == .held:
      self.init(
        .held, volume: job.volume?.name, reason: verdict.reasons.joined(separator: "; "))
    case .available: self.init(.segmented, volume: job.volume?.name)
    case .held(let reason): self.init(.held, volume: job.volume?.name, reason: reason)
    case .cancelled(let reason): self.init(.passedOver, reason: reason)
    }
  }

  /// Of the job that there was.
  fileprivate init(_ job: JobSummary) {
    switch JobState(rawValue: job.state) {
    case .held: self.init(.held, volume: job.volume?.name, reason: job.reason)
    case .cancelled: self.init(.passedOver, volume: job.volume?.name, reason: job.reason)
    default: self.init(.segmented, volume: job.volume?.name)
    }
  }
}
