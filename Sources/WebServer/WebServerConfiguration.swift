import Credentials
import DICOMNetwork

/// Where the server listens, to whom, and what a client may cost.
public struct WebServerConfiguration: Sendable {
  public var address: String
  public var port: Int
  /// Nil for plain HTTP, which is for this machine alone.
  public var security: TransportSecurity?
  public var access = WebAccess()
  public var limits = ConnectionLimits()

  public init(address: String, port: Int, security: TransportSecurity? = nil) {
    self.address = address
    self.port = port
    self.security = security
  }
}

/// What a client may do.
public enum WebRole: String, Sendable, Decodable, CaseIterable, Comparable {
  /// Hands over what it has received, and nothing else.
  case listener
  /// Sends instances and reads metrics.
  case sender
  /// Looks at the pages as well, and sends nothing.
  case viewer
  /// Looks, sends, and changes what becomes of jobs.
  case `operator`

  public static func < (a: WebRole, b: WebRole) -> Bool {
    guard let first = allCases.firstIndex(of: a), let second = allCases.firstIndex(of: b) else {
      return false
    }
    return first < second
  }
}

/// Who may send requests.
public struct WebAccess: Sendable {
  /// Someone with a password or token, and where from.
  public struct Client: Sendable {
    public var credential: Credential
    public var role: WebRole
    /// Empty for anywhere.
    public var addresses: [AddressRange]

    public init(
      credential: Credential, role: WebRole = .sender, addresses: [AddressRange] = []
    ) {
      self.credential = credential
      self.role = role
      self.addresses = addresses
    }
  }

  /// Where requests may come from; empty for anywhere.
  public var addresses: [AddressRange]
  /// With any here, each request has to show the password or token of one.
  public var clients: [Client]
  /// Is told whose request is refused because of who sent it: address, status and reason. Must not block.
  public var onRefusal: @Sendable (String, Int, String) -> Void = { _, _, _ in }

  public init(addresses: [AddressRange] = [], clients: [Client] = []) {
    self.addresses = addresses
    self.clients = clients
  }
}

/// What connections may cost.
///
/// A connection beyond a limit takes the place of one that is idle, where there is one.
public struct ConnectionLimits: Sendable, Equatable {
  public var connections = 64
  /// Of one address.
  public var connectionsPerAddress = 16
  /// Seconds from the connection to the end of the first request's header, TLS handshake included.
  public var headerSeconds = 5
  /// Seconds until a connection without a request is closed.
  public var idleSeconds = 60
  /// Seconds for every 4 KiB of a body that has begun; time in which we do not read does not count.
  public var bodySeconds = 30

  public init() {}
}

/// Why the server cannot run.
public enum WebServerError: Error, Sendable, Equatable, CustomStringConvertible {
  case cannotListen(address: String, port: Int, reason: String)
  case cannotUseTLS(reason: String)

  public var description: String {
    switch self {
    case .cannotListen(let address, let port, let reason):
      "cannot listen for HTTP on \(address):\(port): \(reason)"
    case .cannotUseTLS(let reason): "cannot use TLS for HTTP: \(reason)"
    }
  }
}
