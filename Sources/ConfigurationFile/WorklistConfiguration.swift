import StrictYAML

extension SiteConfiguration {
  /// A worklist server whose workitems are performed, by UPS-RS (PS3.18 11).
  public struct Worklist: Decodable, Sendable, Equatable {
    public var url: String
    public var user: String?
    /// A file whose first line is the password of `user`.
    public var passwordFile: String?
    /// A file whose first line is a bearer token.
    public var tokenFile: String?
    /// Nil for the authorities that the system trusts.
    public var tls: PeerTLS?
    /// Code Value of Scheduled Station Name Code Sequence (0040,4025); nil to take every workitem.
    public var station: String?
    public var intervalSeconds = 30.0
    /// So long a workitem waits for its inputs, before it is cancelled.
    public var patienceSeconds = 900.0

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case url, user, passwordFile, tokenFile, tls, station, intervalSeconds, patienceSeconds
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      url = try values.decode(String.self, forKey: .url)
      user = try values.decodeIfPresent(String.self, forKey: .user)
      passwordFile = try values.decodeIfPresent(String.self, forKey: .passwordFile)
      tokenFile = try values.decodeIfPresent(String.self, forKey: .tokenFile)
      tls = try values.decodeIfPresent(PeerTLS.self, forKey: .tls)
      station = try values.decodeIfPresent(String.self, forKey: .station)
      intervalSeconds =
        try values.decodeIfPresent(Double.self, forKey: .intervalSeconds) ?? intervalSeconds
      patienceSeconds =
        try values.decodeIfPresent(Double.self, forKey: .patienceSeconds) ?? patienceSeconds
    }

    /// Makes the paths of files absolute.
    mutating func resolve(_ absolute: (String) -> String) {
      tls?.resolve(absolute)
      passwordFile = passwordFile.map(absolute)
      tokenFile = tokenFile.map(absolute)
    }
  }
}

extension SiteConfiguration {
  func checkWorklist(_ check: ValueCheck) throws(ConfigurationError) {
    guard let worklist else { return }
    try check.web(
      worklist.url, user: worklist.user, passwordFile: worklist.passwordFile,
      tokenFile: worklist.tokenFile, isPrivate: true, "worklist")
    try check.tls(worklist.tls, "worklist.tls", url: worklist.url)
    if let station = worklist.station, station.isEmpty || station.utf8.count > 16 {
      throw check.fault("worklist.station: \"\(station)\" has not 1 to 16 characters")
    }
    guard (1...86_400).contains(worklist.intervalSeconds) else {
      throw check.fault(
        "worklist.intervalSeconds: \(worklist.intervalSeconds) is not between 1 and 86400")
    }
    guard worklist.patienceSeconds >= 0, worklist.patienceSeconds.isFinite else {
      throw check.fault(
        "worklist.patienceSeconds: \(worklist.patienceSeconds) is not zero or more")
    }
  }
}
