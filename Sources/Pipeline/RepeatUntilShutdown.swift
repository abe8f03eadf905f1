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
        logger.error("\(error)")
      }
      do { try await Task.sleep(for: pause) } catch { return }
    }
  }
}
