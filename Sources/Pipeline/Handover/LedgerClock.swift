import JobLedger
import Logging
import ServiceLifecycle

/// Has the ledger's time go on where no series is assembled (``SeriesAssembler`` does the same).
struct LedgerClock: Service {
  let ledger: Ledger
  let logger: Logger

  func run() async throws {
    await repeatUntilShutdown(every: .milliseconds(500), logger: logger) {
      if let note = try ledger.noteTime() { logger.warning("\(note)") }
      return false
    }
  }
}
