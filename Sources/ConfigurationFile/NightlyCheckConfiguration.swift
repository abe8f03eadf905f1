import StrictYAML

extension SiteConfiguration {
  /// At night each model that rules name is checked with the case that comes with it.
  public struct NightlyCheck: Decodable, Sendable, Equatable {
    /// Of the day, in the machine's time zone.
    public var hour = 2
    /// As whom the daemon calls its own listener, where that has TLS and asks for a certificate; without it
    /// it shows the listener's.
    public var tls: PeerTLS?

    private enum CodingKeys: String, CodingKey, CaseIterable { case hour, tls }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      hour = try values.decodeIfPresent(Int.self, forKey: .hour) ?? hour
      tls = try values.decodeIfPresent(PeerTLS.self, forKey: .tls)
    }
  }
}

extension SiteConfiguration {
  func checkNightlyCheck(_ check: ValueCheck) throws(ConfigurationError) {
    guard let nightlyCheck else { return }
    guard (0...23).contains(nightlyCheck.hour) else {
      throw check.fault("nightlyCheck.hour: \(nightlyCheck.hour) is not between 0 and 23")
    }
    guard !listeners.isEmpty else {
      throw check.fault("nightlyCheck: there is no listener that the case could be sent to")
    }
    guard let tls = nightlyCheck.tls else { return }
    guard checkedListener?.tls != nil else {
      throw check.fault("nightlyCheck.tls: means nothing, as the listener has no tls")
    }
    try check.tls(tls, "nightlyCheck.tls")
  }

  /// The listener that golden checks are sent to: the first that asks for no certificate, else the first.
  public var checkedListener: Listener? {
    listeners.first { $0.tls?.clientCertificates != .require } ?? listeners.first
  }
}
