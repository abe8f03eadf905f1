import Credentials
import StrictYAML

extension SiteConfiguration {
  /// What a daemon is for.
  public enum Role: String, CaseIterable, Sendable {
    /// It receives, segments and delivers.
    case all
    /// It receives, and hands over to a head.
    case listener
    /// It takes what listeners hand over, and does everything else.
    case head
  }

  /// Several listeners before one head: whom a listener hands over to, and whom a head takes it from.
  public struct Handover: Decodable, Sendable, Equatable {
    /// The head, at a listener.
    public struct Head: Decodable, Sendable, Equatable {
      /// Of its web server, as `https://head:8042`.
      public var url: String
      /// A file whose first line is our token.
      public var tokenFile: String
      /// Nil for the authorities that the system trusts.
      public var tls: PeerTLS?

      private enum CodingKeys: String, CodingKey, CaseIterable { case url, tokenFile, tls }

      public init(from decoder: any Decoder) throws {
        let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
        url = try values.decode(String.self, forKey: .url)
        tokenFile = try values.decode(String.self, forKey: .tokenFile)
        tls = try values.decodeIfPresent(PeerTLS.self, forKey: .tls)
      }

      /// Makes paths absolute.
      mutating func resolve(_ absolute: (String) -> String) {
        tls?.resolve(absolute)
        tokenFile = absolute(tokenFile)
      }
    }

    /// A listener, at the head.
    public struct Sender: Decodable, Sendable, Equatable {
      public var name: String
      /// As `segmentd config hash-password` prints it.
      public var tokenHash: String
      /// From where; empty for anywhere.
      public var addresses: [String]

      private enum CodingKeys: String, CodingKey, CaseIterable { case name, tokenHash, addresses }

      public init(from decoder: any Decoder) throws {
        let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
        name = try values.decode(String.self, forKey: .name)
        tokenHash = try values.decode(String.self, forKey: .tokenHash)
        addresses = try values.decodeIfPresent([String].self, forKey: .addresses) ?? []
      }
    }

    /// Nil where this is no listener.
    public var to: Head?
    public var from: [Sender] = []
    /// A listener that has said nothing for so long is away: what is on its way there counts as interrupted.
    public var patienceSeconds = 60.0

    private enum CodingKeys: String, CodingKey, CaseIterable { case to, from, patienceSeconds }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      to = try values.decodeIfPresent(Head.self, forKey: .to)
      from = try values.decodeIfPresent([Sender].self, forKey: .from) ?? []
      patienceSeconds =
        try values.decodeIfPresent(Double.self, forKey: .patienceSeconds) ?? patienceSeconds
    }
  }

  /// What the sections of the configuration make of a daemon.
  public var role: Role {
    if handover.to != nil { return .listener }
    return handover.from.isEmpty ? .all : .head
  }
}

extension SiteConfiguration {
  func checkHandover(_ check: ValueCheck) throws(ConfigurationError) {
    guard handover.to == nil || handover.from.isEmpty else {
      throw check.fault("handover: to is of a listener and from of a head; it cannot be both")
    }
    // A listener is heard every two seconds.
    guard (5...86_400).contains(handover.patienceSeconds) else {
      throw check.fault(
        "handover.patienceSeconds: \(handover.patienceSeconds) is not between 5 and 86400")
    }
    if let head = handover.to {
      try check.web(
        head.url, user: nil, passwordFile: nil, tokenFile: head.tokenFile, isPrivate: true,
        "handover.to")
      try check.tls(head.tls, "handover.to.tls", url: head.url)
    }
    try checkSenders(check)
  }

  private func checkSenders(_ check: ValueCheck) throws(ConfigurationError) {
    guard !handover.from.isEmpty else { return }
    guard let web else {
      throw check.fault("handover.from: listeners hand over to the web server; add a section web")
    }
    var names = Set(web.users.map(\.name) + web.tokens.map(\.name))
    var hashes = Set(web.tokens.map(\.tokenHash))
    for sender in handover.from {
      let isPlain = sender.name.utf8.allSatisfy {
        (0x21...0x7E).contains($0) && ![0x3A, 0x5C, 0x2F].contains($0)
      }
      guard (1...16).contains(sender.name.utf8.count), isPlain else {
        throw check.fault(
          "handover.from: \"\(sender.name)\" is not a name of 1 to 16 characters without spaces, :, / "
            + "and \\")
      }
      guard names.insert(sender.name).inserted else {
        throw check.fault("handover.from: the name \"\(sender.name)\" is used twice")
      }
      guard SecretHash(sender.tokenHash) != nil else {
        throw check.fault(
          "handover.from.\(sender.name): not a hash as \"segmentd config hash-password\" prints it")
      }
      // The token says which listener it is.
      guard hashes.insert(sender.tokenHash).inserted else {
        throw check.fault(
          "handover.from.\(sender.name): another listener has the same token; give each its own")
      }
      try check.addressRanges(sender.addresses, "handover.from.\(sender.name).addresses")
    }
  }
}
