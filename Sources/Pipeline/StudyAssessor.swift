import Configuration
import DICOM
import Foundation
import GeometryGate
import Ingest
import JobLedger
import SeriesProcessing
import SeriesReading
import SeriesSelection
import Volumes

/// What is to be done with a received series.
public struct AssessedSeries: Sendable, Equatable {
  public enum Plan: Sendable, Equatable {
    case assessed(SeriesPlan)
    /// None of its files can be read.
    case unreadable(reason: String)

    /// Models that segment the series.
    public var models: [String] {
      guard case .assessed(let plan) = self else { return [] }
      return plan.models
    }
  }

  public var plan: Plan
  /// By the headers; the pixels of all images are read only once a job needs them. What is known to
  /// be missing is among the reasons.
  public var verdict: SeriesVerdict
  /// Whether it is held because instances may be missing.
  public var isHeldAsIncomplete = false
  /// The series as a channel of a model; nil where none of its images can be read.
  public var candidate: ChannelCandidate?
}

/// Assesses received series by their geometry and by the rules.
///
/// ```swift
/// let assessor = parts.assessor(try parts.rules())
/// for (uid, series) in try assessor.assess(study: study, series: [uid]) {
///   print(uid, series.verdict.kind, series.plan.models)
/// }
/// ```
public struct StudyAssessor: Sendable {
  let state: StateDirectory
  let ledger: Ledger
  let rules: ModelRules
  let geometry: GeometryRules
  private let incompleteSeries: IncompleteSeries

  /// - Parameters:
  ///   - state: the state directory, for the files of the spool.
  ///   - ledger: the ledger, for the instances of each series.
  ///   - rules: which model segments which series.
  ///   - geometry: the geometry gate's rules.
  ///   - incompleteSeries: whether a series is held of which instances may be missing.
  public init(
    state: StateDirectory, ledger: Ledger, rules: ModelRules, geometry: GeometryRules,
    incompleteSeries: IncompleteSeries
  ) {
    self.state = state
    self.ledger = ledger
    self.rules = rules
    self.geometry = geometry
    self.incompleteSeries = incompleteSeries
  }

  /// What is to be done with some series of a study, by Series Instance UID. The others of the
  /// study are read only where rules compare series.
  ///
  /// - Throws: `LedgerError`, ``MachineFault``
  public func assess(study: String, series: [String]) throws -> [String: AssessedSeries] {
    let members =
      rules.comparesSeries
      ? try ledger.series(ofStudy: study).map(\.seriesInstanceUID) : series
    var candidates: [String: ChannelCandidate] = [:]
    var facts: [SeriesFacts] = []
    var verdicts: [String: SeriesVerdict] = [:]
    var unreadable: [String: String] = [:]
    for uid in members {
      let instances = try ledger.instances(series: uid)
      let files = SeriesFiles(instances, in: state)
      do {
        let source = try SourceSeries(files, geometry: geometry)
        verdicts[uid] = SeriesVerdict(source.summary)
        if let candidate = ChannelCandidate(source) {
          candidates[uid] = candidate
          facts.append(candidate.facts)
        } else {
          unreadable[uid] = source.assessment.reasons.joined(separator: "; ")
        }
      } catch let error as DICOMError {
        if let fault = MachineFault(error) { throw fault }
        let reason =
          SpoolCheck(state: state).missing(instances.all)?.description ?? error.description
        unreadable[uid] = reason
        verdicts[uid] = SeriesVerdict(seriesInstanceUID: uid, kind: .held, reasons: [reason])
      }
    }
    let outcomes = rules.outcomes(for: facts)
    var assessed: [String: AssessedSeries] = [:]
    for uid in series {
      guard let verdict = verdicts[uid] else { continue }
      let plan: AssessedSeries.Plan =
        unreadable[uid].map { .unreadable(reason: $0) } ?? .assessed(SeriesPlan(uid, outcomes))
      let missing = try missing(from: uid)
      assessed[uid] = AssessedSeries(
        plan: plan,
        verdict: missing.isEmpty
          ? verdict : verdict.incomplete(because: missing, isHeld: incompleteSeries == .hold),
        isHeldAsIncomplete: !missing.isEmpty && incompleteSeries == .hold,
        candidate: candidates[uid])
    }
    return assessed
  }

  /// Why a job of a series has to wait for instances; nil where it need not.
  ///
  /// - Throws: `LedgerError`
  public func reasonToWait(_ series: String) throws -> String? {
    let missing = try missing(from: series)
    return missing.isEmpty || incompleteSeries == .process
      ? nil : missing.joined(separator: "; ")
  }

  private func missing(from series: String) throws -> [String] {
    try ledger.incompleteness(series: series).reasons
  }
}
