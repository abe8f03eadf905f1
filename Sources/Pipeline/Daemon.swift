import ConfigurationFile
import Ingest
import JobLedger
import Logging
import ServiceLifecycle

/// Listener, watch folders and the stages behind them in one process.
///
/// ```swift
/// try await Daemon.opening(try SiteConfiguration.load("segmentd.yaml")).run()
/// ```
public struct Daemon {
  private let parts: ConfiguredParts

  public init(_ configuration: SiteConfiguration) throws {
    parts = try ConfiguredParts(configuration)
  }

  /// Opens the state directory and the ledger, which needs a few pages of disk for itself: while there are
  /// none, it waits for space. Nobody is answered meanwhile, as nothing could be written down.
  ///
  /// - Throws: `StateDirectoryError` or `LedgerError` where waiting is of no use.
  public static func opening(_ configuration: SiteConfiguration) async throws -> Daemon {
    while true {
      do {
        return try Daemon(configuration)
      } catch let error as LedgerError {
        guard case .unavailable = error else { throw error }
        Logger(label: "segmentd").error("\(error); trying again")
        try await Task.sleep(for: .seconds(5))
      }
    }
  }

  /// Runs until SIGTERM or SIGINT.
  ///
  /// Whatever is wrong with the configuration, the models or the port is thrown before anything is
  /// received. The ledger is checked behind the open port; one that is damaged ends the daemon.
  public func run() async throws {
    let configuration = parts.configuration
    let lock = try parts.state.lock()
    defer { withExtendedLifetime(lock) {} }
    for rule in configuration.modelRules { _ = try await parts.models.segmenter(rule.model) }
    let recovery = Recovery(parts.intake)
    recovery.removeUnacknowledged()
    let checks = StartChecks(ledger: parts.ledger, recovery: recovery, logger: parts.logger)

    // Shutdown goes from the last to the first: nothing new comes in while the rest ends.
    var services: [any Service] = [
      AfterChecks(checks: checks, stage: parts.runner),
      AfterChecks(checks: checks, stage: try parts.assembler()),
    ]
    if !configuration.destinations.isEmpty {
      services.insert(AfterChecks(checks: checks, stage: parts.delivery), at: 0)
    }
    if let check = try parts.completenessCheck() {
      services.append(AfterChecks(checks: checks, stage: check))
    }
    for watch in configuration.watch { services.append(try parts.watchedFolder(watch)) }
    if !configuration.listeners.isEmpty {
      let commitment = parts.storageCommitment()
      services += [commitment, try parts.listener(commitment: commitment)]
    }
    for watch in configuration.watch { parts.logger.info("watching \(watch.folder)") }
    let group = ServiceGroup(
      configuration: .init(
        services: services.map { .init(service: $0) }
          + [.init(service: checks, successTerminationBehavior: .ignore)],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: parts.logger))
    try await group.run()
  }
}
