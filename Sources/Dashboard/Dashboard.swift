import Explanation
import FileSystem
import Foundation
import HTTPTypes
import Hummingbird
import JobLedger
import Logging
import WebServer

/// Pages for people, and the same for programs: what the daemon does, what waits for a person, and the actions
/// of `segmentd jobs`.
///
/// ```swift
/// let dashboard = try Dashboard(
///   settings, ledger: ledger, state: "/var/lib/segmentd", source: source,
///   authenticator: authenticator, version: "1.0.0", logger: logger)
/// let server = try HTTPServer(
///   configuration, authenticator: authenticator, routes: [dashboard], logger: logger)
/// ```
public struct Dashboard: WebRoutes {
  /// First steps of its paths.
  private static let steps: Set<String> = [
    "", "login", "logout", "static", "events", "studies", "jobs", "queue", "held", "refused",
    "destinations", "models", "rules", "system", "processing", "api",
  ]

  let settings: DashboardSettings
  let ledger: Ledger
  /// The state directory.
  let state: URL
  let source: any DashboardSource
  let authenticator: Authenticator
  let sessions: Sessions
  let renderer: PageRenderer
  let statistics: LedgerStatisticsReader
  let viewer: VolumeViewer
  let patients: PatientIndex
  /// Planes of volumes: someone who turns a wheel over three views stays below it.
  var planes = RequestBudget(burst: 600, perSecond: 120)
  /// Trials of rules read every header of a study.
  var trials = RequestBudget(burst: 6, perSecond: 0.2)
  let trial = OneAtATime()
  let version: String
  let logger: Logger

  /// - Parameters:
  ///   - settings: what is shown, and to whom.
  ///   - ledger: of the daemon.
  ///   - state: the state directory.
  ///   - source: what the ledger does not know.
  ///   - authenticator: knows the users.
  ///   - version: of the program.
  ///   - logger: is told of refusals and of what people did.
  /// - Throws: an error of a template.
  public init(
    _ settings: DashboardSettings, ledger: Ledger, state: String, source: any DashboardSource,
    authenticator: Authenticator, version: String, logger: Logger
  ) throws {
    self.settings = settings
    self.ledger = ledger
    self.state = URL(fileURLWithPath: state)
    self.source = source
    self.authenticator = authenticator
    self.version = version
    self.logger = logger
    sessions = Sessions(idleSeconds: Double(settings.sessionMinutes) * 60)
    renderer = try PageRenderer()
    statistics = LedgerStatisticsReader(ledger)
    viewer = VolumeViewer(state: self.state, ledger: ledger, source: source)
    patients = PatientIndex(ledger, source)
  }

  /// It sees to it itself who is admitted: by sessions.
  public func isOpen(_ path: String) -> Bool { Self.isOwn(path) }

  /// Whether a path is one of the dashboard's.
  public static func isOwn(_ path: String) -> Bool {
    let step = path.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: true).first
    return steps.contains(step.map(String.init) ?? "")
  }

  public func add(to router: Router<WebRequestContext>) {
    let pages = router.group(context: DashboardContext.self)
      .add(
        middleware: VisitorMiddleware(
          settings: settings, sessions: sessions, authenticator: authenticator, logger: logger)
      )
      .add(middleware: FaultMiddleware(logger: logger))
    addFiles(to: pages)
    addLogin(to: pages)
    addPages(to: pages)
    addActions(to: pages)
    addEvents(to: pages)
    addPictures(to: pages)
    addAPI(to: pages)
  }

  private func addFiles(to pages: some RouterMethods<DashboardContext>) {
    let files: [(String, String, [UInt8])] = [
      ("style.css", "text/css; charset=utf-8", PackageResources.style_css),
      ("live.js", "text/javascript; charset=utf-8", PackageResources.live_js),
      ("viewer.js", "text/javascript; charset=utf-8", PackageResources.viewer_js),
    ]
    for (name, type, bytes) in files {
      pages.get("static/\(name)") { _, _ in
        Response(
          status: .ok, headers: [.contentType: type, .cacheControl: "no-cache"],
          body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
      }
    }
  }

  /// What all pages have.
  ///
  /// - Parameters:
  ///   - title: without patient data.
  ///   - request: for the page.
  ///   - context: of the request.
  ///   - heading: above the page, the title where it is nil.
  func frame(
    _ title: String, _ request: Request, _ context: DashboardContext, heading: String? = nil
  ) throws -> PageFrame {
    let visitor = context.visitor
    var selection = JobSelection()
    selection.states = [.held]
    let held = try ledger.jobCount(selection)
    let path = request.uri.path
    // A page that shows itself anew leaves the notices to those that a person opens.
    let links: [(String, String, Int?)] = [
      ("Today", "/", nil), ("Studies", "/studies", nil), ("Queue", "/queue", nil),
      ("Held", "/held", held > 0 ? held : nil), ("Refused", "/refused", nil),
      ("Destinations", "/destinations", nil),
      ("Models", "/models", nil), ("Rules", "/rules", nil), ("System", "/system", nil),
    ]
    return PageFrame(
      title: title, heading: heading ?? title,
      navigation: links.map {
        PageFrame.Link(name: $0, path: $1, isHere: path == $1, count: $2)
      },
      user: visitor.user, role: visitor.role.rawValue,
      hasSession: visitor.sessionIdentifier != nil && settings.proxy == nil,
      canOperate: visitor.isOperator, csrf: visitor.csrfToken, here: path,
      pause: try ledger.processingState().pauseText,
      notices: request.isRenewal
        ? [] : visitor.sessionIdentifier.map { sessions.takeNotices(of: $0) } ?? [],
      version: version)
  }

  /// Whether names of patients and pictures are shown to somebody.
  func showsPatients(to visitor: Visitor) -> Bool {
    settings.showsPatients && visitor.proof != .none
  }
}

/// Errors become answers in words.
struct FaultMiddleware: RouterMiddleware {
  typealias Context = DashboardContext
  let logger: Logger

  func handle(
    _ request: Request, context: DashboardContext,
    next: (Request, DashboardContext) async throws -> Response
  ) async throws -> Response {
    do {
      return try await next(request, context)
    } catch let refusal as DashboardRefusal {
      return .text(refusal.status, refusal.reason)
    } catch let error as LedgerError {
      logger.error("the dashboard cannot read the ledger: \(error)")
      return .text(.serviceUnavailable, "the ledger cannot be read: \(error)")
    }
  }
}

/// Why a request is not answered as it wishes.
struct DashboardRefusal: Error {
  var status: HTTPResponse.Status
  var reason: String

  init(_ status: HTTPResponse.Status, _ reason: String) {
    self.status = status
    self.reason = reason
  }
}
