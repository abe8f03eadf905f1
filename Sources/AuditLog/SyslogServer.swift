import Foundation

/// A server that gets the entries of the audit log.
public struct SyslogServer: Sendable, Equatable {
  public enum Transport: Sendable, Equatable {
    /// A datagram for each entry (RFC 5426).
    case udp
    /// With octet counting (RFC 6587).
    case tcp
    /// RFC 5425; files are in PEM.
    case tls(trusted: String?, certificate: String?, key: String?, verifiesServer: Bool)
  }

  public var host: String
  public var port: Int
  public var transport: Transport

  public init(host: String, port: Int, transport: Transport) {
    self.host = host
    self.port = port
    self.transport = transport
  }
}
