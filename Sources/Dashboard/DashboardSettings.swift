import DICOMNetwork
import Explanation
import WebServer

/// What the pages show, and to whom.
public struct DashboardSettings: Sendable {
  /// Takes the word of a proxy in front of the server for who its user is.
  public struct Proxy: Sendable {
    /// Where the proxy's requests come from; nobody else is believed.
    public var addresses: [AddressRange]
    /// The field of the header with the user's name.
    public var userField: String
    /// What each user may do; others are not admitted.
    public var roles: [String: WebRole]

    public init(addresses: [AddressRange], userField: String, roles: [String: WebRole]) {
      self.addresses = addresses
      self.userField = userField
      self.roles = roles
    }
  }

  /// Names in URLs by which the server is reached; one without port means any. Requests for other hosts are
  /// refused: a page of somebody else whose name leads here could read along (DNS rebinding). Empty for any.
  public var hosts: Set<String> = []
  /// Whether requests come over TLS only.
  public var isSecure = false
  /// Whether names of patients and pictures are shown to those who have logged in.
  public var showsPatients = true
  /// Minutes without a request after which a session is over; after twelve hours it is in any case.
  public var sessionMinutes = 30
  public var proxy: Proxy?
  /// Of the configuration, for what a study waits for.
  public var waiting = WaitingTimes(quietPeriod: 30, patience: nil)
  /// Names of the destinations, in the configuration's order.
  public var destinations: [String] = []
  /// The hour of the day at which models are checked by their golden cases; nil where that is not done by itself.
  public var nightlyCheckHour: Int?
  /// Names of the listeners that hand over to this head, in the configuration's order.
  public var listeners: [String] = []

  /// Is told of each session of a person, with the user's name and the address, as it begins (true) and as it ends
  /// by logging out or by another login.
  public var onSession: @Sendable (_ user: String, _ address: String, _ begins: Bool) -> Void = {
    _, _, _ in
  }

  public init() {}
}
