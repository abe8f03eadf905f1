import Foundation
import JobLedger
import Logging
import ServiceLifecycle

/// At the head: notes which listeners are away, so that nothing is awaited from them.
struct ListenerWatch: Service {
  let ledger: Ledger
  /// Seconds.
  let patience: TimeInterval
  let logger: Logger

  func run() async throws {
    // While the head itself was away, none could be heard.
    do {
      try await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(patience)) }
    } catch {
      return
    }
    await repeatUntilShutdown(every: .seconds(1), logger: logger) {
      for name in try ledger.markAwayListeners(patience: patience) {
        logger.error(
          "listener \(name) is away: what is on its way there counts as interrupted until it is back"
        )
      }
      return false
    }
  }
}
