import Foundation
import JobLedger
import Logging
import ServiceLifecycle

/// Tells recipients what happens, each on its own: one that does not answer holds up no other.
///
/// What was told is in the ledger, so that nothing is lost or told anew at a restart; a message whose
/// answer was lost is sent again.
public struct NotificationService: Service {
  public struct Limits: Sendable {
    /// What happens within this time is told at once.
    public var groupSeconds: Double
    public var messagesPerHour: Int

    public init(groupSeconds: Double, messagesPerHour: Int) {
      self.groupSeconds = groupSeconds
      self.messagesPerHour = messagesPerHour
    }
  }

  private let ledger: Ledger
  private let recipients: [NotificationRecipient]
  private let limits: Limits
  private let installation: String
  private let host: String
  private let pause: Duration
  private let logger: Logger

  /// - Parameters:
  ///   - ledger: of the daemon.
  ///   - recipients: who is told of what.
  ///   - limits: of messages.
  ///   - installation: the name of this one, for messages.
  ///   - host: the machine, for messages.
  ///   - pause: between two looks at the ledger.
  ///   - logger: is told whom nothing reaches.
  public init(
    ledger: Ledger, recipients: [NotificationRecipient], limits: Limits, installation: String,
    host: String, pause: Duration = .seconds(5), logger: Logger
  ) {
    self.ledger = ledger
    self.recipients = recipients
    self.limits = limits
    self.installation = installation
    self.host = host
    self.pause = pause
    self.logger = logger
  }

  public func run() async throws {
    await cancelWhenGracefulShutdown {
      await withDiscardingTaskGroup { group in
        for recipient in recipients { group.addTask { await serve(recipient) } }
      }
    }
  }

  private func serve(_ recipient: NotificationRecipient) async {
    var failures = 0
    while !Task.isCancelled {
      do {
        try await tell(recipient)
        if failures > 0 {
          logger.notice("notified again", metadata: ["recipient": "\(recipient.name)"])
        }
        failures = 0
      } catch is CancellationError {
        return
      } catch {
        failures += 1
        logger.warning(
          "not notified: \(error)",
          metadata: ["recipient": "\(recipient.name)", "attempt": "\(failures)"])
      }
      try? await Task.sleep(for: failures == 0 ? pause : Self.backoff(failures))
    }
  }

  /// 10 seconds and twice as long after each failure, up to half an hour.
  static func backoff(_ failures: Int) -> Duration {
    .seconds(min(1800, 10 << min(failures - 1, 8)))
  }

  /// Sends what is due to a recipient.
  ///
  /// - Returns: whether anything was sent.
  @discardableResult
  func tell(_ recipient: NotificationRecipient) async throws -> Bool {
    let untold = try ledger.untold(to: recipient.name, kinds: recipient.kinds)
    guard !untold.notices.isEmpty, untold.messagesInLastHour < limits.messagesPerHour,
      untold.age >= limits.groupSeconds || untold.notices.contains(where: \.kind.isUrgent)
    else { return false }
    let message = NotificationMessage(untold.notices, installation: installation, host: host)
    try await recipient.channel.send(message)
    try ledger.markTold(to: recipient.name, upTo: untold.upTo)
    logger.info(
      "notified: \(message.summary)", metadata: ["recipient": "\(recipient.name)"])
    return true
  }
}

extension Notice.Kind {
  /// Whether it is told without waiting for more.
  fileprivate var isUrgent: Bool { self != .held && self != .deliveryHeld }
}
