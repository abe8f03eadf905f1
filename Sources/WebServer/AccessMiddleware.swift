import Credentials
import DICOMNetwork
import Foundation
import HTTPTypes
import Hummingbird
import Logging

/// Lets no request through that is not admitted: by address, and by password or token where these are
/// demanded and the path is not open to all. Who may only look sends nothing.
struct AccessMiddleware: RouterMiddleware {
  private let authenticator: Authenticator
  private let logger: Logger
  private let isOpen: @Sendable (String) -> Bool

  init(
    _ authenticator: Authenticator, logger: Logger, isOpen: @escaping @Sendable (String) -> Bool
  ) {
    self.authenticator = authenticator
    self.logger = logger
    self.isOpen = isOpen
  }

  func handle(
    _ request: Request, context: WebRequestContext,
    next: (Request, WebRequestContext) async throws -> Response
  ) async throws -> Response {
    let access = authenticator.access
    guard access.addresses.isEmpty || access.addresses.contains(where: context.isWithin) else {
      return refusal(.forbidden, "this address is not admitted", context)
    }
    guard !access.clients.isEmpty, !isOpen(request.uri.path) else {
      return try await next(request, context)
    }
    guard let presented = PresentedCredential(request.headers[.authorization]) else {
      return refusal(
        .unauthorized, "a user name with its password, or a token, is needed", context, challenges)
    }
    switch await authenticator.identify(presented, from: context.address) {
    case .tooManyFailures:
      return refusal(
        .tooManyRequests, "too many wrong passwords or tokens from this address", context,
        [.retryAfter: "\(Int(CredentialCheck.failureWindow))"])
    case .unknown:
      return refusal(.unauthorized, "wrong user name, password or token", context, challenges)
    case .elsewhere(let name):
      return refusal(.forbidden, "\(name) is not admitted from this address", context)
    case .admitted(let client):
      guard client.role != .viewer || [.get, .head].contains(request.method) else {
        return refusal(.forbidden, "\(client.credential.name) may only look", context)
      }
      guard client.role != .listener || UploadRoute.isOfListeners(request.uri.path) else {
        return refusal(.forbidden, "\(client.credential.name) may only hand over", context)
      }
      var context = context
      context.client = client.credential.name
      context.role = client.role
      return try await next(request, context)
    }
  }

  private var challenges: HTTPFields {
    var fields = HTTPFields()
    fields.append(
      HTTPField(name: .wwwAuthenticate, value: #"Basic realm="segmentd", charset="UTF-8""#))
    fields.append(HTTPField(name: .wwwAuthenticate, value: #"Bearer realm="segmentd""#))
    return fields
  }

  private func refusal(
    _ status: HTTPResponse.Status, _ reason: String, _ context: WebRequestContext,
    _ fields: HTTPFields = [:]
  ) -> Response {
    authenticator.access.onRefusal(context.address, status.code, reason)
    logger.warning(
      "HTTP request refused with \(status.code): \(reason)",
      metadata: ["address": "\(context.address)"])
    return .text(status, reason, fields)
  }
}

extension WebRequestContext {
  fileprivate func isWithin(_ range: AddressRange) -> Bool { range.contains(address) }
}

extension PresentedCredential {
  /// Reads a field `Authorization` (RFC 7617, RFC 6750); nil where it has neither form.
  public init?(_ field: String?) {
    let parts = (field ?? "").split(separator: " ", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { return nil }
    let value = parts[1].trimmingCharacters(in: .whitespaces)
    switch parts[0].lowercased() {
    case "basic":
      guard let data = Data(base64Encoded: value), let text = String(data: data, encoding: .utf8),
        let colon = text.firstIndex(of: ":")
      else { return nil }
      self = .password(user: String(text[..<colon]), String(text[text.index(after: colon)...]))
    case "bearer" where !value.isEmpty: self = .token(value)
    default: return nil
    }
  }
}
