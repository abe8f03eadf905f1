import ConfigurationFile
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
    /// It is a slice of the stack of series that goes by another one's UID.
    case sliceOfStack(series: String)
    /// It may be a slice of a stack whose other series are still to come.
    case waitsForStudy

    /// What each rule made of the series, for its story.
    var rules: [String] {
      guard case .assessed(let plan) = self else { return [] }
      return plan.selections + plan.reasons
    }

    /// Models that segment the series.
    public var models: [String] {
      guard case .assessed(let plan) = self else { return [] }
      return plan.models
    }

    /// The job of the series by itself for a model, before anything is known of its start.
    func job(for model: String, start: NewJob.Start) -> NewJob {
      var job = NewJob(model: model, start: start, priority: priority(of: model))
      guard case .assessed(let plan) = self else { return job }
      job.alternatives = (plan.alternatives[model] ?? []).map {
        NewJob.Alternative(seriesInstanceUID: $0.seriesInstanceUID, isBetter: $0.isBetter)
      }
      guard let volume = plan.volumes[model] else { return job }
      if let name = volume.name, !name.isEmpty {
        job.volume = ChosenVolume(name, by: volume.isByPerson ? .person : .rule)
      } else if volume.number == nil, start == .available {
        job.start = .held(reason: volume.reason)
      }
      return job
    }

    /// Of the job for a model.
    func priority(of model: String) -> Int {
      guard case .assessed(let plan) = self else { return 0 }
      return plan.priorities[model] ?? 0
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
  /// The further series of the stack of which this is one.
  public var stackedWith: [String] = []

  /// The job of the series, or of its stack, for a model.
  ///
  /// - Parameters:
  ///   - model: the model's name.
  ///   - start: where it begins as far as the series is concerned; it is held too where its volume could not
  ///     be chosen.
  func job(for model: String, start: NewJob.Start) -> NewJob {
    var job = plan.job(for: model, start: start)
    job.inputs = stackedWith.map { NewJob.Input(channel: nil, seriesInstanceUID: $0) }
    if start == .available, case .held(let reason) = job.start {
      job.start = .held(reason: ([reason] + verdict.reasons).joined(separator: "; "))
    }
    return job
  }
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
  /// study are read only where rules compare series, or where one of these may be a slice of a stack
  /// of series: then the stack's first series is among the answers too.
  ///
  /// - Parameters:
  ///   - study: Study Instance UID.
  ///   - series: Series Instance UIDs of the study, those asked about.
  ///   - isQuiet: whether nothing more of the study is expected; else a series that may be a slice
  ///     of a stack waits for the others.
  /// - Throws: `LedgerError`, ``MachineFault``
  public func assess(study: String, series: [String], isQuiet: Bool = true) throws -> [String:
    AssessedSeries]
  {
    let known = try ledger.imageSeries(ofStudy: study)
    let all = known.map(\.seriesInstanceUID)
    var read = ReadSeries()
    for uid in rules.comparesSeries ? all : series { try add(uid, to: &read) }
    let slices = series.filter { read.sources[$0]?.isSliceLocation(geometry) == true }
    var assessed: [String: AssessedSeries] = [:]
    var units = read.inOrder(of: all)
    if !slices.isEmpty, isQuiet {
      for uid in all where !read.isRead(uid) { try add(uid, to: &read) }
      let withJobs = known.filter { !$0.models.isEmpty }.map(\.seriesInstanceUID)
      units = try SourceSeries.stacked(
        read.inOrder(of: all), geometry: geometry, preferred: Set(withJobs))
    }
    if rules.comparesSeries {
      for uid in try read.absent.union(knownByResultsAlone(known)).sorted() {
        for other in series where other != uid && read.sources[other] != nil {
          read.faults[other] = absentText("the rules compare it with series \(uid)")
        }
      }
    }
    if isQuiet, !slices.isEmpty,
      let stack = try brokenGroups(ofStudy: study).first(where: \.group.isStack)
    {
      for uid in slices {
        read.faults[uid] = absentText("it may be of one stack with series \(stack.absent[0])")
      }
    }
    let outcomes = rules.outcomes(
      for: units.compactMap(\.facts), standings: try standings(of: units, study: study))
    for unit in units {
      let uid = unit.seriesInstanceUID
      let members = unit.stackMembers.filter { $0 != uid }
      guard series.contains(uid) || members.contains(where: series.contains),
        !([uid] + members).contains(where: { read.faults[$0] != nil })
      else { continue }
      let plan: AssessedSeries.Plan =
        unit.facts == nil
        ? .unreadable(reason: unit.assessment.reasons.joined(separator: "; "))
        : .assessed(SeriesPlan(uid, outcomes))
      var verdict = SeriesVerdict(unit.summary)
      assessed[uid] = AssessedSeries(
        plan: plan, verdict: verdict, candidate: ChannelCandidate(unit), stackedWith: members)
      for member in members {
        verdict.seriesInstanceUID = member
        assessed[member] = AssessedSeries(plan: .sliceOfStack(series: uid), verdict: verdict)
      }
    }
    if !isQuiet {
      for uid in slices { assessed[uid]?.plan = .waitsForStudy }
    }
    for uid in series {
      guard let reason = read.faults[uid] else { continue }
      assessed[uid] = AssessedSeries(
        plan: .unreadable(reason: reason),
        verdict: SeriesVerdict(seriesInstanceUID: uid, kind: .held, reasons: [reason]))
    }
    return try assessed.merging(incomplete(assessed)) { $1 }
  }

  /// What rules have to know of series besides their images: whether they are held, and which volumes
  /// persons chose.
  private func standings(of units: [SourceSeries], study: String) throws -> [String: SeriesStanding]
  {
    let jobs = try ledger.lastJobs(ofStudy: study)
    var standings: [String: SeriesStanding] = [:]
    for unit in units {
      let uid = unit.seriesInstanceUID
      var reasons: [String] = []
      if unit.assessment.verdict == .held {
        reasons.append(unit.assessment.reasons.first ?? "held")
      }
      reasons += try ([uid] + unit.stackMembers.filter { $0 != uid }).compactMap(reasonToWait)
      standings[uid] = SeriesStanding(
        heldReason: reasons.first,
        heldReasons: jobs.heldReasons[uid] ?? [:], volumes: jobs.volumes[uid] ?? [:])
    }
    return standings
  }

  private func absentText(_ relation: String) -> String {
    "\(relation), whose originals were purged or lost: retrieve the study with segmentd fetch, or send it "
      + "again, and try again with segmentd jobs retry"
  }

  /// Series of a ledger that was lost, of which only results are here.
  private func knownByResultsAlone(_ known: [SeriesOfStudy]) throws -> [String] {
    try known.filter { series in
      let uid = series.seriesInstanceUID
      return try ledger.instances(series: uid).all.isEmpty
        && series.models.contains { try ledger.currentResult(series: uid, model: $0) != nil }
    }.map(\.seriesInstanceUID)
  }

  /// The series that results of a study were made of together, where some of them are not here any more. What is
  /// found among the others may be a part of the stack, or the wrong channel.
  ///
  /// - Throws: `LedgerError`
  func brokenGroups(ofStudy study: String) throws -> [(group: SeriesGroup, absent: [String])] {
    let spool = SpoolCheck(state: state)
    return try ledger.groupsWithResults(ofStudy: study).compactMap { group in
      let absent = try group.series.filter { uid in
        let instances = try ledger.instances(series: uid).current
        return instances.isEmpty || spool.missing(instances) != nil
      }
      return absent.isEmpty ? nil : (group, absent)
    }
  }

  /// Those of the series that may lack instances.
  private func incomplete(_ assessed: [String: AssessedSeries]) throws -> [String: AssessedSeries] {
    var incomplete: [String: AssessedSeries] = [:]
    for (uid, var series) in assessed {
      // What a slice lacks the stack lacks.
      let missing = try ([uid] + series.stackedWith).flatMap { try self.missing(from: $0) }
      guard !missing.isEmpty else {
        let remarks = try ([uid] + series.stackedWith).flatMap {
          try ledger.incompleteness(series: $0).remarks
        }
        guard !remarks.isEmpty else { continue }
        series.verdict = series.verdict.incomplete(because: remarks, isHeld: false)
        incomplete[uid] = series
        continue
      }
      series.isHeldAsIncomplete = incompleteSeries == .hold
      series.verdict = series.verdict.incomplete(
        because: missing, isHeld: series.isHeldAsIncomplete)
      incomplete[uid] = series
    }
    return incomplete
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

  /// The stacks of series in a study: the other members of each by the series that has its job.
  ///
  /// - Throws: `LedgerError`, ``MachineFault``
  public func stacks(ofStudy study: String) throws -> [String: [String]] {
    let known = try ledger.imageSeries(ofStudy: study)
    guard known.count > 2 else { return [:] }
    var read = ReadSeries()
    for series in known { try add(series.seriesInstanceUID, to: &read) }
    let units = try SourceSeries.stacked(
      read.inOrder(of: known.map(\.seriesInstanceUID)), geometry: geometry,
      preferred: Set(known.filter { !$0.models.isEmpty }.map(\.seriesInstanceUID)))
    let stacks = units.filter { !$0.stackMembers.isEmpty }.map { unit in
      (unit.seriesInstanceUID, unit.stackMembers.filter { $0 != unit.seriesInstanceUID })
    }
    return Dictionary(stacks, uniquingKeysWith: { first, _ in first })
  }

  private func add(_ uid: String, to read: inout ReadSeries) throws {
    let instances = try ledger.instances(series: uid)
    if instances.current.contains(where: \.isPurged) { read.absent.insert(uid) }
    do {
      read.sources[uid] = try SourceSeries(SeriesFiles(instances, in: state), geometry: geometry)
    } catch let error as DICOMError {
      if let fault = MachineFault(error) { throw fault }
      let missing = SpoolCheck(state: state).missing(instances.all)
      if missing?.damagedCount == instances.all.count { read.absent.insert(uid) }
      read.faults[uid] = missing?.description ?? error.description
    }
  }
}

/// Series of a study that were read, and why some could not be.
private struct ReadSeries {
  var sources: [String: SourceSeries] = [:]
  var faults: [String: String] = [:]
  /// Those of which files were purged, or all are missing.
  var absent: Set<String> = []

  func isRead(_ uid: String) -> Bool { sources[uid] != nil || faults[uid] != nil }

  func inOrder(of uids: [String]) -> [SourceSeries] { uids.compactMap { sources[$0] } }
}
