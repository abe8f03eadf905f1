import Foundation
import JobLedger
import Pipeline
import Wording

/// What `reprocess --dry-run` prints.
struct ReprocessPreview: Encodable {
  struct Job: Encodable {
    var studyInstanceUID: String
    var seriesInstanceUID: String
    var model: String
    var modelVersion: String
    /// The volume that was chosen of several.
    var volume: String?
    /// The job that waits for the same already.
    var waitingJob: Int64?
    /// What becomes of the result that counts: first, same or supersedes.
    var effect: PlannedJob.Effect
    /// The job that came to it, and the version of its model.
    var currentJob: Int64?
    var currentModelVersion: String?
    /// Why it would be held before it runs.
    var heldReason: String?
    /// Files of images that are not here.
    var missingOriginals: Int
    /// Whether no job is made, because the result is the same and the images are not here.
    var isNeedless: Bool

    init(_ planned: PlannedJob) {
      studyInstanceUID = planned.studyInstanceUID
      seriesInstanceUID = planned.seriesInstanceUID
      model = planned.model
      modelVersion = planned.modelVersion
      volume = planned.job.volume?.name
      waitingJob = planned.waitingJob
      effect = planned.effect
      currentJob = planned.current?.job
      currentModelVersion = planned.current?.modelVersion
      heldReason = planned.heldReason
      missingOriginals = planned.missingOriginals
      isNeedless = planned.isNeedless
    }

    /// What it does, for people.
    func text(_ source: String?) -> String {
      var words: [String] = []
      if let waitingJob {
        words.append("job \(waitingJob) waits for the same already")
      } else if let heldReason {
        words.append("a job that is held: \(heldReason)")
      }
      let current = currentJob.map { "the result of job \($0)" } ?? ""
      let version = currentModelVersion.map { $0 == modelVersion ? "" : " (model \($0))" } ?? ""
      switch effect {
      case .first: words.append("the first result")
      case .same: words.append("the same as \(current)")
      case .supersedes: words.append("supersedes \(current)\(version)")
      }
      if let volume { words.append("volume \(volume)") }
      if isNeedless {
        words.append(
          "nothing is done: \(counted(missingOriginals, "original is", "originals are")) not here")
      } else if missingOriginals > 0 {
        words.append(
          "\(counted(missingOriginals, "original is", "originals are")) not here"
            + (source.map { ", and retrieved from \($0)" } ?? ", and no querySource is set"))
      }
      return words.joined(separator: "; ")
    }
  }

  var jobs: [Job] = []
  var unplanned: [UnplannedSeries] = []
  /// UIDs of which nothing is known here.
  var unknown: [String] = []
  /// Where missing originals come from.
  var source: String?
  /// Seconds that the jobs will compute, one after the other, as far as others of their models have been computed.
  var forecastSeconds = 0.0
  /// Jobs of which that is not known.
  var withoutForecast = 0

  mutating func add(_ plan: StudyPlan) {
    jobs += plan.jobs.map(Job.init)
    unplanned += plan.unplanned
  }

  /// Adds how long the jobs will compute.
  mutating func forecast(_ ledger: Ledger) throws {
    let computed = jobs.filter {
      $0.waitingJob == nil && !$0.isNeedless && $0.heldReason == nil && $0.effect != .same
    }
    var paces: [String: JobPace] = [:]
    let bytes = try ledger.byteCount(series: computed.map(\.seriesInstanceUID))
    for job in computed {
      let pace = try paces[job.model] ?? ledger.pace(model: job.model)
      paces[job.model] = pace
      if let seconds = pace.seconds(bytes: bytes[job.seriesInstanceUID] ?? 0) {
        forecastSeconds += seconds
      } else {
        withoutForecast += 1
      }
    }
  }

  /// Of the time that it will take; empty where nothing is computed.
  private var forecastText: String {
    var parts: [String] = []
    if forecastSeconds > 0 {
      let time = Duration.seconds(forecastSeconds.rounded(.up))
        .formatted(
          .units(allowed: [.days, .hours, .minutes, .seconds], width: .narrow, maximumUnitCount: 2))
      parts.append("\(time) of computing, one job after the other")
    }
    if withoutForecast > 0 {
      parts.append("\(withoutForecast) of a model of which no job was computed yet")
    }
    return parts.isEmpty ? "" : "; forecast: " + parts.joined(separator: "; ")
  }

  var text: String {
    var rows = jobs.map { [$0.seriesInstanceUID, $0.model, $0.text(source)] }
    rows += unplanned.map {
      [$0.seriesInstanceUID, $0.model.isEmpty ? "-" : $0.model, "no job: \($0.reason)"]
    }
    rows += unknown.map { uid in
      [
        uid, "-",
        source.map { "not here; retrieved from \($0) as a study" } ?? "not here: no job",
      ]
    }
    guard !rows.isEmpty else { return "no series meets these conditions" }
    return formatTable([["SERIES", "MODEL", "WOULD BE"]] + rows) + "\n" + summary
  }

  private var summary: String {
    func count(_ isCounted: (Job) -> Bool) -> Int { jobs.count(where: isCounted) }
    let made = jobs.filter { $0.waitingJob == nil && !$0.isNeedless }
    let parts: [(Int, String)] = [
      (made.count { $0.effect == .first && $0.heldReason == nil }, "first results"),
      (made.count { $0.effect == .same && $0.heldReason == nil }, "the same as now"),
      (made.count { $0.effect == .supersedes && $0.heldReason == nil }, "superseding"),
      (made.count { $0.heldReason != nil }, "held"),
    ]
    let details = parts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
    let others: [(Int, String)] = [
      (count { $0.waitingJob != nil }, "wait already"), (count(\.isNeedless), "need none"),
      (unplanned.count + (source == nil ? unknown.count : 0), "get none"),
      (count { $0.missingOriginals > 0 && !$0.isNeedless }, "lack originals"),
    ]
    return counted(made.count, "new job") + (details.isEmpty ? "" : " (\(details))")
      + others.filter { $0.0 > 0 }.map { "; \($0.0) \($0.1)" }.joined() + forecastText
      + "; nothing was changed"
  }
}
