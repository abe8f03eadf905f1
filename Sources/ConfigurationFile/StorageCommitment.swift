import StrictYAML

extension SiteConfiguration {
  /// Where reports on storage commitment go once the association of the request is closed. The
  /// destinations and the query source are known besides.
  public struct StorageCommitment: Decodable, Sendable, Equatable {
    public struct Peer: Decodable, Sendable, Equatable {
      public var aeTitle: String
      public var host: String
      public var port: Int
      /// Nil for plain TCP.
      public var tls: PeerTLS?

      private enum CodingKeys: String, CodingKey, CaseIterable { case aeTitle, host, port, tls }

      public init(from decoder: any Decoder) throws {
        let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
        aeTitle = try values.decode(String.self, forKey: .aeTitle)
        host = try values.decode(String.self, forKey: .host)
        port = try values.decode(Int.self, forKey: .port)
        tls = try values.decodeIfPresent(PeerTLS.self, forKey: .tls)
      }
    }

    public var peers: [Peer] = []

    private enum CodingKeys: String, CodingKey, CaseIterable { case peers }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      peers = try values.decodeIfPresent([Peer].self, forKey: .peers) ?? []
    }
  }
}

extension SiteConfiguration {
  func checkStorageCommitment(_ check: ValueCheck) throws(ConfigurationError) {
    var titles = Set<String>()
    for peer in storageCommitment.peers {
      let name = "storageCommitment.peers.\(peer.aeTitle)"
      try check.aeTitle(peer.aeTitle, "storageCommitment.peers")
      guard titles.insert(peer.aeTitle).inserted else {
        throw check.fault("\(name): the AE title is used twice")
      }
      guard !peer.host.isEmpty else { throw check.fault("\(name).host is empty") }
      try check.port(peer.port, name)
      try check.tls(peer.tls, "\(name).tls")
    }
  }
}
