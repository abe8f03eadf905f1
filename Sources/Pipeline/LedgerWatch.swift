import JobLedger
import Logging
import ServiceLifecycle

/// Ends the daemon where its ledger is damaged.
///
/// Every stage tries again what the ledger could not do, as SQLite says of a file whose disk fails for a moment that it
/// is damaged. Wherever it has said so, to a stage or to the receiving process, the whole file is checked here, and once
/// more where something is found: only what is read twice is damage, and not a disk that fails meanwhile.
struct LedgerWatch: Service {
  let ledger: Ledger
  let logger: Logger
  /// Between two looks at whether there is a reason to check.
  var interval = Duration.seconds(1)
  /// Between a check that found something and the one that confirms it.
  var confirmation = Duration.seconds(90)

  /// After a check that found nothing: it reads the whole file.
  private static let pause = Duration.seconds(60)

  /// - Throws: `LedgerError.damaged`
  func run() async throws {
    do {
      try await cancelWhenGracefulShutdown {
        var found: LedgerError?
        while true {
          do {
            var isSound = false
            try await retryingLedgerWrite(logger) {
              isSound = try await onThread { try ledger.checkIfSuspect() }
            }
            if isSound {
              logger.warning("the ledger was not read as it was written for a moment; it is sound")
            }
            found = nil
            try await Task.sleep(for: isSound ? Self.pause : interval)
          } catch let error as LedgerError where error != found {
            found = error
            logger.error("\(error); it is read once more in \(confirmation)")
            try await Task.sleep(for: confirmation)
          }
        }
      }
    } catch is CancellationError {}
  }
}
