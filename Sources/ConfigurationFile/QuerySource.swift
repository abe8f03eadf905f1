import Foundation
import StrictYAML

extension SiteConfiguration {
  /// The archive that is asked whether a series is complete, and that gives what is missing.
  public struct QuerySource: Decodable, Sendable, Equatable {
    /// How the archive is asked.
    public enum Service: Sendable, Equatable {
      case dimse(DIMSE)
      case dicomweb(DICOMweb)
    }

    /// A DICOM application with C-FIND and C-GET or C-MOVE.
    public struct DIMSE: Sendable, Equatable {
      public var aeTitle: String
      public var host: String
      public var port: Int
      public var retrieve = Retrieve.get
      /// By which we call; nil for that of the listener.
      public var callingAETitle: String?
    }

    /// A server with QIDO-RS and WADO-RS.
    public struct DICOMweb: Sendable, Equatable {
      public var url: String
      public var user: String?
      /// A file whose first line is the password of `user`.
      public var passwordFile: String?
      /// A file whose first line is a bearer token.
      public var tokenFile: String?
    }

    /// How instances are retrieved from a DICOM application.
    public enum Retrieve: String, YAMLChoice, Sendable {
      /// C-GET: over the association of the request.
      case get
      /// C-MOVE: the archive sends them to the listener, whose AE title it knows.
      case move
    }

    /// What happens to a series about which the source could not be asked.
    public enum WhenUnreachable: String, YAMLChoice, Sendable { case hold, process }

    public var service: Service
    /// Seconds that a series waits for the source, or for what it lists, before it is held.
    public var patienceSeconds = 900.0
    public var whenUnreachable = WhenUnreachable.hold
    /// Nil for plain TCP, or, with `https`, for the authorities that the system trusts.
    public var tls: PeerTLS?

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case aeTitle, host, port, retrieve, callingAETitle
      case url, user, passwordFile, tokenFile
      case patienceSeconds, whenUnreachable, tls
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      let isWeb = values.contains(.url)
      let others: [CodingKeys] =
        isWeb
        ? [.aeTitle, .host, .port, .retrieve, .callingAETitle] : [.user, .passwordFile, .tokenFile]
      for key in others where values.contains(key) {
        throw DecodingError.dataCorruptedError(
          forKey: key, in: values,
          debugDescription: isWeb ? "means nothing with url" : "means nothing without url")
      }
      service =
        isWeb
        ? .dicomweb(
          DICOMweb(
            url: try values.decode(String.self, forKey: .url),
            user: try values.decodeIfPresent(String.self, forKey: .user),
            passwordFile: try values.decodeIfPresent(String.self, forKey: .passwordFile),
            tokenFile: try values.decodeIfPresent(String.self, forKey: .tokenFile)))
        : .dimse(
          DIMSE(
            aeTitle: try values.decode(String.self, forKey: .aeTitle),
            host: try values.decode(String.self, forKey: .host),
            port: try values.decode(Int.self, forKey: .port),
            retrieve: try values.decodeIfPresent(Retrieve.self, forKey: .retrieve) ?? .get,
            callingAETitle: try values.decodeIfPresent(String.self, forKey: .callingAETitle)))
      patienceSeconds =
        try values.decodeIfPresent(Double.self, forKey: .patienceSeconds) ?? patienceSeconds
      whenUnreachable =
        try values.decodeIfPresent(WhenUnreachable.self, forKey: .whenUnreachable)
        ?? whenUnreachable
      tls = try values.decodeIfPresent(PeerTLS.self, forKey: .tls)
    }

    /// The DICOM application, where it is one.
    public var dimse: DIMSE? {
      guard case .dimse(let dimse) = service else { return nil }
      return dimse
    }

    /// Makes the paths of files absolute.
    mutating func resolve(_ absolute: (String) -> String) {
      tls?.resolve(absolute)
      guard case .dicomweb(var web) = service else { return }
      web.passwordFile = web.passwordFile.map(absolute)
      web.tokenFile = web.tokenFile.map(absolute)
      service = .dicomweb(web)
    }
  }
}

extension SiteConfiguration {
  func checkQuerySource(_ check: ValueCheck) throws(ConfigurationError) {
    guard let source = querySource else { return }
    switch source.service {
    case .dimse(let dimse):
      try self.check(dimse, check)
      try check.tls(source.tls, "querySource.tls")
    case .dicomweb(let web):
      try check.web(
        web.url, user: web.user, passwordFile: web.passwordFile, tokenFile: web.tokenFile,
        isPrivate: false, "querySource")
      try check.tls(source.tls, "querySource.tls", url: web.url)
    }
    guard source.patienceSeconds >= 0, source.patienceSeconds.isFinite else {
      throw check.fault(
        "querySource.patienceSeconds: \(source.patienceSeconds) is not zero or more")
    }
  }

  private func check(_ source: QuerySource.DIMSE, _ check: ValueCheck) throws(ConfigurationError) {
    try check.aeTitle(source.aeTitle, "querySource.aeTitle")
    try check.port(source.port, "querySource.port")
    if let title = source.callingAETitle { try check.aeTitle(title, "querySource.callingAETitle") }
    guard !source.host.isEmpty else { throw check.fault("querySource.host is empty") }
    guard source.retrieve == .get || !listeners.isEmpty else {
      throw check.fault("querySource.retrieve: move needs a listener, to which the archive sends")
    }
  }
}
