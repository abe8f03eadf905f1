import Foundation
import HTTPTypes
import Hummingbird
import WebServer

extension Dashboard {
  /// The page on which users log in, and the end of their sessions.
  func addLogin(to pages: some RouterMethods<DashboardContext>) {
    pages.get("login") { _, context -> Response in
      // A proxy knows its users; where there are none, nobody logs in.
      guard !authenticator.access.clients.isEmpty, context.visitor.proof == .none else {
        return .redirect(to: "/")
      }
      return renderer.response("login", LoginPage(fault: nil))
    }
    pages.post("login") { request, context in try await logIn(request, context) }
    pages.post("logout") { request, context in
      _ = try await form(request, context)
      endSession(context)
      var response = Response.redirect(to: "/login")
      response.setCookie(SessionCookie.value("-", settings, lasts: false))
      return response
    }
  }

  /// Ends the session of a request, if it has one.
  private func endSession(_ context: DashboardContext) {
    guard let identifier = context.visitor.sessionIdentifier else { return }
    sessions.end(identifier)
    guard let user = context.visitor.user else { return }
    settings.onSession(user, context.web.address, false)
    logger.notice(
      "logged out", metadata: ["user": "\(user)", "address": "\(context.web.address)"])
  }

  private struct LoginPage {
    var fault: String?
  }

  private func logIn(_ request: Request, _ context: DashboardContext) async throws -> Response {
    let values = try await fields(of: request)
    let answer = await authenticator.identify(
      .password(user: values["user"] ?? "", values["password"] ?? ""), from: context.web.address)
    let fault: String
    switch answer {
    case .admitted(let client) where client.role >= .viewer:
      // A session that somebody else may have begun in this browser ends: its identifier is never taken over.
      endSession(context)
      let identifier = sessions.begin(user: client.credential.name, role: client.role)
      settings.onSession(client.credential.name, context.web.address, true)
      logger.notice(
        "logged in",
        metadata: ["user": "\(client.credential.name)", "address": "\(context.web.address)"])
      var response = Response.redirect(to: "/")
      response.setCookie(SessionCookie.value(identifier, settings))
      return response
    case .admitted: fault = "This user may send images, and not look at pages."
    case .elsewhere: fault = "This user is not admitted from here."
    case .unknown: fault = "Wrong user name or password."
    case .tooManyFailures: fault = "Too many wrong passwords from here: try again in a minute."
    }
    logger.warning("login failed", metadata: ["address": "\(context.web.address)"])
    let status: HTTPResponse.Status =
      if case .tooManyFailures = answer { .tooManyRequests } else { .forbidden }
    authenticator.access.onRefusal(context.web.address, status.code, "login failed")
    return renderer.response("login", LoginPage(fault: fault), status: status)
  }

  /// The fields of a form that came from one of our pages.
  ///
  /// - Throws: ``DashboardRefusal`` where it did not: another site may have made the browser send it.
  func form(_ request: Request, _ context: DashboardContext) async throws -> [String: String] {
    let values = try await fields(of: request)
    // No form of another site has a body of JSON.
    let isJSON = request.headers[.contentType]?.hasPrefix("application/json") == true
    if context.visitor.proof == .token || context.visitor.proof == .password && isJSON {
      return values
    }
    let token = HTTPField.Name("X-CSRF-Token").flatMap { request.headers[$0] } ?? values["csrf"]
    guard let expected = context.visitor.csrfToken, token == expected else {
      throw DashboardRefusal(.forbidden, "the form is not of this session: load the page again")
    }
    return values
  }

  /// - Throws: ``DashboardRefusal`` where there is too much of it, or it is no form.
  private func fields(of request: Request) async throws -> [String: String] {
    let body: ByteBuffer
    do {
      body = try await request.body.collect(upTo: 64 << 10)
    } catch {
      throw DashboardRefusal(.contentTooLarge, "the form is too large")
    }
    guard body.readableBytes > 0 else { return [:] }
    do {
      let text = String(buffer: body)
      if request.headers[.contentType]?.hasPrefix("application/json") == true {
        return try JSONDecoder().decode([String: FieldValue].self, from: Data(text.utf8))
          .mapValues(\.text)
      }
      return try URLEncodedFormDecoder().decode([String: String].self, from: text)
    } catch {
      throw DashboardRefusal(.badRequest, "the form cannot be read")
    }
  }

  /// A text or a number.
  private struct FieldValue: Decodable {
    var text: String

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      text = try (try? container.decode(Int.self)).map { "\($0)" } ?? container.decode(String.self)
    }
  }
}
