import Foundation
import TestSupport
import Testing

/// `Scripts/demo.sh --keep`, as a newcomer has it: until it is ended, everything answers at the addresses that it prints.
@Suite(.serialized, .limitedConcurrency) struct DemoTests {
  private func status(_ url: String, _ options: String...) async throws -> Int {
    let result = try await runProcess(
      "/usr/bin/curl",
      ["-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}"] + options + [url])
    return Int(result.output) ?? 0
  }

  @Test func theDemoIsLeftRunning() async throws {
    let folder = try TemporaryFolder()
    let script = TestFiles.package.appendingPathComponent("Scripts/demo.sh").path
    // Programs that are started here inherit that signals are blocked, which a shell leaves so.
    let unblocked = """
      import os, signal, sys
      signal.pthread_sigmask(signal.SIG_SETMASK, ())
      os.execv("/bin/bash", ["bash"] + sys.argv[1:])
      """
    let demo = try ChildProcess(
      testPython, ["-c", unblocked, script, "--keep"],
      log: folder.url.appendingPathComponent("demo.log"),
      environment: ["SEGMENTD": segmentdBinary, "TMPDIR": folder.url.path])
    try await waitUntil("the demo") {
      guard demo.isRunning else { throw DaemonEnded(output: demo.output) }
      return demo.output.contains("\n    log  ")
    }
    let text = demo.output
    let explorer = try #require(text.firstMatch(of: /http:\S+explorer\.html/)?.output)
    let dashboard = try #require(
      text.firstMatch(of: /(http:\S+\/) \(the dashboard: user demo, password (\w+)\)/)?.output)
    let port = try #require(text.firstMatch(of: /AE SEGMENTD, port (\d+)\n/)?.output.1)
    #expect(try await status(String(explorer)) == 200)
    let account = "demo:\(dashboard.2)"
    for path in ["healthz", "readyz", "metrics"] {
      #expect(try await status("\(dashboard.1)\(path)", "-u", account) == 200, "\(path)")
    }
    let login = ["-d", "user=demo&password=\(dashboard.2)"]
    #expect(try await status("\(dashboard.1)login", login[0], login[1]) == 303)
    let echo = try await runProcess(
      "/usr/bin/echoscu", ["-aec", "SEGMENTD", "127.0.0.1", String(port)])
    #expect(echo.status == 0)
    // A hippocampus and a heart, whose results are in the PACS.
    let command = try #require(
      text.firstMatch(of: /more of it +(\S+) jobs --config (\S+)\n/)?.output)
    let listed = try await runProcess(
      String(command.1), ["jobs", "--config", String(command.2), "--json"])
    let jobs = try JSONDecoder().decode([JobRow].self, from: Data(listed.output.utf8))
    #expect(Set(jobs.map(\.model)) == ["hippocampus", "cardiac"])
    #expect(jobs.allSatisfy { $0.state == "completed" })
    #expect(jobs.flatMap(\.deliveries).allSatisfy { $0.state == "delivered" })
    #expect(text.contains("ejection fraction: "))

    #expect(try await demo.end() == 143)
    #expect(try await status(String(explorer)) == 0)
    #expect(try await status(String(dashboard.1)) == 0)
  }
}
