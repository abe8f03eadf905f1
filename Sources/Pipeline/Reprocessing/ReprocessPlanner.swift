import ConfigurationFile
import DICOM
import Foundation
import Ingest
import JobLedger
import Segmentation
import SeriesProcessing
import SeriesReading
import SeriesSelection

/// How series are segmented again.
public struct ReprocessSettings: Sendable {
  /// In place of the models of the earlier jobs.
  public var model: String?
  /// Of a series of several volumes the one of this number.
  public var volume: Int?
  /// Series Instance UIDs that somebody chose, by channel.
  public var channels: [String: String] = [:]
  /// Whether a new result is made where there is the same one.
  public var isForced = false
  public var priority = 0

  public init() {}
}

/// Finds out which jobs segment series again, and what they will change; it changes nothing itself.
///
/// ```swift
/// let planner = try ReprocessPlanner(parts, settings: ReprocessSettings())
/// for job in try planner.plan(study: study).jobs { print(job.seriesInstanceUID, job.effect) }
/// ```
public struct ReprocessPlanner {
  private let parts: ConfiguredParts
  private let settings: ReprocessSettings
  private let assessor: StudyAssessor
  private let choosesVolumes: Bool
  /// By name: a plan of a thousand studies asks for few models.
  private let models = PlannedModels()

  public init(_ parts: ConfiguredParts, settings: ReprocessSettings) {
    self.parts = parts
    self.settings = settings
    assessor = parts.assessor(ModelRules([]))
    choosesVolumes = parts.configuration.modelRules.contains { $0.volume != nil }
  }

  /// A series that is asked for.
  public struct Request: Sendable, Equatable {
    public var seriesInstanceUID: String
    /// Whether it is meant by itself, also where a rule takes another one of the study by now.
    public var isNamed: Bool
    /// The models that count; nil for all.
    public var models: Set<String>?

    public init(seriesInstanceUID: String, isNamed: Bool = false, models: Set<String>? = nil) {
      self.seriesInstanceUID = seriesInstanceUID
      self.isNamed = isNamed
      self.models = models
    }
  }

  /// The jobs of some series of a study; of series that are one stack, the one by which it goes has the job.
  ///
  /// - Parameters:
  ///   - study: Study Instance UID.
  ///   - requests: the series; nil for all.
  /// - Throws: `LedgerError`, ``MachineFault``, and errors of loading a model.
  public func plan(study: String, _ requests: [Request]? = nil) throws -> StudyPlan {
    let stacks = try assessor.stacks(ofStudy: study)
    let firsts = Dictionary(
      stacks.flatMap { first, others in others.map { ($0, first) } },
      uniquingKeysWith: { first, _ in first })
    var asked: [String: Request] = [:]
    for request in requests ?? [] {
      asked[firsts[request.seriesInstanceUID] ?? request.seriesInstanceUID] = request
    }
    let known = try parts.ledger.imageSeries(ofStudy: study)
    let broken = try assessor.brokenGroups(ofStudy: study)
    var (plan, together) = (StudyPlan(), Set<String>())
    for series in known where firsts[series.seriesInstanceUID] == nil {
      let uid = series.seriesInstanceUID
      guard let request = requests == nil ? Request(seriesInstanceUID: uid) : asked[uid] else {
        continue
      }
      let names = try models(for: series, study: study, request)
      if names.isEmpty, series.models.isEmpty {
        plan.unplanned.append(
          UnplannedSeries(
            studyInstanceUID: study, seriesInstanceUID: uid, model: "",
            reason: "no rule of the configuration matches; name a model by --model"))
      }
      for name in names {
        if try bundle(name).takesSeveralSeries {
          together.insert(name)
          continue
        }
        let unit = Unit(study: study, series: uid, stackedWith: stacks[uid] ?? [], model: name)
        let stack = broken.first { $0.group.isStack && !unit.all.allSatisfy($0.group.isWithout) }
        if let stack {
          plan.unplanned.append(
            unit.unplanned("series \(stack.absent[0]) of the same stack \(Self.isAbsent)"))
        } else {
          try add(unit, &plan)
        }
      }
    }
    for name in together.sorted() {
      let channels = broken.first { !$0.group.isStack && $0.group.model == name }
      if let channels, try settings.channels.count < bundle(name).channels.count {
        plan.unplanned.append(
          Unit(study: study, series: channels.group.series[0], model: name).unplanned(
            "series \(channels.absent[0]), which was a channel, \(Self.isAbsent), or name every channel with "
              + "--channel"))
        continue
      }
      try addTogether(name, study: study, known.map(\.seriesInstanceUID), &plan)
    }
    return plan
  }

  private static let isAbsent =
    "was purged or lost: retrieve it with segmentd fetch, or send it again"

  /// Series that belonged together with others of a study and are not here any more.
  ///
  /// - Throws: `LedgerError`
  public func absentInputs(ofStudy study: String) throws -> [String] {
    Set(try assessor.brokenGroups(ofStudy: study).flatMap(\.absent)).sorted()
  }

  /// The models asked for, of earlier jobs, or of the rules.
  private func models(for series: SeriesOfStudy, study: String, _ request: Request) throws
    -> [String]
  {
    if let model = settings.model { return [model] }
    var names = series.models.filter { request.models?.contains($0) ?? true }
    if !request.isNamed { names.removeAll(where: series.outdoneModels.contains) }
    // The record of a series that no rule took has no model.
    if series.models.isEmpty || request.models?.contains("") ?? false {
      let found = try assessed(series.seriesInstanceUID, study: study)?.plan.models ?? []
      names += found.filter { !names.contains($0) }
    }
    return names
  }

  private func assessed(_ series: String, study: String) throws -> AssessedSeries? {
    try parts.assessor(models.rules(parts)).assess(study: study, series: [series])[series]
  }

  private func bundle(_ name: String) throws -> ModelBundle {
    try models.bundle(name, parts.models)
  }
}

// MARK: - One job

extension ReprocessPlanner {
  /// What a job is about.
  private struct Unit {
    var study: String
    var series: String
    var stackedWith: [String] = []
    var selection: ChannelSelection?
    var model: String

    var all: [String] {
      [series] + stackedWith
        + (selection?.series.map(\.seriesInstanceUID).filter { $0 != series } ?? [])
    }

    func unplanned(_ reason: String) -> UnplannedSeries {
      UnplannedSeries(
        studyInstanceUID: study, seriesInstanceUID: series, model: model, reason: reason)
    }
  }

  private func add(_ unit: Unit, _ plan: inout StudyPlan) throws {
    var job =
      unit.selection.map { NewJob(model: unit.model, selection: $0) }
      ?? NewJob(model: unit.model, stackedWith: unit.stackedWith)
    job.priority = settings.priority
    job.isForced = settings.isForced
    job.start = try start(of: unit)
    do {
      try choose(&job, of: unit)
    } catch let held as HeldSeries {
      return plan.unplanned.append(unit.unplanned(held.reasons.joined(separator: "; ")))
    }
    let current = try parts.ledger.currentResult(series: unit.series, model: unit.model)
    let bundle = try bundle(unit.model)
    var effect = PlannedJob.Effect.first
    if let current {
      let isSame = try !job.isForced && current.fingerprint == fingerprint(unit, job, bundle)
      effect = isSame ? .same : .supersedes
    }
    plan.jobs.append(
      PlannedJob(
        studyInstanceUID: unit.study, seriesInstanceUID: unit.series, model: unit.model,
        modelVersion: bundle.version, job: job,
        waitingJob: try parts.ledger.waitingJob(like: job, series: unit.series), current: current,
        effect: effect, missingOriginals: try missingOriginals(unit)))
  }

  /// One job for the channels of a model, found in the whole study.
  private func addTogether(
    _ model: String, study: String, _ series: [String], _ plan: inout StudyPlan
  ) throws {
    let found = try assessor.selection(
      bundle(model).channels, of: series, chosen: settings.channels)
    switch found {
    case .success(let selection):
      try add(
        Unit(
          study: study, series: selection.reference.seriesInstanceUID, selection: selection,
          model: model), &plan)
    case .failure(let refusal):
      plan.unplanned.append(
        Unit(study: study, series: series.first ?? "", model: model)
          .unplanned(refusal.description))
    }
  }

  /// A job of series of which instances may be missing is held, as by the daemon.
  private func start(of unit: Unit) throws -> NewJob.Start {
    let all = unit.all
    let reasons = try all.compactMap { uid in
      try assessor.reasonToWait(uid).map { all.count > 1 ? "series \(uid): \($0)" : $0 }
    }
    return reasons.isEmpty ? .available : .held(reason: reasons.joined(separator: "; "))
  }

  /// The volume that is asked for, that a person chose before, or that the rules choose.
  ///
  /// - Throws: `HeldSeries` where there is none of the number asked for.
  private func choose(_ job: inout NewJob, of unit: Unit) throws {
    if let number = settings.volume {
      let name = try ModelInput(files(unit), channels: channels(unit))
        .choosing(volume: number, geometry: parts.configuration.geometryRules).volume
      job.volume = name.map { ChosenVolume($0, by: .person) }
    } else if unit.selection != nil {
      return
    } else if let name = try parts.ledger.lastJobs(ofStudy: unit.study)
      .volumes[unit.series]?[unit.model]
    {
      job.volume = ChosenVolume(name, by: .person)
    } else if choosesVolumes,
      let planned = try assessed(unit.series, study: unit.study)?.job(
        for: unit.model, start: job.start)
    {
      (job.volume, job.start) = (planned.volume, planned.start)
    }
  }

  private func instances(_ series: String) throws -> SeriesInstances {
    try parts.ledger.instances(series: series)
  }

  private func files(_ unit: Unit) throws -> SeriesFiles {
    var files = SeriesFiles(try instances(unit.series), in: parts.state)
    files.stackedWith = try unit.stackedWith.map {
      SeriesFiles(try instances($0), in: parts.state)
    }
    return files
  }

  private func channels(_ unit: Unit) throws -> [(name: String, series: SeriesFiles)] {
    guard let selection = unit.selection else { return [] }
    return try zip(selection.names, selection.series).map { name, series in
      (name, SeriesFiles(try instances(series.seriesInstanceUID), in: parts.state))
    }
  }

  /// What the result would depend on, by the hashes that the ledger has of the images.
  private func fingerprint(_ unit: Unit, _ job: NewJob, _ bundle: ModelBundle) throws -> String {
    var input = ModelInput(try files(unit), channels: try channels(unit))
    input.volume = job.volume?.name
    return try parts.processor.dependencies(of: input, model: bundle).fingerprint
  }

  private func missingOriginals(_ unit: Unit) throws -> Int {
    let spool = SpoolCheck(state: parts.state)
    return try unit.all.reduce(0) { count, series in
      count + (spool.missing(try instances(series).current)?.damagedCount ?? 0)
    }
  }
}

extension SeriesGroup {
  fileprivate func isWithout(_ uid: String) -> Bool { !series.contains(uid) }
}

extension ModelBundle {
  /// Whether it segments several series of a study together.
  fileprivate var takesSeveralSeries: Bool { network.inputChannels > 1 && !channels.isEmpty }
}

/// Models and rules that a plan asked for before.
private final class PlannedModels {
  private var bundles: [String: ModelBundle] = [:]
  private var known: ModelRules?

  func bundle(_ name: String, _ library: ModelLibrary) throws -> ModelBundle {
    if let bundle = bundles[name] { return bundle }
    let bundle = try library.bundle(name)
    bundles[name] = bundle
    return bundle
  }

  func rules(_ parts: ConfiguredParts) throws -> ModelRules {
    if let known { return known }
    let rules = try parts.rules()
    known = rules
    return rules
  }
}
