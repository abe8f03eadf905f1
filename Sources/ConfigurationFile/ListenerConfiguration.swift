import DICOM
import DICOMNetwork
import StrictYAML

extension SiteConfiguration {
  /// One listener, or a list of them.
  struct Listeners: Decodable {
    var all: [Listener]

    init(from decoder: any Decoder) throws {
      let isList = (try? decoder.unkeyedContainer()) != nil
      all = try isList ? [Listener](from: decoder) : [Listener(from: decoder)]
    }
  }

  /// A C-STORE listener.
  public struct Listener: Decodable, Sendable {
    public var aeTitle = "SEGMENTD"
    public var address = "127.0.0.1"
    public var port = 11112
    /// Application entities that may send, from anywhere.
    public var callingAETitles: [String] = []
    /// Application entities that may send, by where they are. With ``callingAETitles`` empty too,
    /// every caller is admitted.
    public var peers: [AdmittedPeer] = []
    public var maximumAssociations = PeerLimits().associations
    public var sopClasses = SOPClasses()
    public var limits = Limits()
    /// Nil for plain TCP.
    public var tls: TLS?

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case aeTitle, address, port, callingAETitles, peers, maximumAssociations, sopClasses, limits,
        tls
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      aeTitle = try values.decodeIfPresent(String.self, forKey: .aeTitle) ?? aeTitle
      address = try values.decodeIfPresent(String.self, forKey: .address) ?? address
      port = try values.decodeIfPresent(Int.self, forKey: .port) ?? port
      callingAETitles = try values.decodeIfPresent([String].self, forKey: .callingAETitles) ?? []
      peers = try values.decodeIfPresent([AdmittedPeer].self, forKey: .peers) ?? []
      maximumAssociations =
        try values.decodeIfPresent(Int.self, forKey: .maximumAssociations) ?? maximumAssociations
      sopClasses = try values.decodeIfPresent(SOPClasses.self, forKey: .sopClasses) ?? sopClasses
      limits = try values.decodeIfPresent(Limits.self, forKey: .limits) ?? limits
      tls = try values.decodeIfPresent(TLS.self, forKey: .tls)
    }
  }

  /// SOP classes of objects that are kept and never segmented, at every entrance; images are not
  /// among them.
  public var storedSOPClasses: Set<String> {
    let classes =
      listeners.isEmpty ? SOPClasses().stored : listeners.flatMap(\.sopClasses.stored)
    return Set(classes).subtracting(ImageStorage.sopClasses)
  }

  /// An application entity that may send, and from where.
  public struct AdmittedPeer: Decodable, Sendable {
    /// Nil for any title.
    public var aeTitle: String?
    /// Addresses, or ranges of them in CIDR notation; empty for any.
    public var addresses: [String]

    private enum CodingKeys: String, CodingKey, CaseIterable { case aeTitle, addresses }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      aeTitle = try values.decodeIfPresent(String.self, forKey: .aeTitle)
      addresses = try values.decodeIfPresent([String].self, forKey: .addresses) ?? []
    }
  }

  /// SOP classes that are received besides images.
  public struct SOPClasses: Decodable, Sendable {
    /// Stored and never segmented: by default Segmentation, Label Map Segmentation, RT Structure Set and Secondary Capture
    /// Image Storage.
    public var stored = [
      "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7",
      "1.2.840.10008.5.1.4.1.1.481.3",
      "1.2.840.10008.5.1.4.1.1.7",
    ]

    private enum CodingKeys: String, CodingKey, CaseIterable { case stored }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      stored = try values.decodeIfPresent([String].self, forKey: .stored) ?? stored
    }
  }

  /// What peers of a listener may cost.
  public struct Limits: Decodable, Sendable {
    /// Of one address; nil for seven eighths of all.
    public var associationsPerAddress: Int?
    /// Connections without an association, of all addresses and of one.
    public var waitingConnections = PeerLimits().waitingConnections
    public var waitingConnectionsPerAddress = PeerLimits().waitingConnectionsPerAddress
    public var requestSeconds = PeerLimits().requestSeconds
    public var idleSeconds = PeerLimits().idleSeconds
    public var pduSeconds = PeerLimits().pduSeconds
    public var objectSeconds = PeerLimits().objectSeconds
    /// In GB (10⁹ bytes), as the reserve.
    public var objectGB = 4.0
    /// Nil for 1 GB, or 5 % of the file system where that is less.
    public var diskReserveGB: Double?

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case associationsPerAddress, waitingConnections, waitingConnectionsPerAddress, requestSeconds,
        idleSeconds, pduSeconds, objectSeconds, objectGB, diskReserveGB
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      func integer(_ key: CodingKeys, _ usual: Int) throws -> Int {
        try values.decodeIfPresent(Int.self, forKey: key) ?? usual
      }
      associationsPerAddress = try values.decodeIfPresent(Int.self, forKey: .associationsPerAddress)
      waitingConnections = try integer(.waitingConnections, waitingConnections)
      waitingConnectionsPerAddress =
        try integer(.waitingConnectionsPerAddress, waitingConnectionsPerAddress)
      requestSeconds = try integer(.requestSeconds, requestSeconds)
      idleSeconds = try integer(.idleSeconds, idleSeconds)
      pduSeconds = try integer(.pduSeconds, pduSeconds)
      objectSeconds = try integer(.objectSeconds, objectSeconds)
      objectGB = try values.decodeIfPresent(Double.self, forKey: .objectGB) ?? objectGB
      diskReserveGB = try values.decodeIfPresent(Double.self, forKey: .diskReserveGB)
    }
  }

  /// TLS of a listener; files are in PEM.
  public struct TLS: Decodable, Sendable {
    public var certificate: String
    public var key: String
    public var clientCertificates = TransportSecurity.ClientCertificates.none
    /// Certificates of those who sign clients' certificates.
    public var trusted: String?

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case certificate, key, clientCertificates, trusted
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      certificate = try values.decode(String.self, forKey: .certificate)
      key = try values.decode(String.self, forKey: .key)
      clientCertificates =
        try values.decodeIfPresent(
          TransportSecurity.ClientCertificates.self, forKey: .clientCertificates)
        ?? clientCertificates
      trusted = try values.decodeIfPresent(String.self, forKey: .trusted)
    }

    /// Makes paths absolute.
    mutating func resolve(_ path: (String) -> String) {
      certificate = path(certificate)
      key = path(key)
      trusted = trusted.map(path)
    }

    public var security: TransportSecurity {
      TransportSecurity(
        certificate: certificate, key: key, clientCertificates: clientCertificates,
        trusted: trusted)
    }
  }
}

extension TransportSecurity.ClientCertificates: YAMLChoice {}
