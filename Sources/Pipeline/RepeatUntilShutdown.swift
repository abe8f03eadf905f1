import JobLedger
import Logging
import ServiceLifecycle

/// Calls `step` again and again until the service group shuts down: at once after a step that
/// found work, else after a pause. A step that fails is tried again; it is logged when the reason
/// changes, and once a minute.
func repeatUntilShutdown(
  every pause: Duration, logger: Logger, _ step: @escaping @Sendable () async throws -> Bool
) async {
  await cancelWhenGracefulShutdown {
    var logged: (text: String, at: ContinuousClock.Instant)?
    while !Task.isCancelled {
      do {
        let isAtWork = try await step()
        logged = nil
        if isAtWork { continue }
      } catch is CancellationError {
        return
      } catch {
        // Such as a full disk, which does not pass within a moment.
        let text = "\(error)"
        if logged?.text != text || logged.map({ .now - $0.at > .seconds(60) }) ?? true {
          logger.error("\(text)")
          logged = (text, .now)
        }
        try? await Task.sleep(for: .seconds(5))
      }
      do { try await Task.sleep(for: pause) } catch { return }
    }
  }
}

/// Writes what has happened into the ledger, trying again while the machine is at fault: a change
/// that is given up would leave its job or delivery stuck.
func retryingLedgerWrite(_ logger: Logger, _ change: () async throws -> Void) async throws {
  while true {
    do {
      return try await change()
    } catch let error as LedgerError {
      guard case .unavailable = error else { throw error }
      logger.error("\(error); trying again")
      try await Task.sleep(for: .seconds(5))
    }
  }
}
