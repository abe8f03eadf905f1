import ConfigurationFile
import Ingest
import JobLedger
import Logging
import ServiceLifecycle

/// The stages behind the intake in this process, and all that receives in another one (``Receiver``).
///
/// ```swift
/// try await Daemon.opening(try ConfigurationSource(file: "segmentd.yaml")).run()
/// ```
public struct Daemon {
  private let source: ConfigurationSource
  private let parts: ConfiguredParts

  /// Opens the state directory and the ledger, which needs a few pages of disk for itself: while there are
  /// none, or a file system is read-only, it waits. Nobody is answered meanwhile, as nothing could be written down.
  ///
  /// - Throws: `ConfigurationError`, or `StateDirectoryError` or `LedgerError` where waiting is of no use.
  public static func opening(_ source: ConfigurationSource) async throws -> Daemon {
    let configuration = try source.configuration()
    return Daemon(
      source: source, parts: try await waitingForDisk { try ConfiguredParts(configuration) })
  }

  /// Runs until SIGTERM or SIGINT.
  ///
  /// Whatever is wrong with the configuration, the models or the port is thrown before anything is
  /// received. The ledger is checked behind the open port, and whenever SQLite says that it is damaged; one that is
  /// ends the daemon.
  public func run() async throws {
    do { try await runStages() } catch {
      // Whoever meets the damage first may have said only what could not be read.
      if case LedgerError.damaged = error { throw error }
      try parts.ledger.checkIfSuspect()
      throw error
    }
  }

  private func runStages() async throws {
    let configuration = parts.configuration
    let lock = try await lockWhenFree()
    defer { withExtendedLifetime(lock) {} }
    let isListener = configuration.role == .listener
    if !isListener {
      for rule in configuration.modelRules { _ = try await parts.models.segmenter(rule.model) }
    }
    try parts.takeRole()
    try await formerReceiverEnded()
    let recovery = Recovery(parts.intake)
    recovery.removeUnacknowledged()
    let checks = StartChecks(ledger: parts.ledger, recovery: recovery, logger: parts.logger)
    let receiver = Receiver(
      source, state: parts.state, daemon: parts.receptions.session.daemon, checks: checks,
      aftermath: ReceiverAftermath(
        intake: parts.intake, ledger: parts.ledger, logger: parts.logger),
      logger: parts.logger)
    // Models and rules, or the way to the head, are known to be usable before a port opens.
    let stages =
      isListener ? try listenerStages() : try processingStages(receptions: receiver)
    // What is received while a lost ledger is rebuilt would count as older than what is in the spool.
    if try parts.ledger.isEmpty() || parts.ledger.isBeingRebuilt() {
      try await retryingLedgerWrite(parts.logger) {
        // Where it is damaged, waiting does not help.
        try parts.ledger.checkIfSuspect()
        try recovery.rebuildLedger { line, isError in
          parts.logger.log(level: isError ? .error : .notice, "\(line)")
        }
      }
    }
    try await receiver.start()

    let audit = parts.ledgerAudit()
    let delivery: Delivery? =
      isListener ? nil : try parts.delivery { audit?.writeBegin($0) }

    // Shutdown goes from the last to the first: nothing new comes in while the rest ends.
    var services: [any Service] = stages.before.map { AfterChecks(checks: checks, stage: $0) }
    if let delivery { services.append(AfterChecks(checks: checks, stage: delivery)) }
    services += stages.behind.map { AfterChecks(checks: checks, stage: $0) }
    services.append(receiver)
    if !isListener {
      services.append(
        AfterChecks(checks: checks, stage: GoldenCheckService(parts, receiver: receiver)))
    }
    for service in parts.notificationServices {
      services.insert(AfterChecks(checks: checks, stage: service), at: 0)
    }
    if let retention = parts.retentionService {
      services.insert(AfterChecks(checks: checks, stage: retention), at: 0)
    }
    services.insert(LedgerWatch(ledger: parts.ledger, logger: parts.logger), at: 0)
    // The last to end: it tells of the others' ends.
    if let audit { services.insert(AfterChecks(checks: checks, stage: audit), at: 0) }
    let group = ServiceGroup(
      configuration: .init(
        services: services.map { .init(service: $0) }
          + [.init(service: checks, successTerminationBehavior: .ignore)],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: parts.logger.ofServices))
    try await group.run()
  }

  /// What is done with instances: stages that end after the last delivery, and those that end before it.
  private typealias Stages = (before: [any Service], behind: [any Service])

  private func processingStages(receptions: any UnrecordedReceptions) throws -> Stages {
    (
      [
        // After the last delivery.
        ResultNoteWriter(state: parts.state, ledger: parts.ledger, logger: parts.logger),
        SegmentationComparison(state: parts.state, ledger: parts.ledger, logger: parts.logger),
      ],
      [try parts.runner, try parts.assembler(receptions: receptions)]
    )
  }

  /// A listener makes nothing of what it receives.
  private func listenerStages() throws -> Stages {
    var behind: [any Service] = [LedgerClock(ledger: parts.ledger, logger: parts.logger)]
    if let handover = try parts.handoverSending() { behind.append(handover) }
    return ([], behind)
  }

  /// The lock, once a command that has it leaves the directory to us: one that runs jobs does so after the
  /// patch in hand.
  ///
  /// - Throws: `StateDirectoryError` where another daemon has it.
  private func lockWhenFree() async throws -> StateDirectoryLock {
    var waiting: StateDirectoryLock?
    defer { withExtendedLifetime(waiting) {} }
    while true {
      switch try parts.state.lockOrHolder(for: StateDirectoryHolder.daemon) {
      case .ours(let lock): return lock
      case .others(let holder?) where !holder.isDaemon:
        if waiting == nil {
          parts.logger.notice("waiting for \(holder), which is using the state directory")
          // Another daemon may be waiting as well: the first one gets it.
          waiting = try? parts.state.waitingLock()
        }
        try await Task.sleep(for: .milliseconds(100))
      case .others: return try parts.state.lock(for: StateDirectoryHolder.daemon)
      }
    }
  }

  /// The receiving process of a daemon that was killed ends by itself, within a moment; on a machine that does not
  /// let it, within a minute.
  private func formerReceiverEnded() async throws {
    let end = ContinuousClock.now + .seconds(60)
    var isTold = false
    while .now < end {
      do {
        _ = try parts.state.receiverLock()
        return
      } catch .inUse {
        if !isTold {
          parts.logger.notice("waiting for the end of the last daemon's receiving process")
        }
        isTold = true
        try await Task.sleep(for: .milliseconds(50))
      }
    }
    _ = try parts.state.receiverLock()
  }
}

/// Tries again while the machine is at fault that state directory or ledger cannot be opened, as with a full disk or a
/// file system that became read-only.
func waitingForDisk(_ open: () throws -> ConfiguredParts) async throws -> ConfiguredParts {
  while true {
    let fault: any Error
    do {
      return try open()
    } catch let error as LedgerError {
      guard case .unavailable = error else { throw error }
      fault = error
    } catch let error as StateDirectoryError {
      guard case .unavailable = error else { throw error }
      fault = error
    }
    Logger(label: "segmentd").error("\(fault); trying again")
    try await Task.sleep(for: .seconds(5))
  }
}
