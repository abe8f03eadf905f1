import Foundation
import TestSupport
import Testing

/// A crowd of hostile peers at once: whoever keeps to the rules is served as if they were not there.
@Suite(.limitedConcurrency) struct FloodTests {
  private let setup: DaemonSetup

  init() throws { setup = try DaemonSetup(hasDestination: false) }

  private func peer(_ script: String, _ arguments: String...) throws -> ChildProcess {
    let path = TestFiles.package.appendingPathComponent("Scripts/test-support/peers/\(script).py")
    let log = setup.folder.url.appendingPathComponent("\(UUID().uuidString).log")
    return try ChildProcess(testPython, [path.path] + arguments, log: log)
  }

  /// The most memory that a process has had, in bytes.
  private func peakMemory(of process: Int32) throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM") })
    return (Int(line.filter(\.isNumber)) ?? 0) * 1024
  }

  /// 200 connections, 50 silent associations, 8 deflate bombs and an endless object.
  @Test func honestPeersAreServed() async throws {
    let images = setup.folder.url.appendingPathComponent("images")
    let series = try await makeSeries(at: images, "--slices", "300").series
    let daemon = try await setup.start()
    let port = "\(setup.port)"
    let receiver = try #require(daemon.receivingProcess)
    let before = try peakMemory(of: receiver)
    let crowd = [
      try peer("hostile_peers", "idle", port, "200"),
      try peer("hostile_peers", "silent", port, "SEGMENTD", "50"),
      try peer("hostile_peers", "endless", port, "SEGMENTD"),
    ]
    let bombs = try peer("hostile_peers", "bombs", port, "SEGMENTD", "8")
    for one in crowd + [bombs] {
      try await waitUntil("the crowd", within: 900) { one.output.contains("ready") }
    }
    for _ in 0..<5 {
      let start = ContinuousClock.now
      let echo = try await runProcess(
        "/usr/bin/echoscu", ["-aec", "SEGMENTD", "127.0.0.1", port], within: 900)
      #expect(echo.status == 0, "\(echo.output)")
      print("an echo in the flood: \(ContinuousClock.now - start)")
    }
    let sent = try await setup.send(images)
    #expect(sent.status == 0, "\(sent.output)")
    try await waitUntil("the bombs", within: 900) { !bombs.isRunning }
    // Each is refused, or its association gave way.
    #expect(!bombs.output.contains("0x0000"), "\(bombs.output)")
    for one in crowd { try await one.end(SIGKILL) }
    // The bombs have a series of their own, which is held.
    try await waitUntil("the job of the images", within: 900) {
      try await setup.endedJobs().contains { $0.seriesInstanceUID == series }
    }
    let job = try #require(try await setup.jobs().first { $0.seriesInstanceUID == series })
    #expect(job.instances == 300, "\(job)")
    // Deflated images were 3.85 GB once; 168 MiB were measured.
    let memory = try peakMemory(of: receiver) - before
    print("memory of the flood: \(memory >> 20) MiB")
    #expect(memory < 512 << 20)
    #expect(daemon.receivingProcess == receiver, "it was started again: \(daemon.output)")
    try await daemon.end()
  }
}
