import ConfigurationFile
import Foundation
import JobLedger
import Logging
import Segmentation
import SeriesProcessing
import ServiceLifecycle
import Synchronization

/// Makes the golden checks that are asked for, by `segmentd check-golden` or by the schedule, one after the other.
struct GoldenCheckService: Service {
  private let parts: ConfiguredParts
  private let checks: GoldenCheckRun
  /// When the schedule was last obeyed, also where no model has a case.
  private let scheduled = LastSchedule()

  init(_ parts: ConfiguredParts, receiver: Receiver) {
    self.parts = parts
    checks = GoldenCheckRun(parts: parts, receiver: receiver)
  }

  func run() async throws {
    // What a former process left of one.
    try? FileManager.default.removeItem(at: parts.state.goldenCheck)
    await repeatUntilShutdown(every: .seconds(1), logger: parts.logger) {
      try schedule()
      guard let check = try parts.ledger.nextGoldenCheck() else { return false }
      try await make(check)
      return true
    }
  }

  private func schedule() throws {
    guard let settings = parts.configuration.nightlyCheck else { return }
    let now = Date()
    let last = try scheduled.last ?? parts.ledger.lastScheduledGoldenCheck()
    guard NightlySchedule(hour: settings.hour).isDue(at: now, last: last) else { return }
    for model in parts.configuration.checkedModels(parts.models) {
      try parts.ledger.requestGoldenCheck(of: model, by: .schedule)
    }
    scheduled.last = now
  }

  private func make(_ check: GoldenCheck) async throws {
    var version: String?
    let result: GoldenCheckResult
    do {
      let bundle = try parts.models.bundle(check.model)
      version = bundle.version
      result = try await checks.check(check.model, bundle)
    } catch let error as CancellationError {
      throw error
    } catch {
      result = GoldenCheckResult(outcome: .failed, message: "\(error)")
    }
    try await retryingLedgerWrite(parts.logger) {
      try parts.ledger.finishGoldenCheck(
        check, result.outcome, modelVersion: version, message: result.message)
    }
    parts.logger.log(
      level: result.outcome == .failed ? .error : .info,
      "golden check \(result.outcome.rawValue): \(result.message)",
      metadata: ["model": "\(check.model)"])
  }
}

private final class LastSchedule: Sendable {
  private let time = Mutex<Date?>(nil)

  var last: Date? {
    get { time.withLock { $0 } }
    set { time.withLock { $0 = newValue } }
  }
}

extension SiteConfiguration {
  /// The models that rules name.
  public var routedModels: [String] { Set(modelRules.map(\.model)).sorted() }

  /// Those of them that come with a case.
  func checkedModels(_ library: ModelLibrary) -> [String] {
    let bundles = library.bundles
    return routedModels.filter { name in
      let folder = name.contains("/") ? URL(fileURLWithPath: name) : bundles[name]
      return folder.map(GoldenCase.exists(inBundle:)) ?? false
    }
  }
}
