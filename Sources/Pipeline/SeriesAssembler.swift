import DICOM
import Foundation
import JobLedger
import Logging
import Results
import SeriesSelection
import ServiceLifecycle

extension NewJob {
  /// A job with new identifiers for its result.
  public init(model: String, start: Start = .available) {
    let identifiers = SegmentationObject.Identifiers.generate()
    self.init(
      model: model, resultSeriesInstanceUID: identifiers.seriesInstanceUID,
      resultSOPInstanceUID: identifiers.sopInstanceUID, start: start)
  }
}

/// Makes jobs of the series in which nothing has arrived for a while.
///
/// With a rule that selects the best series of a study, a study is assembled once nothing has
/// arrived for any of its series.
public struct SeriesAssembler: Service {
  private let ledger: JobLedger
  private let judge: StudyJudge
  private let rules: ModelRules
  private let quietPeriod: TimeInterval
  private let logger: Logger

  public init(
    state: StateDirectory, ledger: JobLedger, rules: ModelRules, quietPeriod: TimeInterval,
    logger: Logger
  ) {
    self.ledger = ledger
    self.judge = StudyJudge(state: state, ledger: ledger, rules: rules)
    self.rules = rules
    self.quietPeriod = quietPeriod
    self.logger = logger
  }

  public func run() async throws {
    await repeatUntilShutdown(every: .milliseconds(500), logger: logger) {
      try assembleDue()
      return false
    }
  }

  func assembleDue() throws {
    let due = try ledger.seriesDue(quietPeriod: quietPeriod)
      .filter { $0.isStudyQuiet || !rules.comparesSeries }
    var studies: [String] = []
    for series in due where !studies.contains(series.studyInstanceUID) {
      studies.append(series.studyInstanceUID)
    }
    for study in studies {
      let members = due.filter { $0.studyInstanceUID == study }
      let due = Set(members.map(\.seriesInstanceUID))
      let judged = try judge.plans(
        study: study,
        series: rules.channels.isEmpty
          ? members.map(\.seriesInstanceUID)
          : ledger.series(ofStudy: study).map(\.seriesInstanceUID))
      let channelJobs = try judge.channelJobs(plans: judged, due: due)
      for series in members {
        if let plan = judged[series.seriesInstanceUID] {
          try assemble(series, plan, channelJobs[series.seriesInstanceUID] ?? [])
        }
      }
      // A channel that came late, or came again, makes a new job of a series that is not due itself.
      for (series, jobs) in channelJobs.sorted(by: { $0.key < $1.key }) where !due.contains(series)
      {
        for job in jobs { _ = try ledger.reprocess(series: series, job: job) }
      }
    }
  }

  private func assemble(_ series: SeriesDue, _ plan: StudyJudge.Plan, _ channelJobs: [NewJob])
    throws
  {
    try ledger.assembleSeries(
      series, jobs: jobs(plan, modality: series.modality, channelJobs))
    logger.info(
      "series complete",
      metadata: [
        "series": "\(series.seriesInstanceUID)", "instances": "\(series.instanceCount)",
        "models": "\(plan.models.joined(separator: ","))",
      ])
  }

  private func jobs(_ plan: StudyJudge.Plan, modality: String, _ channelJobs: [NewJob])
    -> [NewJob]
  {
    switch plan {
    case .unreadable(let reason): return [NewJob(model: "", start: .held(reason: reason))]
    case .judged(let plan):
      var jobs = plan.models.filter { rules.channels[$0] == nil }.map { NewJob(model: $0) }
      jobs += channelJobs
      jobs += plan.tied.sorted { $0.key < $1.key }
        .map { NewJob(model: $0.key, start: .held(reason: $0.value)) }
      guard jobs.isEmpty else { return jobs }
      let reasons = plan.reasons.joined(separator: "; ")
      if plan.isPassedOver {
        return [NewJob(model: "", start: .cancelled(reason: "passed over: \(reasons)"))]
      }
      let stated = modality.isEmpty ? "empty" : modality
      let reason =
        "no rule of the configuration matches: Modality (0008,0060) is \(stated)"
        + (reasons.isEmpty ? "" : "; \(reasons)")
      return [NewJob(model: "", start: .held(reason: reason))]
    }
  }
}

/// Judges received series by the rules.
public struct StudyJudge: Sendable {
  public enum Plan: Sendable, Equatable {
    case judged(SeriesPlan)
    /// A file of the series cannot be read.
    case unreadable(reason: String)

    /// Models that segment the series.
    public var models: [String] {
      guard case .judged(let plan) = self else { return [] }
      return plan.models
    }
  }

  let state: StateDirectory
  let ledger: JobLedger
  let rules: ModelRules

  public init(state: StateDirectory, ledger: JobLedger, rules: ModelRules) {
    self.state = state
    self.ledger = ledger
    self.rules = rules
  }

  /// What is to be done with some series of a study, by Series Instance UID. The others of the
  /// study are read only where rules compare series.
  ///
  /// - Throws: `LedgerError`. A series that cannot be read is a ``Plan/unreadable(reason:)``.
  public func plans(study: String, series: [String]) throws -> [String: Plan] {
    let candidates =
      rules.comparesSeries
      ? try ledger.series(ofStudy: study).map(\.seriesInstanceUID) : series
    var facts: [SeriesFacts] = []
    var plans: [String: Plan] = [:]
    for uid in candidates {
      let files = try ledger.spoolPaths(series: uid).map(state.file)
      do throws(DICOMError) {
        facts.append(
          try SeriesFacts(
            SeriesFiles(seriesInstanceUID: uid, files: files), everyImage: rules.needsEveryImage))
      } catch {
        plans[uid] = .unreadable(reason: error.description)
      }
    }
    let outcomes = rules.outcomes(for: facts)
    for uid in series where plans[uid] == nil { plans[uid] = .judged(SeriesPlan(uid, outcomes)) }
    return plans
  }
}
