import NIOSSL

/// TLS to a web or mail server; files are in PEM.
public struct ServiceTLS: Sendable, Equatable {
  /// Nil for those that the system trusts.
  public var trusted: String?
  public var certificate: String?
  public var key: String?
  public var verifiesServer: Bool

  public init(
    trusted: String? = nil, certificate: String? = nil, key: String? = nil,
    verifiesServer: Bool = true
  ) {
    self.trusted = trusted
    self.certificate = certificate
    self.key = key
    self.verifiesServer = verifiesServer
  }
}

extension TLSConfiguration {
  /// - Throws: ``ServiceError/unusableFile(_:reason:)``
  init(client tls: ServiceTLS?) throws {
    self = .makeClientConfiguration()
    minimumTLSVersion = .tlsv12
    guard let tls else { return }
    var file = ""
    do {
      if let trusted = tls.trusted {
        file = trusted
        trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(trusted))
      }
      if let certificate = tls.certificate, let key = tls.key {
        file = certificate
        certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) }
        file = key
        privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
      }
    } catch {
      throw ServiceError.unusableFile(file, reason: "it is no certificate or key in PEM")
    }
    if !tls.verifiesServer { certificateVerification = .none }
  }
}
