import DICOM

/// Why the network could not be used. Messages name host, port and AE titles.
public enum DICOMNetworkError: Error, Equatable, Sendable, CustomStringConvertible {
  case cannotListen(address: String, port: Int, reason: String)
  /// Certificate or key, of a listener or for a peer, cannot be used.
  case cannotUseTLS(reason: String)
  /// The peer is away, or refused the association for now.
  case noAssociation(peer: Peer, callingAETitle: String, reason: String)
  /// The peer refused the association and will do so again (PS3.8 9.3.4, rejected-permanent), or
  /// accepts no presentation context.
  case rejected(peer: Peer, callingAETitle: String, reason: String)
  case cannotSend(file: String, reason: String)
  /// The task was cancelled; what the peer has of it is not known.
  case cancelled(peer: Peer)
  case toolkit(DICOMError)

  public var description: String {
    switch self {
    case .cannotListen(let address, let port, let reason):
      "cannot listen on \(address):\(port): \(reason)"
    case .cannotUseTLS(let reason): "TLS cannot be used: \(reason)"
    case .noAssociation(let peer, let callingAETitle, let reason),
      .rejected(let peer, let callingAETitle, let reason):
      "no association with \(peer) as \(callingAETitle): \(reason)"
    case .cancelled(let peer): "the association with \(peer) was cancelled"
    case .cannotSend(let file, let reason): "\(file): cannot be sent: \(reason)"
    case .toolkit(let error): error.description
    }
  }
}

/// A DICOM application on the network.
public struct Peer: Equatable, Sendable, CustomStringConvertible {
  public var aeTitle: String
  public var host: String
  public var port: Int
  /// Nil for plain TCP.
  public var security: PeerSecurity?

  public init(aeTitle: String, host: String, port: Int, security: PeerSecurity? = nil) {
    self.aeTitle = aeTitle
    self.host = host
    self.port = port
    self.security = security
  }

  public var description: String { "\(aeTitle) at \(host):\(port)" }
}
