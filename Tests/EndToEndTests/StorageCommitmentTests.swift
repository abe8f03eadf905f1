import Foundation
import TestSupport
import Testing

/// A peer asks the daemon for storage commitment.
@Suite(.limitedConcurrency) struct StorageCommitmentTests {
  private static let ct = "1.2.840.10008.5.1.4.1.1.2"
  private static let mr = "1.2.840.10008.5.1.4.1.1.4"

  private let phantom: PhantomSeries
  private let setup: DaemonSetup
  private let port: Int
  private let uids: [String]

  init() async throws {
    phantom = try await PhantomSeries(slices: 4)
    port = try freePort()
    // Without rules no job runs, which the end of the daemon would wait for.
    setup = try DaemonSetup(
      rules: "rules: []",
      more: "storageCommitment: {peers: [{aeTitle: ASKER, host: 127.0.0.1, port: \(port)}]}",
      hasDestination: false)
    let dump = try await runProcess(
      "/usr/bin/dcmdump", ["-s", "+P", "0008,0018"] + phantom.files.map(\.path))
    uids = dump.output.split(separator: "\n")
      .compactMap { $0.split(separator: "[").last?.split(separator: "]").first.map(String.init) }
    #expect(uids.count == 4)
  }

  private func startWithPhantom() async throws -> ChildProcess {
    let daemon = try await setup.start()
    let sent = try await runProcess(
      "/usr/bin/storescu",
      ["-aec", "SEGMENTD", "127.0.0.1", "\(setup.port)"] + phantom.files.map(\.path))
    #expect(sent.status == 0)
    return daemon
  }

  private func ask(_ how: String, _ references: [(String, String)]) async throws
    -> CommitmentAnswer
  {
    try await CommitmentAnswer.asking(setup.port, at: port, how, references)
  }

  @Test(arguments: [("stay", "same"), ("release", "new"), ("abort", "new")])
  func oneIsHeldAndABogusOneIsNot(how: String, way: String) async throws {
    let daemon = try await startWithPhantom()
    let answer = try await ask(how, [(Self.ct, uids[0]), (Self.ct, "1.2.3.4.5.6")])
    #expect(answer.status == 0 && answer.reports.count == 1)
    let report = try #require(answer.reports.first)
    #expect(report.transaction == answer.asked && report.eventType == 2)
    #expect(report.held == [uids[0]] && report.failed == ["1.2.3.4.5.6": 0x0112])
    #expect(report.over == way)
    try await daemon.end()
  }

  /// Another class, a changed file and one that is gone.
  @Test func whatIsNotAsItWasReceivedIsNotCommitted() async throws {
    let daemon = try await startWithPhantom()
    _ = try await setup.endedJobs()
    let files = setup.spooledFiles()
    try #require(files.count == 4)
    var changed: [String: Int] = [:]
    for (file, isRemoved) in zip(files.prefix(2), [true, false]) {
      let dump = try await runProcess("/usr/bin/dcmdump", ["-s", "+P", "0008,0018", file.path])
      let uid = try #require(dump.output.split(separator: "[").last?.split(separator: "]").first)
      changed[String(uid)] = 0x0112
      if isRemoved {
        try FileManager.default.removeItem(at: file)
      } else {
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count - 1] ^= 1
        try bytes.write(to: file)
      }
    }
    let whole = uids.filter { changed[$0] == nil }
    try #require(whole.count == 2)
    let answer = try await ask(
      "stay", uids.map { (Self.ct, $0) } + [(Self.mr, whole[0])])
    let report = try #require(answer.reports.first)
    #expect(Set(report.held) == Set(whole))
    #expect(report.failed[whole[0]] == 0x0119)
    for uid in changed.keys { #expect(report.failed[uid] == 0x0112) }
    try await daemon.end()
  }

  /// The report waits in the ledger until the peer can be reached, also when the daemon is killed.
  @Test func aReportSurvivesKilling() async throws {
    let daemon = try await startWithPhantom()
    async let answer = ask("deaf", [(Self.ct, uids[0])])
    try await waitUntil("the request", within: 900) {
      daemon.output.contains("storage commitment not reported")
    }
    try await daemon.end(SIGKILL)
    let next = try await setup.start()
    let reports = try await answer.reports
    #expect(reports.map(\.held) == [[uids[0]]] && reports.map(\.over) == ["new"])
    try await next.end()
  }

  @Test func aReportThatIsRefusedIsSentAgain() async throws {
    let daemon = try await startWithPhantom()
    let answer = try await ask("refuse", [(Self.ct, uids[0])])
    #expect(answer.reports.map(\.held) == [[uids[0]]])
    #expect(daemon.output.contains("status 0x110"))
    try await daemon.end()
  }
}
