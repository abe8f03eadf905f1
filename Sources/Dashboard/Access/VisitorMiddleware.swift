import Credentials
import DICOMNetwork
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import WebServer

/// Finds out who asks, refuses what no page of ours would send, and sets the fields that keep a browser from
/// doing more with a page than it is for.
struct VisitorMiddleware: RouterMiddleware {
  typealias Context = DashboardContext

  let settings: DashboardSettings
  let sessions: Sessions
  let authenticator: Authenticator
  let logger: Logger

  func handle(
    _ request: Request, context: DashboardContext,
    next: (Request, DashboardContext) async throws -> Response
  ) async throws -> Response {
    var response = try await answer(request, context, next)
    for (name, value) in Self.fields where response.headers[name] == nil {
      response.headers[name] = value
    }
    if settings.isSecure {
      response.headers[.strictTransportSecurity] = "max-age=31536000"
    }
    return response
  }

  private func answer(
    _ request: Request, _ context: DashboardContext,
    _ next: (Request, DashboardContext) async throws -> Response
  ) async throws -> Response {
    guard isOurHost(request) else {
      return refusal(
        .misdirectedRequest, "this is not the server of the host of the request",
        context)
    }
    guard isOfOurPages(request) else {
      return refusal(.forbidden, "the request comes from a page of another server", context)
    }
    switch await visitor(request, context) {
    case .refused(let status, let reason): return refusal(status, reason, context)
    case .nobody:
      guard !authenticator.access.clients.isEmpty else {
        return refusal(.unauthorized, "the proxy has not said whose request this is", context)
      }
      guard Self.isForAll(request.uri.path) else {
        guard request.method == .get, !request.uri.path.hasPrefix("/api/") else {
          return refusal(.unauthorized, "log in first, or send a token", context)
        }
        return .redirect(to: "/login")
      }
      return try await next(request, context)
    case .somebody(let visitor):
      var context = context
      context.visitor = visitor
      var response = try await next(request, context)
      // Of a proxy's user, whose session has begun by this request.
      if let identifier = visitor.sessionIdentifier,
        request.cookies[SessionCookie.name(settings)]?.value != identifier
      {
        response.setCookie(SessionCookie.value(identifier, settings))
      }
      return response
    }
  }

  private enum Answer {
    case somebody(Visitor)
    case nobody
    case refused(HTTPResponse.Status, String)
  }

  private func visitor(_ request: Request, _ context: DashboardContext) async -> Answer {
    if let proxy = settings.proxy,
      proxy.addresses.contains(where: { $0.contains(context.web.address) }),
      let name = HTTPField.Name(proxy.userField), let user = request.headers[name]
    {
      guard let role = proxy.roles[user], role >= .viewer else {
        return .refused(.forbidden, "this user of the proxy is not admitted")
      }
      return .somebody(ofProxy(user, role, request, context))
    }
    if let presented = PresentedCredential(request.headers[.authorization]) {
      return await visitor(presented, context)
    }
    if let identifier = request.cookies[SessionCookie.name(settings)]?.value,
      let session = sessions.session(identifier, isUse: request.isOfPerson)
    {
      return .somebody(
        Visitor(
          user: session.user, role: session.role,
          proof: .session(identifier: identifier, csrfToken: session.csrfToken)))
    }
    return authenticator.access.clients.isEmpty && settings.proxy == nil
      ? .somebody(.anonymous) : .nobody
  }

  /// A proxy's user has a session as well, for the token of its forms.
  private func ofProxy(
    _ user: String, _ role: WebRole, _ request: Request, _ context: DashboardContext
  ) -> Visitor {
    let identifier = request.cookies[SessionCookie.name(settings)]?.value
    if let identifier, let session = sessions.session(identifier, isUse: request.isOfPerson),
      session.user == user
    {
      return Visitor(
        user: user, role: role,
        proof: .session(identifier: identifier, csrfToken: session.csrfToken))
    }
    let new = sessions.begin(user: user, role: role)
    settings.onSession(user, context.web.address, true)
    let token = sessions.session(new)?.csrfToken ?? ""
    return Visitor(user: user, role: role, proof: .session(identifier: new, csrfToken: token))
  }

  private func visitor(
    _ presented: PresentedCredential, _ context: DashboardContext
  ) async -> Answer {
    let proof: Visitor.Proof = if case .token = presented { .token } else { .password }
    switch await authenticator.identify(presented, from: context.web.address) {
    case .admitted(let client) where client.role >= .viewer:
      return .somebody(
        Visitor(user: client.credential.name, role: client.role, proof: proof))
    case .admitted(let client):
      return .refused(.forbidden, "\(client.credential.name) may send, and not look")
    case .elsewhere(let name):
      return .refused(.forbidden, "\(name) is not admitted from this address")
    case .unknown: return .refused(.unauthorized, "wrong user name, password or token")
    case .tooManyFailures:
      return .refused(.tooManyRequests, "too many wrong passwords or tokens from this address")
    }
  }

  private func isOurHost(_ request: Request) -> Bool {
    guard !settings.hosts.isEmpty else { return true }
    guard let authority = request.head.authority?.lowercased() else { return false }
    // A name without port means any: a tunnel has another one than the server.
    let digits = authority.reversed().prefix { $0.isNumber }.count
    let name = authority.dropLast(digits)
    return settings.hosts.contains(authority)
      || digits > 0 && name.last == ":" && settings.hosts.contains(String(name.dropLast()))
  }

  /// Browsers say from where a request comes; whoever says nothing is no browser of today, and has no session
  /// that another site could use, as its cookie is for our own pages only (SameSite).
  private func isOfOurPages(_ request: Request) -> Bool {
    if let origin = request.headers[.origin], let authority = request.head.authority {
      // A proxy may be the one that speaks TLS.
      let schemes = settings.isSecure ? ["https"] : ["http", "https"]
      guard schemes.contains(where: { origin == "\($0)://\(authority)" }) else { return false }
    }
    guard let name = HTTPField.Name("Sec-Fetch-Site"), let site = request.headers[name],
      request.method != .get
    else { return true }
    return ["same-origin", "none"].contains(site)
  }

  /// Login, and what the login page is made of.
  private static func isForAll(_ path: String) -> Bool {
    path == "/login" || path.hasPrefix("/static/")
  }

  private func refusal(
    _ status: HTTPResponse.Status, _ reason: String, _ context: DashboardContext
  ) -> Response {
    authenticator.access.onRefusal(context.web.address, status.code, reason)
    logger.warning(
      "HTTP request refused with \(status.code): \(reason)",
      metadata: ["address": "\(context.web.address)"])
    return .text(status, reason)
  }

  /// No page of ours needs more than its own files.
  private static let fields: [(HTTPField.Name, String)] =
    [
      (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
          + "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
      ),
      ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"),
      ("Referrer-Policy", "same-origin"), ("Cross-Origin-Opener-Policy", "same-origin"),
      ("Cross-Origin-Resource-Policy", "same-origin"), ("Cache-Control", "no-store"),
    ].compactMap { name, value in HTTPField.Name(name).map { ($0, value) } }
}

extension Request {
  /// Whether the page is shown anew by itself.
  var isRenewal: Bool { HTTPField.Name("X-Renewal").map { headers[$0] != nil } ?? false }

  /// Whether somebody has asked for it, and not a page that follows what happens.
  fileprivate var isOfPerson: Bool { !isRenewal && uri.path != "/events" }
}

/// The cookie that has a session's identifier.
enum SessionCookie {
  /// With TLS the prefix keeps other hosts and plain HTTP from setting it (RFC 6265bis 4.1.3).
  static func name(_ settings: DashboardSettings) -> String {
    isSecure(settings) ? "__Host-segmentd" : "segmentd"
  }

  /// A proxy speaks TLS with browsers.
  private static func isSecure(_ settings: DashboardSettings) -> Bool {
    settings.isSecure || settings.proxy != nil
  }

  static func value(_ identifier: String, _ settings: DashboardSettings, lasts: Bool = true)
    -> Cookie
  {
    Cookie(
      name: name(settings), value: identifier, maxAge: lasts ? nil : 0, path: "/",
      secure: isSecure(settings), httpOnly: true, sameSite: .strict)
  }
}
