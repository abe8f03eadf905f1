import Foundation
import StrictYAML

extension SiteConfiguration {
  /// The archive that is asked whether a series is complete, and that gives what is missing: a DICOM
  /// application with C-FIND and C-GET or C-MOVE.
  public struct QuerySource: Decodable, Sendable, Equatable {
    /// How instances are retrieved.
    public enum Retrieve: String, Decodable, Sendable, CaseIterable {
      /// C-GET: over the association of the request.
      case get
      /// C-MOVE: the archive sends them to the listener, whose AE title it knows.
      case move
    }

    /// What happens to a series about which the source could not be asked.
    public enum WhenUnreachable: String, Decodable, Sendable, CaseIterable { case hold, process }

    public var aeTitle: String
    public var host: String
    public var port: Int
    public var retrieve = Retrieve.get
    /// By which we call; nil for that of the listener.
    public var callingAETitle: String?
    /// Seconds that a series waits for the source, or for what it lists, before it is held.
    public var patienceSeconds = 900.0
    public var whenUnreachable = WhenUnreachable.hold

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case aeTitle, host, port, retrieve, callingAETitle, patienceSeconds, whenUnreachable
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      aeTitle = try values.decode(String.self, forKey: .aeTitle)
      host = try values.decode(String.self, forKey: .host)
      port = try values.decode(Int.self, forKey: .port)
      retrieve = try values.decodeIfPresent(Retrieve.self, forKey: .retrieve) ?? retrieve
      callingAETitle = try values.decodeIfPresent(String.self, forKey: .callingAETitle)
      patienceSeconds =
        try values.decodeIfPresent(Double.self, forKey: .patienceSeconds) ?? patienceSeconds
      whenUnreachable =
        try values.decodeIfPresent(WhenUnreachable.self, forKey: .whenUnreachable)
        ?? whenUnreachable
    }
  }
}

extension SiteConfiguration {
  func checkQuerySource(_ check: ValueCheck) throws(ConfigurationError) {
    guard let source = querySource else { return }
    try check.aeTitle(source.aeTitle, "querySource.aeTitle")
    try check.port(source.port, "querySource.port")
    if let title = source.callingAETitle { try check.aeTitle(title, "querySource.callingAETitle") }
    guard !source.host.isEmpty else { throw check.fault("querySource.host is empty") }
    guard source.patienceSeconds >= 0, source.patienceSeconds.isFinite else {
      throw check.fault(
        "querySource.patienceSeconds: \(source.patienceSeconds) is not zero or more")
    }
    guard source.retrieve == .get || listener != nil else {
      throw check.fault("querySource.retrieve: move needs a listener, to which the archive sends")
    }
  }
}
