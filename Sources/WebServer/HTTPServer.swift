import DICOMNetwork
import FileSystem
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle

/// Something that answers requests, such as a DICOMweb service.
public protocol WebRoutes: Sendable {
  /// Adds its routes; whoever asks for them has been admitted, except where `isOpen`.
  func add(to router: Router<WebRequestContext>)

  /// Whether a path is its own and is reached without password or token from the addresses that are admitted:
  /// nobody has to prove anything there, or the routes see to it themselves.
  func isOpen(_ path: String) -> Bool
}

extension WebRoutes {
  public func isOpen(_ path: String) -> Bool { false }
}

/// The HTTP server of the daemon: HTTP/1.1, with TLS or for this machine alone.
///
/// ```swift
/// let server = try HTTPServer(
///   WebServerConfiguration(address: "127.0.0.1", port: 8042), routes: [service], logger: logger)
/// try await server.run()  // until the service group shuts down
/// ```
public struct HTTPServer: Service, CustomStringConvertible {
  private let configuration: WebServerConfiguration
  private let authenticator: Authenticator
  private let routes: [any WebRoutes]
  private let connections: Connections
  private let tls: TLSConfiguration?
  private let reservation: PortReservation
  private let logger: Logger
  /// Requests that are under way when the server is told to stop have so long to end.
  private static let shutdownGrace = TimeAmount.seconds(2)

  /// Takes the port, so that one that is taken is known before anything else starts.
  ///
  /// - Parameters:
  ///   - configuration: where it listens, and to whom.
  ///   - authenticator: of the same access, where routes need it, too.
  ///   - routes: what it serves.
  ///   - logger: is told of connections that are refused.
  /// - Throws: ``WebServerError`` where the port is taken, or certificate or key cannot be used.
  public init(
    _ configuration: WebServerConfiguration, authenticator: Authenticator? = nil,
    routes: [any WebRoutes], logger: Logger
  ) throws(WebServerError) {
    self.configuration = configuration
    self.authenticator = authenticator ?? Authenticator(configuration.access)
    self.routes = routes
    self.logger = logger
    connections = Connections(limits: configuration.limits)
    if let security = configuration.security {
      do { tls = try security.serverConfiguration() } catch {
        throw .cannotUseTLS(reason: Self.reason(of: error))
      }
    } else {
      tls = nil
    }
    do { reservation = try PortReservation(configuration.address, configuration.port) } catch {
      throw .cannotListen(
        address: configuration.address, port: configuration.port, reason: error.description)
    }
  }

  /// Listens until the service group shuts down; requests under way have 2 seconds then.
  ///
  /// - Throws: ``WebServerError``
  public func run() async throws {
    let application = Application(
      router: router(), server: try server(),
      configuration: ApplicationConfiguration(
        address: .hostname(configuration.address, port: configuration.port), serverName: nil),
      logger: frameworkLogger)
    do {
      try await withGracefulShutdownHandler {
        try await application.run()
      } onGracefulShutdown: {
        connections.closeAll(after: Self.shutdownGrace)
      }
    } catch {
      throw WebServerError.cannotListen(
        address: configuration.address, port: configuration.port, reason: Self.reason(of: error))
    }
  }

  /// Without the hashes of the configuration, as it may be logged.
  public var description: String {
    "HTTP server at \(configuration.address):\(configuration.port)"
  }

  private func router() -> Router<WebRequestContext> {
    let router = Router(context: WebRequestContext.self)
    router.add(middleware: ConnectionMiddleware(connections: connections))
    let routes = routes
    router.add(
      middleware: AccessMiddleware(authenticator, logger: logger) { path in
        routes.contains { $0.isOpen(path) }
      })
    for routes in routes { routes.add(to: router) }
    return router
  }

  private func server() throws -> HTTPServerBuilder {
    let (connections, logger) = (connections, logger)
    let plain = HTTPServerBuilder.http1(
      configuration: HTTP1Channel.Configuration(
        additionalChannelHandlers: [ConnectionHandler(connections, logger: logger)],
        httpDecoderConfiguration: .init(
          maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 32 << 10, maxHeaderFieldCount: 100)))
    guard let tls else { return plain }
    return try .tls(plain, tlsConfiguration: tls)
  }

  /// What Hummingbird says of itself is of interest to us only where it is a fault.
  private var frameworkLogger: Logger {
    var logger = logger
    logger.logLevel = max(logger.logLevel, .warning)
    return logger
  }

  private static func reason(of error: any Error) -> String {
    if let error = error as? IOError { return SystemError(error.errnoCode).description }
    return (error as? WebServerError)?.description ?? "\(error)"
  }
}

extension TransportSecurity {
  /// TLS 1.2 and 1.3 by BCP 195 (RFC 9325, PS3.15 B.12), as the DICOM listener's.
  func serverConfiguration() throws -> TLSConfiguration {
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
      privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
    configuration.minimumTLSVersion = .tlsv12
    configuration.cipherSuiteValues = [
      .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
      .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ]
    configuration.applicationProtocols = ["http/1.1"]
    if let trusted {
      configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(trusted))
    }
    configuration.certificateVerification =
      switch clientCertificates {
      case .none: .none
      case .request: .optionalVerification
      case .require: .noHostnameVerification
      }
    return configuration
  }
}
