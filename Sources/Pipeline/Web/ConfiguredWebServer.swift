import AuditLog
import ConfigurationFile
import Credentials
import DICOM
import DICOMNetwork
import DICOMwebServer
import Dashboard
import Dispatch
import Explanation
import FileSystem
import Ingest
import JobLedger
import SeriesProcessing
import Traces
import WebServer

extension ConfiguredParts {
  /// The HTTP server of the configuration; nil where there is none.
  ///
  /// - Parameters:
  ///   - gate: opens when the ledger is known to be sound.
  ///   - audit: is told who is not admitted.
  ///   - traces: whose numbers are among the metrics.
  /// - Throws: `WebServerError` where certificate or key cannot be used.
  func webServer(_ gate: Gate, audit: AuditLog? = nil, traces: TraceExporter? = nil) throws
    -> HTTPServer?
  {
    guard let settings = configuration.web else { return nil }
    if let fault = settings.tls?.certificateFault() { logger.error("\(fault)") }
    var server = try WebServerConfiguration(settings, listeners: configuration.handover.from)
    // The answer does not wait for the audit log's disk.
    let queue = DispatchQueue(label: "segmentd.audit.requests")
    server.access.onRefusal = { address, status, reason in
      queue.async {
        audit?.recordRefusedRequest(address: address, status: status, reason: reason)
      }
    }
    let authenticator = Authenticator(server.access)
    var routes: [any WebRoutes] = []
    if settings.stow { routes.append(storeService(settings)) }
    routes += handoverRoutes
    if settings.monitoring {
      routes +=
        Monitoring(
          state: state, statistics: LedgerStatisticsReader(ledger), diskReserve: diskReserve,
          gate: gate, traces: traces, clusterFolder: clusterFolder
        ).pages
    }
    if let dashboard = settings.dashboard {
      routes.append(
        try self.dashboard(dashboard, settings, authenticator) { user, address, begins in
          queue.async {
            guard let audit else { return }
            audit.record(
              .session(of: user, from: address, begins: begins, with: audit.application))
          }
        })
    }
    return try HTTPServer(
      server, authenticator: authenticator, routes: routes, logger: intake.clientLogger)
  }

  private func dashboard(
    _ settings: SiteConfiguration.WebDashboard, _ web: SiteConfiguration.Web,
    _ authenticator: Authenticator,
    onSession: @escaping @Sendable (_ user: String, _ address: String, _ begins: Bool) -> Void
  ) throws -> Dashboard {
    var dashboard = DashboardSettings()
    dashboard.onSession = onSession
    dashboard.isSecure = web.tls != nil
    dashboard.showsPatients = settings.showPatients
    dashboard.sessionMinutes = settings.sessionMinutes
    dashboard.hosts = Set(settings.hosts.map { $0.lowercased() })
    if web.isLoopback || !dashboard.hosts.isEmpty {
      dashboard.hosts.formUnion(["localhost", "127.0.0.1", "[::1]", web.address])
    }
    dashboard.proxy = try settings.proxy.map { proxy in
      DashboardSettings.Proxy(
        addresses: try addressRanges(proxy.addresses), userField: proxy.userHeader,
        roles: proxy.roles.compactMapValues(WebRole.init(rawValue:)))
    }
    dashboard.waiting = configuration.waitingTimes
    dashboard.destinations = configuration.destinations.map(\.name)
    dashboard.nightlyCheckHour = configuration.nightlyCheck?.hour
    dashboard.listeners = configuration.handover.from.map(\.name)
    return try Dashboard(
      dashboard, ledger: ledger, state: state.url.path,
      source: ConfiguredDashboardSource(
        configuration: configuration, state: state, ledger: ledger, models: models),
      authenticator: authenticator, version: SegmentdVersion.current, logger: intake.clientLogger)
  }

  private func storeService(_ settings: SiteConfiguration.Web) -> StoreService {
    var service = StoreConfiguration(
      prefix: settings.prefix, folder: state.url.path,
      sopClasses: ImageStorage.sopClasses + configuration.storedSOPClasses,
      transferSyntaxes: AssociationPolicy.decodedTransferSyntaxes)
    service.limits.requests = settings.limits.requests
    service.limits.objectSeconds = settings.limits.objectSeconds
    service.limits.objectBytes = byteCount(gigabytes: settings.limits.objectGB)
    service.limits.diskReserve = state.diskReserve(gigabytes: settings.limits.diskReserveGB)
    let scheme = settings.tls == nil ? "http" : "https"
    logger.info("STOW-RS at \(scheme)://\(settings.address):\(settings.port)\(settings.prefix)")
    let intake = intake
    return StoreService(
      service, store: intake, association: { intake.record($0) },
      logger: intake.clientLogger)
  }
}

extension WebServerConfiguration {
  /// - Throws: `ConfigurationError` where a hash or a range of addresses is none: nobody is admitted
  ///   because of a slip.
  fileprivate init(
    _ settings: SiteConfiguration.Web, listeners: [SiteConfiguration.Handover.Sender]
  ) throws {
    self.init(address: settings.address, port: settings.port, security: settings.tls?.security)
    func client(
      _ name: String, _ kind: Credential.Kind, _ hash: String, _ role: String,
      _ addresses: [String]
    ) throws -> WebAccess.Client {
      guard let hash = SecretHash(hash) else { throw unreadable(name) }
      guard let role = WebRole(rawValue: role) else { throw unreadable(role) }
      return WebAccess.Client(
        credential: Credential(name: name, kind: kind, hash: hash), role: role,
        addresses: try addressRanges(addresses))
    }
    access.addresses = try addressRanges(settings.addresses)
    access.clients =
      try settings.users.map {
        try client($0.name, .password, $0.passwordHash, $0.role, $0.addresses)
      } + settings.tokens.map { try client($0.name, .token, $0.tokenHash, $0.role, $0.addresses) }
    access.clients += try listeners.map {
      try client($0.name, .token, $0.tokenHash, WebRole.listener.rawValue, $0.addresses)
    }
    limits.connections = settings.limits.connections
    limits.connectionsPerAddress = settings.limits.connectionsPerAddress
    limits.headerSeconds = settings.limits.headerSeconds
    limits.idleSeconds = settings.limits.idleSeconds
    limits.bodySeconds = settings.limits.bodySeconds
  }
}

private func unreadable(_ text: String) -> ConfigurationError {
  .invalid(file: "web", line: nil, message: "\"\(text)\" cannot be read")
}

private func addressRanges(_ texts: [String]) throws -> [AddressRange] {
  try texts.map { text in
    guard let range = AddressRange(text) else { throw unreadable(text) }
    return range
  }
}
