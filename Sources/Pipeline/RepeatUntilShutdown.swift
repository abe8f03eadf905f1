import JobLedger
import Logging
import ServiceLifecycle

/// Calls `step` again and again until the service group shuts down: at once after a step that
/// found work, else after a pause. A step that fails is logged and tried again.
func repeatUntilShutdown(
  every pause: Duration, logger: Logger, _ step: @escaping @Sendable () async throws -> Bool
) async {
  await cancelWhenGracefulShutdown {
    while !Task.isCancelled {
      do {
        if try await step() { continue }
      } catch is CancellationError {
        return
      } catch {
        // A full disk, say, which does not pass within a moment.
        logger.error("\(error)")
        try? await Task.sleep(for: .seconds(5))
      }
      do { try await Task.sleep(for: pause) } catch { return }
    }
  }
}

/// Writes what has happened into the ledger, trying again while the ledger cannot be written: a
/// change that is given up would leave its job or delivery stuck.
func retryingLedgerWrite(_ logger: Logger, _ change: () throws -> Void) async throws {
  while true {
    do {
      return try change()
    } catch LedgerError.failed(let path, let reason) {
      logger.error("\(path): the ledger cannot be written, trying again: \(reason)")
      try await Task.sleep(for: .seconds(5))
    }
  }
}
