import Foundation
import StrictYAML

extension SiteConfiguration {
  /// A receiver of traces, by OTLP over HTTP in its JSON encoding.
  public struct Tracing: Decodable, Sendable, Equatable {
    /// With the path of traces, usually `/v1/traces`.
    public var url: String
    /// A file whose first line is a bearer token.
    public var tokenFile: String?
    /// Nil for the authorities that the system trusts.
    public var tls: PeerTLS?
    /// Seconds for a request.
    public var timeoutSeconds = 10

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case url, tokenFile, tls, timeoutSeconds
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      url = try values.decode(String.self, forKey: .url)
      tokenFile = try values.decodeIfPresent(String.self, forKey: .tokenFile)
      tls = try values.decodeIfPresent(PeerTLS.self, forKey: .tls)
      timeoutSeconds =
        try values.decodeIfPresent(Int.self, forKey: .timeoutSeconds) ?? timeoutSeconds
    }

    /// Makes the paths of files absolute.
    mutating func resolve(_ absolute: (String) -> String) {
      tls?.resolve(absolute)
      tokenFile = tokenFile.map(absolute)
    }

    func check(_ check: ValueCheck) throws(ConfigurationError) {
      try check.web(
        url, user: nil, passwordFile: nil, tokenFile: tokenFile, isPrivate: true, "tracing")
      // The mistake that answers 404.
      guard let path = URL(string: url)?.path, !path.isEmpty, path != "/" else {
        throw check.fault(
          "tracing.url: \"\(url)\" has no path; receivers of OTLP take traces at /v1/traces")
      }
      try check.tls(tls, "tracing.tls", url: url)
      try check.count(timeoutSeconds, "tracing.timeoutSeconds")
    }
  }
}
