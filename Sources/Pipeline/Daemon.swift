import Configuration
import ServiceLifecycle

/// Listener, watch folders and the stages behind them in one process.
///
/// ```swift
/// try await Daemon(try SiteConfiguration.load("segmentd.yaml")).run()
/// ```
public struct Daemon {
  private let parts: ConfiguredParts

  public init(_ configuration: SiteConfiguration) throws {
    parts = try ConfiguredParts(configuration)
  }

  /// Runs until SIGTERM or SIGINT.
  ///
  /// Whatever is wrong with the configuration, the models, the port or the disk is thrown before
  /// anything is received.
  public func run() async throws {
    let configuration = parts.configuration
    let lock = try parts.state.lock()
    defer { withExtendedLifetime(lock) {} }
    for rule in configuration.modelRules { _ = try await parts.models.segmenter(rule.model) }
    try parts.ledger.checkIntegrity()
    let rescued = try parts.ledger.rescue()
    if rescued > 0 { parts.logger.notice("\(rescued) interrupted job(s) will run again") }
    try parts.intake.recover()

    // Shutdown goes from the last to the first: nothing new comes in while the rest ends.
    var services: [any Service] = [parts.runner, try parts.assembler()]
    if let check = parts.completenessCheck { services.append(check) }
    if !configuration.destinations.isEmpty { services.insert(parts.delivery, at: 0) }
    for watch in configuration.watch { services.append(try parts.watchedFolder(watch)) }
    if let listener = configuration.listener {
      let commitment = parts.storageCommitment()
      services += [commitment, try parts.listener(listener, commitment: commitment)]
      parts.logger.info("listening as \(listener.aeTitle) on \(listener.address):\(listener.port)")
    }
    for watch in configuration.watch { parts.logger.info("watching \(watch.folder)") }
    let group = ServiceGroup(
      configuration: .init(
        services: services.map { .init(service: $0) },
        gracefulShutdownSignals: [.sigterm, .sigint], logger: parts.logger))
    try await group.run()
  }
}
