import Explanation
import Foundation
import JobLedger

/// A job as tables and a study's page show it.
struct JobView {
  struct Action {
    struct Option {
      var number: Int
      var name: String
    }
    struct Volumes {
      var options: [Option]
    }

    var job: Int64
    /// The last step of its path.
    var action: String
    var name: String
    var isGrave = false
    /// The priority that is asked for; nil for the usual one.
    var wantedPriority: String?
    var volumes: Volumes?
  }

  struct Delivery {
    var destination: String
    var state: String
    var attempts: Int
    var error: ShownText
    var advice: ShownText?
  }

  var id: Int64
  var state: String
  var model: String
  var study: String
  var short: String
  var priority: Int?
  var at: ShownTime
  var reason: ShownText?
  var advice: ShownText?
  /// Where a cluster computes it.
  var place: String?
  var summary: String?
  var isReplaced: String?
  var measurements: [Fact]
  var hasMeasurements: Bool
  /// Paths.
  var pictures: [String]
  var viewer: String?
  var deliveries: [Delivery]
  var hasDeliveries: Bool
  var actions: [Action]
  var hasActions: Bool

  /// - Parameters:
  ///   - job: of the ledger.
  ///   - possible: what can be done with it.
  ///   - result: what may be shown of its result; nil for nothing.
  init(_ job: JobSummary, _ possible: PossibleActions, result: ShownResult?) {
    id = job.id
    state = job.state
    model = job.model.isEmpty ? "no model" : job.model
    study = job.studyInstanceUID
    short = shortened(job.studyInstanceUID)
    priority = job.priority == 0 ? nil : job.priority
    at = ShownTime(job.finishedAt ?? job.createdAt)
    reason = job.reason.map(ShownText.init)
    advice = job.advice.map(ShownText.init)
    place = job.place?.text
    summary = job.summary
    isReplaced = job.supersededBy.map { "Its result was replaced by that of job \($0)." }
    measurements = job.shownMeasurements
    hasMeasurements = !measurements.isEmpty
    pictures = (result?.pictures ?? []).map { "/jobs/\(job.id)/pictures/\($0.number)" }
    viewer = result?.segmentations.isEmpty == false ? "/jobs/\(job.id)/viewer" : nil
    deliveries = job.deliveries.map {
      Delivery(
        destination: $0.destination, state: $0.state, attempts: $0.attempts,
        error: ShownText($0.state == "delivered" ? "" : $0.lastError ?? ""),
        advice: job.deliveryAdvice($0).map(ShownText.init))
    }
    hasDeliveries = !deliveries.isEmpty
    actions = possible.actions(for: job)
    hasActions = !actions.isEmpty
  }
}

/// What can be done with jobs, as the ledger itself would decide.
struct PossibleActions {
  private var retry: Set<Int64> = []
  private var release: Set<Int64> = []
  private var cancel: Set<Int64> = []
  private var hold: Set<Int64> = []
  private var prioritize: Set<Int64> = []
  private var chooseVolume: Set<Int64> = []

  /// - Throws: `LedgerError`
  init(_ jobs: [JobSummary], in ledger: Ledger) throws {
    var selection = JobSelection()
    selection.jobs = jobs.map(\.id)
    guard !jobs.isEmpty else { return }
    func possible(_ action: JobAction) throws -> Set<Int64> {
      Set(
        try ledger.apply(action, to: selection, isDryRun: true).filter(\.isChanged).map(\.job))
    }
    retry = try possible(.retry)
    release = try possible(.release)
    cancel = try possible(.cancel)
    hold = try possible(.hold)
    prioritize = try possible(.prioritize(10))
    chooseVolume = try possible(.releaseVolume(1))
  }

  func actions(for job: JobSummary) -> [JobView.Action] {
    let id = job.id
    var actions: [JobView.Action] = []
    if chooseVolume.contains(id), job.waitsForChoiceOfVolume {
      let options = job.volumes.enumerated().map {
        JobView.Action.Option(number: $0 + 1, name: $1.name)
      }
      actions.append(
        JobView.Action(
          job: id, action: "release", name: "Run with this volume",
          volumes: JobView.Action.Volumes(options: options)))
    } else if release.contains(id) {
      actions.append(JobView.Action(job: id, action: "release", name: "Release"))
    }
    if retry.contains(id) { actions.append(.init(job: id, action: "retry", name: "Retry")) }
    if prioritize.contains(id), job.priority < 10 {
      actions.append(.init(job: id, action: "prioritize", name: "Prioritise"))
    } else if prioritize.contains(id) {
      actions.append(
        .init(job: id, action: "prioritize", name: "Normal priority", wantedPriority: "0"))
    }
    if hold.contains(id) { actions.append(.init(job: id, action: "hold", name: "Hold")) }
    if cancel.contains(id) {
      actions.append(.init(job: id, action: "cancel", name: "Cancel", isGrave: true))
    }
    return actions
  }
}

extension JobSummary {
  /// What was measured, with units.
  var shownMeasurements: [Fact] {
    measurements.map { Fact(name: $0.name, value: shownMeasurement($0.value) + " " + $0.unit) }
  }
}

/// A measurement as pages show it: a small structure with more digits.
func shownMeasurement(_ value: Double) -> String {
  String(format: abs(value) < 10 ? "%.2f" : "%.1f", value)
}
