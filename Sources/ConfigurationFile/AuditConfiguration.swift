import Foundation
import StrictYAML

extension SiteConfiguration {
  /// The audit log (DICOM PS3.15 A.5).
  public struct Audit: Decodable, Sendable, Equatable {
    /// How entries go to a syslog server.
    public enum Transport: String, YAMLChoice, Sendable {
      /// A datagram each (RFC 5426).
      case udp
      /// With octet counting (RFC 6587).
      case tcp
      /// RFC 5425.
      case tls
    }

    /// A syslog server, which gets every entry besides the file.
    public struct Syslog: Decodable, Sendable, Equatable {
      public var host: String
      public var transport: Transport
      public var port: Int
      /// Nil for the authorities that the system trusts.
      public var tls: PeerTLS?

      private enum CodingKeys: String, CodingKey, CaseIterable { case host, port, transport, tls }

      public init(from decoder: any Decoder) throws {
        let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
        host = try values.decode(String.self, forKey: .host)
        transport = try values.decodeIfPresent(Transport.self, forKey: .transport) ?? .tls
        port =
          try values.decodeIfPresent(Int.self, forKey: .port) ?? (transport == .tls ? 6514 : 514)
        tls = try values.decodeIfPresent(PeerTLS.self, forKey: .tls)
      }
    }

    /// Days that the files are kept; 0 for none to be written.
    public var keepDays = 183
    public var syslog: Syslog?
    /// Whether patients are named by their ID, as PS3.15 has it; otherwise studies alone are named.
    public var patientIDs = false

    private enum CodingKeys: String, CodingKey, CaseIterable { case keepDays, syslog, patientIDs }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      keepDays = try values.decodeIfPresent(Int.self, forKey: .keepDays) ?? keepDays
      syslog = try values.decodeIfPresent(Syslog.self, forKey: .syslog)
      patientIDs = try values.decodeIfPresent(Bool.self, forKey: .patientIDs) ?? patientIDs
    }

    func check(_ check: ValueCheck) throws(ConfigurationError) {
      guard (0...36_500).contains(keepDays) else {
        throw check.fault("audit.keepDays: \(keepDays) is not between 0 and 36500")
      }
      guard let syslog else { return }
      guard !syslog.host.isEmpty else { throw check.fault("audit.syslog.host is empty") }
      try check.port(syslog.port, "audit.syslog")
      guard let tls = syslog.tls else { return }
      guard syslog.transport == .tls else {
        throw check.fault("audit.syslog.tls: means nothing with transport: \(syslog.transport)")
      }
      guard (tls.certificate == nil) == (tls.key == nil) else {
        throw check.fault("audit.syslog.tls: certificate and key belong together")
      }
    }
  }
}
