import Foundation
import StrictYAML

extension SiteConfiguration {
  /// Who is told of what needs a person.
  public struct Notifications: Decodable, Sendable, Equatable {
    public var recipients: [Recipient] = []
    /// What happens within this time is told in one message; what is urgent is told at once.
    public var groupMinutes = 5.0
    /// Messages that a recipient gets in an hour; what is beyond waits for the next one.
    public var perHour = 12
    /// So long deliveries to a destination have to fail until that is told.
    public var destinationMinutes = 15.0
    /// The disk counts as short with less free than this, in GB (10⁹ bytes); nil for five times the reserve.
    public var diskFreeGB: Double?

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case recipients, groupMinutes, perHour, destinationMinutes, diskFreeGB
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      recipients = try values.decodeIfPresent([Recipient].self, forKey: .recipients) ?? []
      groupMinutes =
        try values.decodeIfPresent(Double.self, forKey: .groupMinutes) ?? groupMinutes
      perHour = try values.decodeIfPresent(Int.self, forKey: .perHour) ?? perHour
      destinationMinutes =
        try values.decodeIfPresent(Double.self, forKey: .destinationMinutes) ?? destinationMinutes
      diskFreeGB = try values.decodeIfPresent(Double.self, forKey: .diskFreeGB)
    }
  }
}

extension SiteConfiguration.Notifications {
  /// What a recipient is told of.
  public enum Event: String, YAMLChoice, Sendable {
    /// Studies that need a person, and results that no destination takes.
    case held
    /// Destinations to which deliveries fail for a while, and arrive again.
    case destinations
    /// The disk's free space.
    case disk
    /// Golden checks of models that fail, and pass again.
    case checks
  }

  /// A web service that takes JSON, or people who get an e-mail.
  public struct Recipient: Decodable, Sendable, Equatable {
    public enum Service: Sendable, Equatable {
      case webhook(Webhook)
      case email(Email)
    }

    private enum Kind: String, YAMLChoice { case webhook, email }

    public struct Webhook: Sendable, Equatable {
      public var url: String
      /// A file whose first line is a bearer token.
      public var tokenFile: String?
    }

    public struct Email: Sendable, Equatable {
      /// How the connection is secured.
      public enum Security: String, YAMLChoice, Sendable {
        /// By STARTTLS (RFC 3207), without which nothing is sent.
        case starttls
        /// From the beginning (RFC 8314).
        case tls
        /// Not at all.
        case none
      }

      public var host: String
      public var port: Int
      public var security: Security
      public var user: String?
      /// A file whose first line is the password of `user`.
      public var passwordFile: String?
      public var from: String
      public var to: [String]
    }

    public var name: String
    public var service: Service
    /// Nil for the authorities that the system trusts.
    public var tls: SiteConfiguration.PeerTLS?
    public var events = Event.allCases
    /// Seconds for a message.
    public var timeoutSeconds = 30

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case name, kind, url, tokenFile, host, port, security, user, passwordFile, from, to
      case tls, events, timeoutSeconds
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      name = try values.decode(String.self, forKey: .name)
      let kind = try values.decode(Kind.self, forKey: .kind)
      let others: [CodingKeys] =
        kind == .email
        ? [.url, .tokenFile] : [.host, .port, .security, .user, .passwordFile, .from, .to]
      for key in others where values.contains(key) {
        throw DecodingError.dataCorruptedError(
          forKey: key, in: values, debugDescription: "means nothing with kind: \(kind.rawValue)")
      }
      switch kind {
      case .webhook:
        service = .webhook(
          Webhook(
            url: try values.decode(String.self, forKey: .url),
            tokenFile: try values.decodeIfPresent(String.self, forKey: .tokenFile)))
      case .email:
        let security =
          try values.decodeIfPresent(Email.Security.self, forKey: .security) ?? .starttls
        service = .email(
          Email(
            host: try values.decode(String.self, forKey: .host),
            port: try values.decodeIfPresent(Int.self, forKey: .port) ?? security.port,
            security: security,
            user: try values.decodeIfPresent(String.self, forKey: .user),
            passwordFile: try values.decodeIfPresent(String.self, forKey: .passwordFile),
            from: try values.decode(String.self, forKey: .from),
            to: try values.decode([String].self, forKey: .to)))
      }
      tls = try values.decodeIfPresent(SiteConfiguration.PeerTLS.self, forKey: .tls)
      events = try values.decodeIfPresent([Event].self, forKey: .events) ?? events
      timeoutSeconds =
        try values.decodeIfPresent(Int.self, forKey: .timeoutSeconds) ?? timeoutSeconds
    }

    /// For people.
    public var place: String {
      switch service {
      case .webhook(let web): web.url
      case .email(let email):
        "\(email.to.joined(separator: ", ")) by \(email.host):\(email.port)"
      }
    }

    /// Makes the paths of files absolute.
    mutating func resolve(_ absolute: (String) -> String) {
      tls?.resolve(absolute)
      switch service {
      case .webhook(var web):
        web.tokenFile = web.tokenFile.map(absolute)
        service = .webhook(web)
      case .email(var email):
        email.passwordFile = email.passwordFile.map(absolute)
        service = .email(email)
      }
    }
  }
}

extension SiteConfiguration.Notifications.Recipient.Email.Security {
  /// That is used for it.
  fileprivate var port: Int {
    switch self {
    case .starttls: 587
    case .tls: 465
    case .none: 25
    }
  }
}
