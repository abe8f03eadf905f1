import JobLedger
import Logging
import Synchronization

/// Looks whether jobs may be begun, and says in the log when that changes.
final class ProcessingWatch: Sendable {
  private let ledger: Ledger
  private let logger: Logger
  /// What was said last; nil for nothing, or that jobs are begun.
  private let said = Mutex<String?>(nil)

  init(ledger: Ledger, logger: Logger) {
    self.ledger = ledger
    self.logger = logger
  }

  /// Whether a job may be begun now. Of a drain it records the end.
  ///
  /// - Throws: `LedgerError`
  func allowsJobs() throws -> Bool {
    _ = try ledger.recordDrained()
    let pause = try ledger.processingState().pauseText
    let isNew = said.withLock { said in
      defer { said = pause }
      return said != pause
    }
    if isNew { logger.notice("\(pause ?? "processing is resumed")") }
    return pause == nil
  }
}
