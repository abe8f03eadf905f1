import Hummingbird
import WebServer

/// Who asks for a page.
struct Visitor: Sendable {
  /// How somebody proved who they are.
  enum Proof: Sendable, Equatable {
    /// By a session's cookie.
    case session(identifier: String, csrfToken: String)
    /// By a token that came with the request itself, which no other site can send along.
    case token
    /// By a password that came with the request itself; browsers send it along with requests of other sites, too.
    case password
    /// Nobody has to, on this machine: such a visitor looks, and sees no patient.
    case none
  }

  var user: String?
  var role: WebRole
  var proof: Proof

  static let anonymous = Visitor(user: nil, role: .viewer, proof: .none)

  var isOperator: Bool { role == .operator }

  var csrfToken: String? {
    if case .session(_, let token) = proof { token } else { nil }
  }

  var sessionIdentifier: String? {
    if case .session(let identifier, _) = proof { identifier } else { nil }
  }
}

/// What is known of a request to the dashboard.
struct DashboardContext: ChildRequestContext {
  var coreContext: CoreRequestContextStorage
  let web: WebRequestContext
  var visitor = Visitor.anonymous

  init(context: WebRequestContext) {
    coreContext = context.coreContext
    web = context
  }
}
