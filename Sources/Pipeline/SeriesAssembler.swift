import DICOM
import Foundation
import GeometryGate
import Ingest
import JobLedger
import Logging
import SeriesSelection
import ServiceLifecycle
import Volumes

/// What was refused, and how associations ended, as far as it is not in the ledger yet.
public protocol UnrecordedReceptions: Sendable {
  /// Returns when all that was known at the call is in the ledger.
  ///
  /// - Throws: the reason where the ledger cannot take it now.
  func flush() async throws
}

extension ReceptionLog: UnrecordedReceptions {}

/// Makes jobs of the series in which nothing has arrived for a while.
///
/// With a query source, a ``CompletenessCheck`` asks it before a series is assembled.
/// A series with refused instances or an interrupted association waits longer, is then held until they arrive,
/// and then assembled again. With a rule that selects the best series of a study, a study is assembled once
/// nothing has arrived for any of its series. So is a series that may be a slice of a stack of series.
public struct SeriesAssembler: Service {
  private let ledger: Ledger
  private let assessor: StudyAssessor
  private let receptions: any UnrecordedReceptions
  private let quietPeriod: TimeInterval
  private let missingPeriod: TimeInterval
  private let waitsForConfirmation: Bool
  private let logger: Logger
  private let waiting = WaitingSeries()

  private var rules: ModelRules { assessor.rules }

  /// - Parameters:
  ///   - ledger: the ledger.
  ///   - receptions: what was refused and is not in the ledger yet.
  ///   - assessor: assesses a series.
  ///   - quietPeriod: seconds without an instance after which a series is assembled.
  ///   - missingPeriod: the same for a series of which instances are known to be missing; nil where it is no
  ///     longer.
  ///   - waitsForConfirmation: whether a query source is to confirm each series first.
  ///   - logger: is told of each series.
  public init(
    ledger: Ledger, receptions: any UnrecordedReceptions, assessor: StudyAssessor,
    quietPeriod: TimeInterval, missingPeriod: TimeInterval? = nil,
    waitsForConfirmation: Bool = false, logger: Logger
  ) {
    self.ledger = ledger
    self.receptions = receptions
    self.assessor = assessor
    self.quietPeriod = quietPeriod
    self.missingPeriod = missingPeriod ?? quietPeriod
    self.waitsForConfirmation = waitsForConfirmation
    self.logger = logger
  }

  public func run() async throws {
    await repeatUntilShutdown(every: .milliseconds(500), logger: logger) {
      if let note = try ledger.noteTime() { logger.warning("\(note)") }
      // What was refused while the ledger could not be written counts too.
      try await receptions.flush()
      try assembleDue()
      return false
    }
  }

  /// Call it once what was received is in the ledger.
  func assembleDue() throws {
    let due = try withImages(
      withoutThoseThatWait(
        ledger.seriesDue(quietPeriod: quietPeriod, onlyConfirmed: waitsForConfirmation))
    )
    .filter { $0.isStudyQuiet || !(rules.comparesSeries || waiting.contains($0)) }
    var studies: [String] = []
    for series in due where !studies.contains(series.studyInstanceUID) {
      studies.append(series.studyInstanceUID)
    }
    var fault: MachineFault?
    for study in studies {
      do {
        try assemble(study, due)
      } catch let error as MachineFault {
        // The other studies continue; this one is due again once the fault has passed.
        fault = error
      }
    }
    if let fault { throw fault }
  }

  /// Without those of which instances are missing that may still come. A study with such a series is not quiet.
  private func withoutThoseThatWait(_ due: [SeriesDue]) throws -> [SeriesDue] {
    guard !due.isEmpty, missingPeriod > quietPeriod else { return due }
    let quietForLong = try Set(
      ledger.seriesDue(quietPeriod: missingPeriod).map(\.seriesInstanceUID))
    let waiting = try due.filter { series in
      try !quietForLong.contains(series.seriesInstanceUID)
        && ledger.waitsForMissing(series: series.seriesInstanceUID)
    }
    let studies = Set(waiting.map(\.studyInstanceUID))
    return due.filter { !waiting.contains($0) }.map { series in
      var series = series
      series.isStudyQuiet = series.isStudyQuiet && !studies.contains(series.studyInstanceUID)
      return series
    }
  }

  /// Those that may be segmented; the others are done once they are stored.
  private func withImages(_ due: [SeriesDue]) throws -> [SeriesDue] {
    try due.filter { series in
      if try ledger.isImageSeries(series.seriesInstanceUID) { return true }
      try ledger.assembleSeries(series, jobs: [])
      logger.info(
        "series stored: it has no images",
        metadata: [
          "study": "\(series.studyInstanceUID)", "series": "\(series.seriesInstanceUID)",
          "instances": "\(series.instanceCount)",
        ])
      return false
    }
  }

  private func assemble(_ study: String, _ due: [SeriesDue]) throws {
    let members = due.filter { $0.studyInstanceUID == study }
    let due = Set(members.map(\.seriesInstanceUID))
    let assessed = try assessor.assess(
      study: study,
      series: rules.channels.isEmpty
        ? members.map(\.seriesInstanceUID)
        : ledger.imageSeries(ofStudy: study).map(\.seriesInstanceUID),
      isQuiet: members.allSatisfy(\.isStudyQuiet))
    let channelJobs = try assessor.channelJobs(assessed, due: due)
    for series in members {
      guard let assessed = assessed[series.seriesInstanceUID] else { continue }
      if case .waitsForStudy = assessed.plan {
        waiting.insert(series)
      } else {
        try assemble(series, assessed, channelJobs[series.seriesInstanceUID] ?? [])
        waiting.remove(series)
      }
    }
    // A slice of a stack that came late makes a new job of the series by which the stack goes.
    let stacks = assessed.filter { !$0.value.stackedWith.isEmpty && !due.contains($0.key) }
    for (series, stack) in stacks.sorted(by: { $0.key < $1.key }) {
      for job in stack.jobs(modality: members[0].modality, rules: rules, channelJobs: []) {
        _ = try ledger.reprocess(series: series, job: job, by: .rule)
      }
    }
    // A channel that came late, or came again, makes a new job of a series that is not due itself.
    for (series, jobs) in channelJobs.sorted(by: { $0.key < $1.key }) where !due.contains(series) {
      for job in jobs { _ = try ledger.reprocess(series: series, job: job, by: .rule) }
    }
  }

  private func assemble(_ series: SeriesDue, _ assessed: AssessedSeries, _ channelJobs: [NewJob])
    throws
  {
    try ledger.assembleSeries(
      series,
      jobs: assessed.jobs(modality: series.modality, rules: rules, channelJobs: channelJobs),
      verdict: assessed.verdict, rules: assessed.plan.rules,
      isHeldAsIncomplete: assessed.isHeldAsIncomplete)
    logger.info(
      "series complete",
      metadata: [
        "study": "\(series.studyInstanceUID)", "series": "\(series.seriesInstanceUID)",
        "instances": "\(series.instanceCount)",
        "verdict": "\(assessed.verdict.kind)",
        "models": "\(assessed.plan.models.joined(separator: ","))",
      ])
  }
}
