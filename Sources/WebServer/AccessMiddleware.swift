import Credentials
import DICOMNetwork
import Dispatch
import Foundation
import HTTPTypes
import Hummingbird
import Logging

/// Lets no request through that is not admitted: by address, and by password or token where these are
/// demanded and the path is not open to all.
struct AccessMiddleware: RouterMiddleware {
  private let access: WebAccess
  private let check: CredentialCheck
  private let openPaths: Set<String>
  private let logger: Logger

  init(_ access: WebAccess, openPaths: Set<String>, logger: Logger) {
    self.access = access
    self.openPaths = openPaths
    self.logger = logger
    check = CredentialCheck(access.clients.map(\.credential))
  }

  func handle(
    _ request: Request, context: WebRequestContext,
    next: (Request, WebRequestContext) async throws -> Response
  ) async throws -> Response {
    guard access.addresses.isEmpty || access.addresses.contains(where: context.isWithin) else {
      return refusal(.forbidden, "this address is not admitted", context)
    }
    guard !access.clients.isEmpty, !openPaths.contains(request.uri.path) else {
      return try await next(request, context)
    }
    guard let presented = PresentedCredential(request.headers[.authorization]) else {
      return refusal(
        .unauthorized, "a user name with its password, or a token, is needed", context, challenges)
    }
    let address = context.address
    let answer = await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(returning: check.check(presented, from: address))
      }
    }
    switch answer {
    case .tooManyFailures:
      return refusal(
        .tooManyRequests, "too many wrong passwords or tokens from this address", context,
        [.retryAfter: "\(Int(CredentialCheck.failureWindow))"])
    case .unknown:
      return refusal(.unauthorized, "wrong user name, password or token", context, challenges)
    case .known(let credential):
      let clients = access.clients.filter { $0.credential == credential }
      guard
        clients.contains(where: {
          $0.addresses.isEmpty || $0.addresses.contains(where: context.isWithin)
        })
      else {
        return refusal(.forbidden, "\(credential.name) is not admitted from this address", context)
      }
      var context = context
      context.client = credential.name
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
  init?(_ field: String?) {
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
