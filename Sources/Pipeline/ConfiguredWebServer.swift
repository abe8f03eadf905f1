import ConfigurationFile
import Credentials
import DICOM
import DICOMNetwork
import DICOMwebServer
import FileSystem
import Ingest
import JobLedger
import WebServer

extension ConfiguredParts {
  /// The HTTP server of the configuration; nil where there is none.
  ///
  /// - Parameter gate: opens when the ledger is known to be sound.
  /// - Throws: `WebServerError` where certificate or key cannot be used.
  func webServer(_ gate: Gate) throws -> HTTPServer? {
    guard let settings = configuration.web else { return nil }
    if let fault = settings.tls?.certificateFault() { logger.error("\(fault)") }
    var routes: [any WebRoutes] = []
    if settings.stow { routes.append(storeService(settings)) }
    if settings.monitoring {
      routes +=
        Monitoring(
          state: state, statistics: LedgerStatisticsReader(ledger), diskReserve: diskReserve,
          gate: gate
        ).pages
    }
    return try HTTPServer(
      try WebServerConfiguration(settings), routes: routes, logger: intake.clientLogger)
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
  fileprivate init(_ settings: SiteConfiguration.Web) throws {
    self.init(address: settings.address, port: settings.port, security: settings.tls?.security)
    func fault(_ text: String) -> ConfigurationError {
      .invalid(file: "web", line: nil, message: "\"\(text)\" cannot be read")
    }
    func ranges(_ texts: [String]) throws -> [AddressRange] {
      try texts.map { text in
        guard let range = AddressRange(text) else { throw fault(text) }
        return range
      }
    }
    func client(
      _ name: String, _ kind: Credential.Kind, _ hash: String, _ addresses: [String]
    ) throws -> WebAccess.Client {
      guard let hash = SecretHash(hash) else { throw fault(name) }
      return WebAccess.Client(
        credential: Credential(name: name, kind: kind, hash: hash),
        addresses: try ranges(addresses))
    }
    access.addresses = try ranges(settings.addresses)
    access.clients =
      try settings.users.map { try client($0.name, .password, $0.passwordHash, $0.addresses) }
      + settings.tokens.map { try client($0.name, .token, $0.tokenHash, $0.addresses) }
    limits.connections = settings.limits.connections
    limits.connectionsPerAddress = settings.limits.connectionsPerAddress
    limits.headerSeconds = settings.limits.headerSeconds
    limits.idleSeconds = settings.limits.idleSeconds
    limits.bodySeconds = settings.limits.bodySeconds
  }
}
