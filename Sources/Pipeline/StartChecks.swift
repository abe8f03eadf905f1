import Dispatch
import FileSystem
import Ingest
import JobLedger
import Logging
import ServiceLifecycle
import Synchronization

/// What has to be looked at after the last process, behind an open port: the ledger's integrity, what
/// that process left half done, and the files of the spool.
///
/// Instances are received and recorded meanwhile. Nothing is assembled, run or sent before the ledger is
/// known to be sound: see ``AfterChecks``. A damaged ledger ends the daemon, here or later by ``LedgerWatch``; what
/// was acknowledged stays in spool and ledger.
final class StartChecks: Service {
  private let ledger: Ledger
  private let recovery: Recovery
  private let logger: Logger
  private let isLedgerSound = Mutex(false)

  init(ledger: Ledger, recovery: Recovery, logger: Logger) {
    self.ledger = ledger
    self.recovery = recovery
    self.logger = logger
  }

  /// Whether the stages behind the intake may begin.
  var areDone: Bool { isLedgerSound.withLock { $0 } }

  func run() async throws {
    do {
      try await cancelWhenGracefulShutdown {
        try await retryingLedgerWrite(self.logger) {
          try await onThread { try self.checkLedger() }
        }
        self.isLedgerSound.withLock { $0 = true }
        try await retryingLedgerWrite(self.logger) {
          try await onThread { try self.rescanSpool() }
        }
      }
    } catch is CancellationError {}
  }

  private func checkLedger() throws {
    try ledger.checkIntegrity()
    try finishPurge()
    let unfinished = recovery.removeUnfinishedResults()
    if unfinished > 0 { logger.notice("\(unfinished) file(s) removed that were being written") }
    for line in try recovery.withdrawUnfinished() { logger.warning("\(line)") }
    let rescued = try recovery.rescue()
    if rescued > 0 { logger.notice("\(rescued) interrupted job(s) will run again") }
    try recovery.rebuildLedger { line, isError in
      logger.log(level: isError ? .error : .notice, "\(line)")
    }
    for line in try recovery.cancelOutdated() { logger.notice("\(line)") }
  }

  /// Files that cannot be removed now are no reason not to work; the next purge tries again.
  private func finishPurge() throws {
    do {
      let removed = try recovery.finishPurge()
      if removed > 0 { logger.notice("\(removed) file(s) of an interrupted purge removed") }
    } catch let error as SystemError {
      logger.error("files of an interrupted purge cannot be removed: \(error)")
    }
  }

  private func rescanSpool() throws {
    try recovery.rescan { line, isError in logger.log(level: isError ? .error : .notice, "\(line)")
    }
  }
}

/// A stage that begins once the checks of the start are done.
struct AfterChecks: Service {
  var checks: StartChecks
  var stage: any Service

  func run() async throws {
    do {
      try await cancelWhenGracefulShutdown {
        while !checks.areDone { try await Task.sleep(for: .milliseconds(50)) }
      }
    } catch is CancellationError {
      return
    }
    try await stage.run()
  }
}

/// Runs what blocks for long outside the cooperative pool. A task that is cancelled does not wait for it.
func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws
  -> Value
{
  let outcome = Outcome<Value>()
  DispatchQueue.global().async {
    let result = Result { try work() }
    outcome.result.withLock { $0 = result }
  }
  while true {
    if let result = outcome.result.withLock({ $0 }) { return try result.get() }
    try await Task.sleep(for: .milliseconds(20))
  }
}

private final class Outcome<Value: Sendable>: Sendable {
  let result = Mutex<Result<Value, any Error>?>(nil)
}
