import WebClient

/// Posts each message as JSON to a web service.
public struct WebhookChannel: NotificationChannel {
  public var service: JSONService

  public init(
    url: String, tokenFile: String? = nil, tls: ServiceTLS? = nil, timeoutSeconds: Int
  ) {
    service = JSONService(
      url: url, tokenFile: tokenFile, tls: tls, timeoutSeconds: timeoutSeconds)
  }

  /// Without path and query, which may be a secret.
  var place: String { service.place }

  public func send(_ message: NotificationMessage) async throws {
    let status = try await service.post(try message.json)
    guard (200..<300).contains(status) else {
      throw ServiceError.refused(place: place, code: status, reason: "")
    }
  }

  /// By HEAD, which posts nothing; a service that knows POST alone answers that it does not know HEAD.
  public func check() async throws -> String {
    let status = try await service.head()
    guard ![401, 403].contains(status), status < 500 else {
      throw ServiceError.refused(place: place, code: status, reason: "")
    }
    return "\(place) answers"
  }
}
