import Foundation
import Hummingbird
import JobLedger

/// Models with their cards, and how they compare with others' segmentations.
struct ModelsPage: Page {
  static let template = "models"

  struct Model {
    var name: String
    var version: String
    var summary: String
    var facts: [Fact]
    var card: String
  }

  struct Quality {
    var model: String
    var structure: String
    var count: Int
    var mean: String
    var least: String
  }

  var models: [Model]
  var faults: [String]
  var quality: [Quality]
  var hasQuality: Bool
}

/// The rules, and what they make of a study.
struct RulesPage: Page {
  static let template = "rules"

  struct Rule {
    var name: String
    var model: String
    var priority: Int
    var criteria: [String]
  }

  var rules: [Rule]
  var uid: String
  var trial: String?
  var fault: String?
}

/// What came of testing a study against the rules; the texts are for people.
enum RuleTrialOutcome: Sendable {
  case made(String)
  /// To nobody who has not logged in.
  case notShown(String)
  case noImages(String)
  /// One at a time is tested.
  case busy(String)
  case failed(String)
}

/// The machine, and what it has done.
struct SystemPage: Page {
  static let template = "system"

  struct Model {
    var name: String
    var count: Int
    var seconds: String
  }

  struct Check {
    var model: String
    var outcome: String
    var time: String
    var message: String
  }

  struct Period {
    var name: String
    var jobs: Int
    var instances: Int
    var bytes: String
  }

  var facts: [Fact]
  var studies: [Fact]
  var periods: [Period]
  var models: [Model]
  var hasModels: Bool
  var checks: [Check]
  var hasChecks: Bool
  /// When checks are made by themselves.
  var checkTime: String
  /// Of a head.
  var listeners: [ListenerView]
  var hasListeners: Bool
}

extension Dashboard {
  func modelsPage(_ request: Request, _ context: DashboardContext) async throws -> Response {
    let (models, faults) = await source.models()
    return try await offPool { try modelsPage(models, faults, request, context) }
  }

  private func modelsPage(
    _ models: [DashboardModel], _ faults: [String], _ request: Request, _ context: DashboardContext
  ) throws -> Response {
    let quality = try statistics.read().quality.map { found in
      ModelsPage.Quality(
        model: found.model, structure: found.structure, count: found.count,
        mean: String(format: "%.3f", found.mean), least: String(format: "%.3f", found.least))
    }
    let page = ModelsPage(
      models: models.map { model in
        ModelsPage.Model(
          name: model.name, version: model.version, summary: model.summary,
          facts: model.facts.map { Fact(name: $0.name, value: $0.value) }, card: model.card)
      }, faults: faults, quality: quality, hasQuality: !quality.isEmpty)
    var frame = try frame("Models", request, context)
    frame.isLive = false
    return renderer.page(page, in: frame)
  }

  func rulesPage(_ request: Request, _ context: DashboardContext) async throws -> Response {
    let uid = request.uri.queryParameters["uid"].map { String($0).trimmed } ?? ""
    var page = RulesPage(
      rules: source.rules.map {
        .init(name: $0.name, model: $0.model, priority: $0.priority, criteria: $0.criteria)
      },
      uid: uid)
    if !uid.isEmpty {
      switch try await trial(ofStudy: uid, context) {
      case .made(let text): page.trial = text
      case .notShown(let reason), .noImages(let reason), .busy(let reason), .failed(let reason):
        page.fault = reason
      }
    }
    var frame = try await offPool { try self.frame("Rules", request, context) }
    frame.isLive = false
    return renderer.page(page, in: frame)
  }

  /// What the rules make of a study that is here; nothing is changed.
  ///
  /// - Throws: ``DashboardRefusal`` where somebody asks too often, `LedgerError`.
  func trial(ofStudy uid: String, _ context: DashboardContext) async throws -> RuleTrialOutcome {
    guard trials.take(context.visitor.key(context.web.address)) else {
      throw DashboardRefusal(.tooManyRequests, "too many studies are tested: wait some seconds")
    }
    guard showsPatients(to: context.visitor) else {
      return .notShown("Rules compare what the headers say of the study: log in to see it.")
    }
    let files = try await offPool { try ledger.files(ofStudy: uid, everyInstance: true) }
    guard !files.isEmpty else { return .noImages("There are no images of a study with this UID.") }
    do {
      let text = try await trial.run { try await source.ruleTrial(files: files) }
      return text.map { .made($0) } ?? .busy("Another study is being tested: try again.")
    } catch { return .failed("\(error)") }
  }

  func systemPage(_ request: Request, _ context: DashboardContext) throws -> Response {
    let numbers = try statistics.read()
    var facts = [Fact(name: "Processing", value: try ledger.processingState().text)]
    if let disk = source.disk {
      facts.append(
        Fact(
          name: "Disk of the state directory",
          value: "\(disk.available.bytes) free of \(disk.total.bytes)"))
    }
    for (process, bytes) in source.memory {
      facts.append(Fact(name: "Memory (\(process))", value: bytes.bytes))
    }
    facts.append(Fact(name: "Open associations", value: "\(numbers.openAssociations)"))
    for (source, volume) in numbers.instances.sorted(by: { $0.key < $1.key }) {
      facts.append(
        Fact(
          name: "Instances received (\(source))", value: "\(volume.count), \(volume.bytes.bytes)"))
    }
    facts.append(
      Fact(name: "Instances refused", value: "\(numbers.refusals.values.reduce(0, +))"))
    if let oldest = numbers.oldestWaitingJob {
      facts.append(Fact(name: "Oldest waiting job", value: ShownTime(oldest).text))
    }
    let models = numbers.stages.filter { $0.key.name == "total" }
      .sorted { $0.key.model < $1.key.model }.map { stage, times in
        SystemPage.Model(
          name: stage.model, count: times.count,
          seconds: String(format: "%.1f s", times.sum / Double(max(1, times.count))))
      }
    let periods = try [("Last hour", 3600.0), ("Last 24 hours", 86_400)].map { name, seconds in
      let done = try ledger.throughput(since: Date(timeIntervalSinceNow: -seconds))
      return SystemPage.Period(
        name: name, jobs: done.jobs, instances: done.instances, bytes: done.bytes.bytes)
    }
    let listeners = ListenerView.all(settings.listeners, numbers.listeners)
    facts += numbers.handover?.facts ?? []
    let page = SystemPage(
      facts: facts,
      studies: LedgerStatistics.StudyState.allCases.map {
        Fact(name: $0.rawValue, value: "\(numbers.studies[$0] ?? 0)")
      }, periods: periods, models: models, hasModels: !models.isEmpty,
      checks: numbers.goldenChecks.map { check in
        SystemPage.Check(
          model: check.model, outcome: check.outcome?.rawValue ?? "",
          time: check.finishedAt.map { ShownTime($0).text } ?? "", message: check.message ?? "")
      }, hasChecks: !numbers.goldenChecks.isEmpty,
      checkTime: settings.nightlyCheckHour.map {
        "Each night from \($0):00 every model of a rule that comes with a golden case is checked with it."
      } ?? "Models are not checked by themselves: the configuration has no nightlyCheck.",
      listeners: listeners, hasListeners: !listeners.isEmpty)
    return renderer.page(page, in: try frame("System", request, context))
  }
}

extension Int {
  /// A number of bytes for people (10⁹ bytes are 1 GB).
  fileprivate var bytes: String {
    self >= 1_000_000_000
      ? String(format: "%.1f GB", Double(self) / 1e9)
      : String(format: "%.1f MB", Double(self) / 1e6)
  }
}
