import CDCMTK
import DICOM
import Foundation

/// TLS 1.2 and 1.3 of associations that we open, by BCP 195 (RFC 9325), as PS3.15 B.12 asks. Files are in
/// PEM.
public struct PeerSecurity: Sendable, Equatable {
  /// Certificates of those who sign the peer's; without them only a peer that is not checked is accepted.
  public var trusted: String?
  /// Our own certificate, followed by those between it and the root, and its key; for peers that ask for
  /// one.
  public var certificate: String?
  public var key: String?
  /// The name or address that the peer's certificate has to be for; nil for the one by which it is called.
  public var peerName: String?
  /// Whether the peer's certificate is checked.
  public var verifiesPeer = true

  public init(
    trusted: String?, certificate: String? = nil, key: String? = nil, peerName: String? = nil,
    verifiesPeer: Bool = true
  ) {
    self.trusted = trusted
    self.certificate = certificate
    self.key = key
    self.peerName = peerName
    self.verifiesPeer = verifiesPeer
  }

  /// Loads the files as an association does.
  ///
  /// - Returns: when our own certificate is valid; nil without one.
  /// - Throws: ``DICOMNetworkError/cannotUseTLS(reason:)`` with the file.
  public func validity() throws(DICOMNetworkError) -> Range<Date>? {
    var (begin, end, error) = (0.0, 0.0, cdcmtk_error())
    let code = withOptions { cdcmtk_peer_tls_check($0, &begin, &end, &error) }
    guard code == CDCMTK_OK.rawValue else { throw .cannotUseTLS(reason: error.text) }
    guard certificate != nil else { return nil }
    let start = Date(timeIntervalSince1970: begin)
    return start..<max(start, Date(timeIntervalSince1970: end))
  }

  func withOptions<Result>(_ body: (UnsafePointer<cdcmtk_peer_tls>) -> Result) -> Result {
    withCStrings([trusted ?? "", certificate ?? "", key ?? "", peerName ?? ""]) { texts in
      var options = cdcmtk_peer_tls(
        certificate: certificate == nil ? nil : texts[1], key: key == nil ? nil : texts[2],
        trusted: trusted == nil ? nil : texts[0], name: peerName == nil ? nil : texts[3],
        verify: verifiesPeer ? 1 : 0)
      return body(&options)
    }
  }
}
