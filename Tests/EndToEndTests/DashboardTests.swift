import Foundation
import TestSupport
import Testing

/// The dashboard in a real browser, and under requests that no browser sends.
@Suite(.serialized, .limitedConcurrency) struct DashboardTests {
  private static let password = "correct horse"

  /// What the browser saw; see `dashboard_browser.py`.
  private struct Seen: Decodable {
    struct Overlay: Decodable {
      var pixels: Int
      var labelled: Int
      var wrong: Int
    }
    var console: [String]
    var dialogs: Int
    var axe: [String]
    var titles: [String]
    var states: [String]
    var sameDocument: Bool
    var patient: String
    var picture: Int
    var story: Int
    var notice: String
    var overlay: Overlay
    /// Whether a turn of the wheel went back to the slice before.
    var turned: Bool
    /// Measurements beside the slices.
    var measured: Int
    var trial: String
    var viewerButtons: Int
    var viewerPost: Int
    var wide: Int
    /// Numbers in tables on a phone, with and without what they are.
    var named: Int
    var unnamed: Int
  }

  /// - Parameter headerSeconds: so far from what a browser takes on a busy machine where nobody is to be slow.
  private static func daemon(headerSeconds: Int = 900) async throws -> WebStore {
    let hash = try await runProcess(
      "/bin/bash", ["-c", "echo '\(password)' | \(segmentdBinary) config hash-password"]
    ).output.trimmingCharacters(in: .newlines)
    return try WebStore(
      """
      , dashboard: true, limits: {headerSeconds: \(headerSeconds), connectionsPerAddress: 40}, users: [
          {name: olga, passwordHash: "\(hash)", role: operator},
          {name: vera, passwordHash: "\(hash)", role: viewer}]
      """, hasDestination: true)
  }

  @Test func aStudyIsFollowedInABrowser() async throws {
    let web = try await Self.daemon()
    let files = try await web.series(slices: 12)
    let name = "<script>alert(1)</script>^Eve"
    let change = """
      import pydicom, sys
      for path in sys.argv[2:]:
          dataset = pydicom.dcmread(path); dataset.PatientName = sys.argv[1]; dataset.save_as(path)
      """
    let changed = try await runProcess(testPython, ["-c", change, name] + files.map(\.path))
    #expect(changed.status == 0, "\(changed.output)")
    let daemon = try await web.start()
    let folder = web.setup.folder.url
    #expect(try await segmentd("pause", "--config", web.setup.configuration).status == 0)
    let seen = try await runScript(
      "peers/dashboard_browser.py",
      [
        "watch", "http://127.0.0.1:\(web.port)", Self.password, "\(web.setup.port)",
        folder.appendingPathComponent("series").path,
        web.setup.state.appendingPathComponent("results").path, folder.path,
      ], as: Seen.self)
    #expect(seen.states.contains("waiting") && seen.states.last == "done", "\(seen.states)")
    #expect(seen.sameDocument)
    #expect(seen.patient == name && seen.dialogs == 0)
    #expect(!seen.titles.isEmpty && !seen.titles.contains { $0.contains("Eve") })
    #expect(seen.picture > 0 && seen.story > 5)
    #expect(seen.notice == "Job 1 is sent now.")
    #expect(seen.overlay.pixels == 48 * 48 && seen.overlay.labelled > 0)
    #expect(seen.overlay.wrong == 0)
    #expect(seen.turned && seen.measured > 0)
    #expect(seen.trial.contains("selected"))
    #expect(seen.viewerButtons == 0 && seen.viewerPost == 403)
    #expect(seen.wide <= 390 && seen.named > 5 && seen.unnamed == 0)
    #expect(seen.console.isEmpty && seen.axe.isEmpty, "\(seen.console) \(seen.axe)")
    let log = daemon.output
    #expect(log.contains("logged in") && !log.contains("Eve"))
    let changes = log.split(separator: "\n").filter { $0.contains("job changed") }
    #expect(!changes.isEmpty && changes.allSatisfy { $0.contains(" study=") }, "\(changes)")
    #expect(try await daemon.end() == 0)
  }

  /// How a page followed what happened; see `dashboard_live.py`.
  private struct Followed: Decodable {
    var banner: String
    var sameDocument: Bool
    var streams: Int
    var refused: Int
    var hidden: Bool
    var fault: String
    var login: String
    var ended: Bool
    var sameAtTheEnd: Bool
  }

  @Test func aPageFollowsThroughWhatBreaks() async throws {
    let web = try await Self.daemon()
    _ = try await web.series(slices: 12)
    let daemon = try await web.start()
    _ = try await web.setup.send(web.setup.folder.url.appendingPathComponent("series"))
    #expect(try await web.setup.endedJobs().map(\.state) == ["completed"])
    let found = try await runScript(
      "peers/dashboard_live.py",
      ["\(web.port)", Self.password, segmentdBinary, web.setup.configuration], as: Followed.self)
    // The connection broke off; what happened meanwhile is shown without a reload.
    #expect(found.banner.contains("new disk") && found.sameDocument)
    #expect(found.streams == 8 && found.refused > 0 && found.hidden)
    #expect(found.fault == "too many planes are asked for: try again")
    // The session is over: no stream of it is left, and the page stays as it is.
    #expect(found.login == "/login" && found.ended && found.sameAtTheEnd)
    #expect(try await daemon.end() == 0)
  }

  @Test func hostileRequestsAreRefused() async throws {
    let web = try await Self.daemon(headerSeconds: 20)
    _ = try await web.series()
    let daemon = try await web.start()
    _ = try await web.setup.send(web.setup.folder.url.appendingPathComponent("series"))
    _ = try await web.setup.endedJobs()
    let answers = try await runScript(
      "peers/dashboard_browser.py", ["hostile", "127.0.0.1:\(web.port)", Self.password],
      as: [String: Int].self)
    let expected = [
      "noLogin": 401, "traversal": 404, "encodedTraversal": 400, "csrfMissing": 403,
      "csrfWrong": 403, "foreignOrigin": 403, "wrongHost": 421, "injection": 200,
      "openRedirect": 303, "largeForm": 413, "slow": 408, "fixation": 303, "afterLogout": 303,
      "guessing": 429,
    ]
    for (kind, status) in expected { #expect(answers[kind] == status, "\(kind)") }
    #expect([0, 400, 431].contains(answers["longHeader"]))
    // Nothing was changed by any of them.
    let state = try await segmentd("jobs", "--config", web.setup.configuration)
    #expect(!state.output.contains("paused"))
    #expect(try await daemon.end() == 0)
  }
}
