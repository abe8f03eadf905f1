import CDCMTK
import DICOM
import Foundation

/// TLS 1.2 and 1.3 of a listener by BCP 195 (RFC 9325), as PS3.15 B.12 asks: forward secrecy and
/// authenticated encryption alone. Files are in PEM.
public struct TransportSecurity: Sendable, Equatable {
  /// Whether peers show a certificate.
  public enum ClientCertificates: String, Sendable, CaseIterable {
    /// Not asked for.
    case none
    /// Asked for, and checked where one is shown.
    case request
    /// Demanded.
    case require
  }

  /// The listener's certificate, followed by those between it and the root.
  public var certificate: String
  public var key: String
  public var clientCertificates: ClientCertificates
  /// Certificates of those who sign clients' certificates.
  public var trusted: String?

  public init(
    certificate: String, key: String, clientCertificates: ClientCertificates = .none,
    trusted: String? = nil
  ) {
    self.certificate = certificate
    self.key = key
    self.clientCertificates = clientCertificates
    self.trusted = trusted
  }

  /// Loads the files as a listener does.
  ///
  /// - Returns: when the certificate is valid.
  /// - Throws: ``DICOMNetworkError/cannotUseTLS(reason:)`` with the file.
  public func validity() throws(DICOMNetworkError) -> Range<Date> {
    var (begin, end, error) = (0.0, 0.0, cdcmtk_error())
    let code = withOptions { cdcmtk_tls_check($0, &begin, &end, &error) }
    guard code == CDCMTK_OK.rawValue else { throw .cannotUseTLS(reason: error.text) }
    let start = Date(timeIntervalSince1970: begin)
    return start..<max(start, Date(timeIntervalSince1970: end))
  }

  func withOptions<Result>(
    _ body: (UnsafePointer<cdcmtk_tls_options>) -> Result
  ) -> Result {
    withCStrings([certificate, key, trusted ?? ""]) { texts in
      let clients =
        switch clientCertificates {
        case .none: CDCMTK_CLIENT_CERTIFICATES_NONE
        case .request: CDCMTK_CLIENT_CERTIFICATES_REQUEST
        case .require: CDCMTK_CLIENT_CERTIFICATES_REQUIRE
        }
      var options = cdcmtk_tls_options(
        certificate: texts[0], key: texts[1], trusted: trusted == nil ? nil : texts[2],
        client_certificates: Int32(clients.rawValue))
      return body(&options)
    }
  }
}
