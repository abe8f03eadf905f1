import ConfigurationFile
import Foundation
import JobLedger
import Logging
import ServiceLifecycle
import Synchronization
import Wording

/// Has ``Retention`` run: when the daemon has started, then once in every interval, and as soon as the disk
/// has less free than it should. Events are removed once a day.
final class RetentionService: Service {
  private struct Times {
    var next = ContinuousClock.now
    /// The disk is not looked at before: where nothing more is finished, a purge does not help.
    var nextForDisk = ContinuousClock.now
    var nextForEvents = ContinuousClock.now
  }

  private let retention: Retention
  private let interval: Duration
  private let logger: Logger
  private let times = Mutex(Times())
  private let isStopping = Mutex(false)

  init(_ retention: Retention, interval: Duration, logger: Logger) {
    self.retention = retention
    self.interval = interval
    self.logger = logger
  }

  func run() async throws {
    await repeatUntilShutdown(every: .seconds(5), logger: logger) {
      try await onThread { try self.purgeIfDue() }
      return false
    }
    isStopping.withLock { $0 = true }
  }

  func purgeIfDue() throws {
    let now = ContinuousClock.now
    let isDiskShort = retention.isDiskShort
    let purgesEvents: Bool? = times.withLock { times in
      guard times.next <= now || isDiskShort && times.nextForDisk <= now else { return nil }
      return times.nextForEvents <= now
    }
    guard let purgesEvents else { return }
    let done = try retention.run(purgesEvents: purgesEvents) { !self.isStopping.withLock { $0 } }
    times.withLock { times in
      times.next = now + interval
      let wasOfNoUse = isDiskShort && done.items.isEmpty
      times.nextForDisk = .now + (wasOfNoUse ? .seconds(600) : .zero)
      if purgesEvents { times.nextForEvents = now + .seconds(86_400) }
    }
    log(done)
  }

  private func log(_ done: PurgePlan) {
    for total in done.totals {
      logger.notice(
        "purged \(total.kind.rawValue): \(counted(total.files, "file")), \(total.bytes / 1_000_000) MB",
        metadata: ["rule": "retention.\(total.rule)", "count": "\(total.items)"])
    }
    if let events = done.events, events.count > 0 {
      logger.notice(
        "\(counted(events.count, "event")) removed", metadata: ["rule": "retention.events.days"])
    }
    for (rule, bytes) in done.shortfalls.sorted(by: { $0.key < $1.key }) {
      logger.warning(
        "nothing more is finished that could be purged: \(bytes / 1_000_000) MB are missing",
        metadata: ["rule": "retention.\(rule)"])
    }
  }
}
