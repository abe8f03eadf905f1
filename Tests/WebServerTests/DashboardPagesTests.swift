import Clocks
import Credentials
import DICOMNetwork
import FileSystem
import Foundation
import JobLedger
import TestSupport
import Testing
import WebServer

@testable import Dashboard

/// Pages and API over HTTP, without a daemon.
@Suite(.limitedConcurrency) struct DashboardPagesTests {
  private let dashboard: TestedDashboard
  private var ledger: Ledger { dashboard.ledger }
  private var told: TestedDashboard.Told { dashboard.told }

  init() throws { dashboard = try TestedDashboard() }

  private func withDashboard(
    _ settings: DashboardSettings = DashboardSettings(), hasClients: Bool = true,
    _ body: () async throws -> Void
  ) async throws {
    try await dashboard.running(settings, hasClients: hasClients, body)
  }

  private func ask(_ path: String, _ options: String...) async throws -> TestedDashboard.Answer {
    try await dashboard.ask(path, options)
  }

  @Test func headersAllowNoMoreThanPagesNeed() async throws {
    try await withDashboard(hasClients: false) {
      for (path, type) in [("/", "text/html"), ("/static/live.js", "text/javascript")] {
        let answer = try await ask(path)
        #expect(answer.status == 200)
        #expect(answer.field("Content-Type")?.hasPrefix(type) == true)
        let policy = try #require(answer.field("Content-Security-Policy"))
        let rules = policy.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
        #expect(rules.contains("default-src 'none'") && rules.contains("script-src 'self'"))
        #expect(rules.contains("frame-ancestors 'none'") && rules.contains("form-action 'self'"))
        #expect(!policy.contains("unsafe") && !policy.contains("*"))
        #expect(answer.field("X-Content-Type-Options") == "nosniff")
        #expect(answer.field("X-Frame-Options") == "DENY")
        #expect(answer.field("Referrer-Policy") == "same-origin")
      }
      #expect(try await ask("/").field("Cache-Control") == "no-store")
      // Nobody has logged in: no patient.
      #expect(try await !ask("/studies").body.contains("DOE"))
    }
  }

  @Test(arguments: ["127.0.0.0/8", "10.0.0.0/8"]) func theWordOfAProxyCounts(range: String)
    async throws
  {
    let range = try #require(AddressRange(range))
    let isHere = range.contains("127.0.0.1")
    var settings = DashboardSettings()
    settings.proxy = .init(
      addresses: [range], userField: "X-Remote-User", roles: ["olga": .operator])
    try await withDashboard(settings, hasClients: false) {
      let known = try await ask("/studies", "-H", "X-Remote-User: olga")
      #expect(known.status == (isHere ? 200 : 401))
      #expect(known.body.contains("DOE") == isHere)
      #expect(known.cookie.hasPrefix("__Host-segmentd=") == isHere)
      let unknown = try await ask("/studies", "-H", "X-Remote-User: eve")
      #expect(unknown.status == (isHere ? 403 : 401))
      #expect(try await ask("/studies").status == 401)
      #expect(told.all == (isHere ? ["olga 127.0.0.1 begins"] : []))
    }
  }

  @Test(arguments: [true, false]) func patientsAreShownWhereThatIsConfigured(shows: Bool)
    async throws
  {
    var settings = DashboardSettings()
    settings.showsPatients = shows
    try await withDashboard(settings) {
      for path in ["/", "/studies", "/studies/1.2"] {
        let page = try await ask(path, "-H", "Authorization: Bearer reader")
        #expect(page.status == 200 && page.body.contains("1.2"))
        #expect(page.body.contains("DOE^JANE") == shows, "\(path)")
        #expect(!page.body.prefix(500).contains("DOE"), "in the title")
      }
    }
  }

  @Test func tokensUseTheAPIByTheirRoles() async throws {
    try await withDashboard {
      let reader = "Authorization: Bearer reader"
      #expect(try await ask("/api/v1/studies").status == 401)
      #expect(try await ask("/api/v1/studies", "-H", "Authorization: Bearer eve").status == 401)
      let studies = try await ask("/api/v1/studies", "-H", reader)
      #expect(studies.status == 200 && studies.body.contains(#""studyInstanceUID":"1.2""#))
      let json = ["-H", "Content-Type: application/json", "-d", #"{"reason": "new disk"}"#]
      let pause = "/api/v1/processing/pause"
      #expect(try await ask(pause, "-H", reader, json[0], json[1], json[2], json[3]).status == 403)
      #expect(try ledger.processingState().mode == .active)
      let paused = try await ask(
        pause, "-H", "Authorization: Bearer script", json[0], json[1], json[2], json[3])
      #expect(paused.status == 200)
      let state = try ledger.processingState()
      #expect(state.changedBy == "script" && state.reason == "new disk")
      for (path, text) in [
        ("system", #""memoryBytes":{"daemon":1500000000}"#), ("models", #""quality":[]"#),
        ("destinations", "[]"), ("rules", #""model":"liver""#), ("associations", "[]"),
        ("studies/1.2/rules", #"{"trial":"selected"}"#),
      ] {
        let answer = try await ask("/api/v1/\(path)", "-H", reader)
        #expect(answer.status == 200 && answer.body.contains(text), "\(answer.body)")
      }
      #expect(try await ask("/rules", "-H", reader).body.contains("modality: &lt;CT&gt;<br>"))
    }
  }

  /// What was preferred can be put back among the others.
  @Test func aPriorityIsGivenAndTakenBack() async throws {
    let due = try #require(try ledger.seriesDue(quietPeriod: -1).first)
    try ledger.assembleSeries(due, jobs: [NewJob(model: "liver")])
    let id = try #require(try ledger.jobs().first?.id)
    try await withDashboard {
      let login = try await ask("/login", "-d", "user=olga&password=olga")
      func page() async throws -> String { try await ask("/queue", "-b", login.cookie).body }
      func act(_ priority: String) async throws -> Int {
        let token = try #require(
          try await page().firstMatch(of: /name="csrf" value="([0-9a-f]+)"/)?.output.1)
        return try await ask(
          "/jobs/\(id)/prioritize", "-b", login.cookie, "-d", "csrf=\(token)&page=/queue\(priority)"
        ).status
      }
      let before = try await page()
      #expect(before.contains(">Prioritise<") && !before.contains(">Normal priority<"))
      #expect(try await act("") == 303)
      #expect(try ledger.job(id).job.priority == 10)
      let preferred = try await page()
      #expect(!preferred.contains(">Prioritise<") && preferred.contains(">Normal priority<"))
      #expect(preferred.components(separatedBy: #"name="priority" value="0""#).count == 2)
      #expect(try await act("&priority=0") == 303)
      #expect(try ledger.job(id).job.priority == 0)
    }
  }

  /// Whoever decides about a suspect result sees it, and what to do; nothing of it is in the ledger.
  @Test func aSuspectResultIsShown() async throws {
    let due = try #require(try ledger.seriesDue(quietPeriod: -1).first)
    try ledger.assembleSeries(due, jobs: [NewJob(model: "liver")])
    let id = try #require(try ledger.claimJob()?.id)
    let files = dashboard.folder.url.appendingPathComponent("results/\(id)")
    try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
    try Data("picture".utf8).write(to: files.appendingPathComponent("contours.png"))
    try Data("object".utf8).write(to: files.appendingPathComponent("segmentation.dcm"))
    try ledger.holdJob(id, reason: "suspect: dark <liver>")
    try await withDashboard {
      let reader = "Authorization: Bearer reader"
      let page = try await ask("/studies/1.2", "-H", reader).body
      #expect(page.contains("href=\"/rules?uid=1.2\""))
      #expect(page.contains("suspect: dark &lt;liver&gt;"))
      #expect(page.contains("What to do:</strong> Look at its picture and its slices"))
      #expect(page.contains("segmentd jobs release <span class=\"whole\">--job</span> \(id),"))
      #expect(page.contains("/jobs/\(id)/pictures/1\"") && page.contains("/jobs/\(id)/viewer\""))
      #expect(try await ask("/studies", "-H", reader).body.contains("/jobs/\(id)/pictures/1\""))
      let picture = try await ask("/jobs/\(id)/pictures/1", "-H", reader)
      #expect(picture.body == "picture" && picture.field("Content-Type") == "image/png")
      #expect(try await ask("/jobs/\(id)/pictures/2", "-H", reader).status == 404)
      // It is no object of DICOM, which only the viewer's attempt to read it can say.
      #expect(try await ask("/jobs/\(id)/objects/0", "-H", reader).status == 409)
      #expect(try await ask("/jobs/\(id)/objects/1", "-H", reader).status == 404)
      let held = try await ask("/api/v1/jobs?state=held", "-H", reader).body
      #expect(held.contains(#""advice":"Look at its picture"#), "\(held)")
      let reasons = try await ask("/held/reasons", "-H", reader).body
      #expect(reasons.contains(">unevenSpacing<") && reasons.contains("segmentd jobs retry"))
      #expect(!reasons.contains("&lt;doc:") && !reasons.contains("`"))
    }
    // What failed otherwise left files that were proved by nothing.
    var job = JobSelection()
    job.jobs = [id]
    _ = try ledger.apply(.retry, to: job)
    _ = try #require(try ledger.claimJob())
    try ledger.holdJob(id, reason: "proof failed: 2 voxels differ")
    let shown = ShownResult(try ledger.job(id).job, in: dashboard.folder.url)
    #expect(shown.pictures.isEmpty && shown.segmentations.isEmpty)
  }

  /// A head shows its listeners, also one that never came.
  @Test func listenersOfAHeadAreShown() async throws {
    let sender = HandoverSender(name: "ward-<1>", run: "r")
    let backlog = HandoverBacklog(
      waiting: 17, oldestAt: Date(timeIntervalSinceNow: -60), series: ["1.2.3"])
    try ledger.record(backlog, of: sender)
    var settings = DashboardSettings()
    settings.listeners = ["ward-<1>", "ward-2"]
    settings.nightlyCheckHour = 3
    try await withDashboard(settings, hasClients: false) {
      let page = try await ask("/system").body
      #expect(page.contains("ward-&lt;1&gt;") && page.contains(">heard</span>"))
      #expect(page.contains(">17</td>") && page.contains("it has handed over nothing yet"))
      #expect(page.contains("Each night from 3:00"))
    }
    #expect(try ledger.markAwayListeners(patience: -1) == ["ward-<1>"])
    let away = ListenerView.all(["ward-<1>"], try ledger.listeners())
    #expect(away.map(\.state) == ["away"] && away.first?.awaySince != nil)
  }

  @Test func sessionsAreTold() async throws {
    try await withDashboard {
      #expect(try await ask("/login", "-d", "user=olga&password=wrong").status == 403)
      let login = try await ask("/login", "-d", "user=olga&password=olga")
      #expect(login.status == 303 && told.all == ["olga 127.0.0.1 begins"])
      let page = try await ask("/", "-b", login.cookie)
      let token = try #require(
        page.body.firstMatch(of: /name="csrf" value="([0-9a-f]+)"/)?.output.1)
      #expect(try await ask("/logout", "-b", login.cookie, "-d", "csrf=x").status == 403)
      #expect(told.all.count == 1)
      let logout = try await ask("/logout", "-b", login.cookie, "-d", "csrf=\(token)")
      #expect(logout.status == 303)
      #expect(told.all == ["olga 127.0.0.1 begins", "olga 127.0.0.1 ends"])
      // The session is over: the page of a browser is told so.
      #expect(try await ask("/", "-b", login.cookie).field("Location") == "/login")
      #expect(try await ask("/events", "-b", login.cookie).field("Location") == "/login")
    }
  }

  @Test(arguments: ["/rules?uid=1.2", "/jobs/1/objects/0/labels/0/1"])
  func tooManyCostlyRequestsAreRefused(path: String) async throws {
    var dashboard = dashboard
    // However long a request takes.
    let start = SteadyTime.now
    dashboard.budget = RequestBudget(burst: 3, perSecond: 1) { start }
    // There is no job 1, so that those that are admitted find none.
    let admitted = path.hasPrefix("/rules") ? 200 : 404
    try await dashboard.running {
      for status in [admitted, admitted, admitted, 429, 429] {
        let answer = try await dashboard.ask(path, "-H", "Authorization: Bearer reader")
        #expect(answer.status == status)
      }
      // Another visitor has a budget of its own.
      let other = try await dashboard.ask(path, "-H", "Authorization: Bearer script")
      #expect(other.status == admitted)
    }
  }

  @Test(arguments: [true, false]) func sendersThatWereNotAdmittedAreShown(isKept: Bool) async throws
  {
    var dashboard = dashboard
    dashboard.source.refusedSenders =
      isKept
      ? [
        DashboardRefusedSender(
          name: "<b>EVE</b>", address: "10.0.0.66", reason: "association rejected", lastAt: Date(),
          count: 17)
      ] : nil
    try await dashboard.running(hasClients: false) {
      let page = try await dashboard.ask("/refused").body
      #expect(page.contains("&lt;b&gt;EVE&lt;/b&gt;, 10.0.0.66") == isKept)
      #expect(page.contains("No audit log is kept") == !isKept && !page.contains("<b>EVE"))
    }
  }

  /// What a page asks for by itself is no use of a session; a test with a clock is in SessionsTests.
  @Test func renewalsLeaveNoticesAndAreAnswered() async throws {
    try await withDashboard {
      let login = try await ask("/login", "-d", "user=olga&password=olga")
      let page = try await ask("/queue", "-b", login.cookie)
      let token = try #require(
        page.body.firstMatch(of: /name="csrf" value="([0-9a-f]+)"/)?.output.1)
      let pause = try await ask("/processing/pause", "-b", login.cookie, "-d", "csrf=\(token)")
      #expect(pause.status == 303)
      let renewed = try await ask("/queue", "-b", login.cookie, "-H", "X-Renewal: 1")
      #expect(renewed.status == 200 && !renewed.body.contains("class=\"notice\""))
      let shown = try await ask("/queue", "-b", login.cookie)
      #expect(shown.body.contains("class=\"notice\""))
    }
  }

  @Test func listsSayThatThereIsMore() async throws {
    for number in 0..<101 {
      var refusal = RefusedInstance(reason: "x", source: .listener)
      refusal.sopInstanceUID = "1.2.9.\(number)"
      try ledger.recordRefusal(refusal)
    }
    try await withDashboard(hasClients: false) {
      #expect(try await ask("/refused").body.contains("100 of 101;"))
      #expect(try await !ask("/").body.contains("These are the last"))
      let system = try await ask("/system").body
      #expect(system.contains("Memory (daemon)") && system.contains("1.5 GB"))
      #expect(system.contains("Last hour") && system.contains("Last 24 hours"))
    }
  }

  /// The API's document has each route, and no other.
  @Test func theDocumentOfTheAPIIsComplete() throws {
    func text(_ name: String) throws -> String {
      try TextFile.read(
        TestFiles.package.appendingPathComponent("Sources/Dashboard/\(name)").path)
    }
    let routes = try text("API/API.swift").matches(of: /api\.(get|post)\("([^"]+)"\)/).map {
      match in
      let steps = match.output.2.split(separator: "/").map { step in
        step.hasPrefix(":") ? "{\(step.dropFirst())}" : String(step)
      }
      return "\(match.output.1) /api/v1/\(steps.joined(separator: "/"))"
    }
    struct Document: Decodable {
      struct Operation: Decodable { var operationId: String }
      var paths: [String: [String: Operation]]
    }
    let document = try JSONDecoder().decode(
      Document.self, from: Data(try text("Files/openapi.json").utf8))
    let documented = document.paths.flatMap { path, operations in
      operations.keys.map { "\($0) \(path)" }
    }
    #expect(routes.count > 16 && Set(routes) == Set(documented))
    let names = document.paths.values.flatMap { $0.values.map(\.operationId) }
    #expect(Set(names).count == names.count)
  }
}
