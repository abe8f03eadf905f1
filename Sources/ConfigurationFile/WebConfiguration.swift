import Credentials
import StrictYAML

extension SiteConfiguration {
  /// The HTTP server.
  public struct Web: Decodable, Sendable {
    public var address = "127.0.0.1"
    public var port = 8042
    /// Of the paths of DICOMweb.
    public var prefix = "/dicom-web"
    /// Whether instances are taken by STOW-RS.
    public var stow = false
    /// Whether `/healthz`, `/readyz` and `/metrics` are answered.
    public var monitoring = true
    /// Nil where there are no pages for people.
    public var dashboard: WebDashboard?
    /// Nil for plain HTTP.
    public var tls: TLS?
    /// Addresses that may send requests, or ranges of them in CIDR notation; empty for any.
    public var addresses: [String] = []
    /// Users with a password. With any of these or ``tokens`` each request needs one.
    public var users: [WebUser] = []
    public var tokens: [WebToken] = []
    public var limits = WebLimits()

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case address, port, prefix, stow, monitoring, dashboard, tls, addresses, users, tokens, limits
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      address = try values.decodeIfPresent(String.self, forKey: .address) ?? address
      port = try values.decodeIfPresent(Int.self, forKey: .port) ?? port
      prefix = try values.decodeIfPresent(String.self, forKey: .prefix) ?? prefix
      stow = try values.decodeIfPresent(Bool.self, forKey: .stow) ?? stow
      monitoring = try values.decodeIfPresent(Bool.self, forKey: .monitoring) ?? monitoring
      // "dashboard: true" takes every default.
      if let isOn = try? values.decodeIfPresent(Bool.self, forKey: .dashboard) {
        dashboard = isOn ? WebDashboard() : nil
      } else {
        dashboard = try values.decodeIfPresent(WebDashboard.self, forKey: .dashboard)
      }
      tls = try values.decodeIfPresent(TLS.self, forKey: .tls)
      addresses = try values.decodeIfPresent([String].self, forKey: .addresses) ?? []
      users = try values.decodeIfPresent([WebUser].self, forKey: .users) ?? []
      tokens = try values.decodeIfPresent([WebToken].self, forKey: .tokens) ?? []
      limits = try values.decodeIfPresent(WebLimits.self, forKey: .limits) ?? limits
    }
  }

  /// The pages for people.
  public struct WebDashboard: Decodable, Sendable {
    /// A proxy in front of the server, which knows its users.
    public struct Proxy: Decodable, Sendable {
      /// Where it is; nobody else is believed.
      public var addresses: [String]
      /// The field of the header with the user's name.
      public var userHeader: String
      /// viewer or operator, by user.
      public var roles: [String: String]

      private enum CodingKeys: String, CodingKey, CaseIterable { case addresses, userHeader, roles }

      public init(from decoder: any Decoder) throws {
        let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
        addresses = try values.decode([String].self, forKey: .addresses)
        userHeader = try values.decode(String.self, forKey: .userHeader)
        roles = try values.decode([String: String].self, forKey: .roles)
      }
    }

    /// Names by which browsers reach it, with port where it is in the URL.
    public var hosts: [String] = []
    /// Whether names of patients and pictures are shown to those who have logged in.
    public var showPatients = true
    /// Without a request, until a session is over.
    public var sessionMinutes = 30
    public var proxy: Proxy?

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case hosts, showPatients, sessionMinutes, proxy
    }

    init() {}

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      hosts = try values.decodeIfPresent([String].self, forKey: .hosts) ?? hosts
      showPatients = try values.decodeIfPresent(Bool.self, forKey: .showPatients) ?? showPatients
      sessionMinutes =
        try values.decodeIfPresent(Int.self, forKey: .sessionMinutes) ?? sessionMinutes
      proxy = try values.decodeIfPresent(Proxy.self, forKey: .proxy)
    }
  }

  /// Someone who shows a name and a password (RFC 7617).
  public struct WebUser: Decodable, Sendable {
    public var name: String
    /// As `segmentd config hash-password` prints it.
    public var passwordHash: String
    /// sender, viewer or operator.
    public var role: String
    /// From where; empty for anywhere.
    public var addresses: [String]

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case name, passwordHash, role, addresses
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      name = try values.decode(String.self, forKey: .name)
      passwordHash = try values.decode(String.self, forKey: .passwordHash)
      role = try values.decodeIfPresent(String.self, forKey: .role) ?? "sender"
      addresses = try values.decodeIfPresent([String].self, forKey: .addresses) ?? []
    }
  }

  /// Someone who shows a bearer token (RFC 6750).
  public struct WebToken: Decodable, Sendable {
    /// Who has it, for log and ledger.
    public var name: String
    /// As `segmentd config hash-password` prints it.
    public var tokenHash: String
    /// sender, viewer or operator.
    public var role: String
    /// From where; empty for anywhere.
    public var addresses: [String]

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case name, tokenHash, role, addresses
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      name = try values.decode(String.self, forKey: .name)
      tokenHash = try values.decode(String.self, forKey: .tokenHash)
      role = try values.decodeIfPresent(String.self, forKey: .role) ?? "sender"
      addresses = try values.decodeIfPresent([String].self, forKey: .addresses) ?? []
    }
  }

  /// What clients of the HTTP server may cost.
  public struct WebLimits: Decodable, Sendable {
    public var connections = 64
    public var connectionsPerAddress = 16
    /// Requests at the same time that bring instances.
    public var requests = 32
    /// From the connection to the end of the first request's header.
    public var headerSeconds = 5
    /// Without a request.
    public var idleSeconds = 60
    /// For every 4 KiB of a body that has begun.
    public var bodySeconds = 30
    public var objectSeconds = 900
    /// In GB (10⁹ bytes), as the reserve.
    public var objectGB = 4.0
    /// Nil for 1 GB, or 5 % of the file system where that is less.
    public var diskReserveGB: Double?

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case connections, connectionsPerAddress, requests, headerSeconds, idleSeconds, bodySeconds,
        objectSeconds, objectGB, diskReserveGB
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      func integer(_ key: CodingKeys, _ usual: Int) throws -> Int {
        try values.decodeIfPresent(Int.self, forKey: key) ?? usual
      }
      connections = try integer(.connections, connections)
      connectionsPerAddress = try integer(.connectionsPerAddress, connectionsPerAddress)
      requests = try integer(.requests, requests)
      headerSeconds = try integer(.headerSeconds, headerSeconds)
      idleSeconds = try integer(.idleSeconds, idleSeconds)
      bodySeconds = try integer(.bodySeconds, bodySeconds)
      objectSeconds = try integer(.objectSeconds, objectSeconds)
      objectGB = try values.decodeIfPresent(Double.self, forKey: .objectGB) ?? objectGB
      diskReserveGB = try values.decodeIfPresent(Double.self, forKey: .diskReserveGB)
    }
  }
}
