import DICOMNetwork
import Foundation
import TestSupport
import Testing

/// The listener against peers that are silent, go away, come all at once, or are malicious.
@Suite struct StorageSCPHostilePeerTests {
  @Test func silentConnectionsHoldUpNobody() async throws {
    let listener = try Listener { $0.policy.limits.requestSeconds = 600 }
    let log = listener.folder.url.appendingPathComponent("idle.log")
    let idle = try NetworkPeers.start(["idle", "\(listener.port)", "20"], log: log)
    try await waitUntil("20 connections") { idle.output.contains("ready 20") }
    let start = ContinuousClock.now
    #expect(try await listener.echo().status == 0)
    #expect(ContinuousClock.now - start < .seconds(600), "waited for the silent ones")
    try await idle.end(SIGKILL)
    await listener.stop()
  }

  @Test func aDroppedSenderLeavesNothing() async throws {
    let listener = try Listener()
    let dropped = try await NetworkPeers.run(
      "drop", "\(listener.port)", Listener.aeTitle, Phantom.file("mr").path)
    #expect(dropped.status == 0, "\(dropped.output)")
    try await waitUntil("the end of the association", within: 900) {
      listener.events.contains { $0.kind == .ended(.connectionLost) }
    }
    #expect(try listener.files.isEmpty)
    #expect(listener.received.isEmpty)
    #expect(try await listener.echo().status == 0)
    await listener.stop()
  }

  @Test func eightSendAtOnce() async throws {
    let listener = try Listener()
    let files = try await ["mr", "rle", "explicit-little"].asyncMap {
      try await Phantom.file($0).path
    }
    let sent = try await NetworkPeers.run(
      "parallel", "\(listener.port)", Listener.aeTitle, "8", files[0], files[1], files[2])
    #expect(sent.output.split(separator: "\n").filter { $0 == "0x0000" }.count == 24)
    await listener.stop()
    #expect(listener.received.count == 24)
    #expect(Set(listener.received.map(\.path)).count == 24)
    #expect(listener.events.filter { $0.kind == .ended(.released) }.allSatisfy { $0.stored == 3 })
  }

  @Test func associationsBeyondTheLimitAreRejectedForNow() async throws {
    let listener = try Listener { $0.policy.limits.associations = 0 }
    let echo = try await listener.echo()
    #expect(echo.output.contains("Local Limit Exceeded"), "\(echo.output)")
    await listener.stop()
  }

  @Test func stopsWhileConnectionsAreOpen() async throws {
    let listener = try Listener { $0.policy.limits.requestSeconds = 600 }
    let log = listener.folder.url.appendingPathComponent("idle.log")
    let idle = try NetworkPeers.start(["idle", "\(listener.port)", "3"], log: log)
    try await waitUntil("3 connections") { idle.output.contains("ready 3") }
    let start = ContinuousClock.now
    await listener.stop()
    // A second stop has nothing left to do.
    await listener.stop()
    #expect(ContinuousClock.now - start < .seconds(600), "waited for a request")
    #expect(try await listener.echo().status != 0)
    try await idle.end(SIGKILL)
  }

  /// Malformed PDUs and wrong lengths; the last line of the probe is an echo after all that.
  @Test(.enabled(if: TestFiles.shared != nil, Comment(rawValue: TestFiles.sharedIsMissing)))
  func survivesMalformedPDUs() async throws {
    let shared = try #require(TestFiles.shared)
    let listener = try Listener { $0.policy.limits.requestSeconds = 2 }
    let probe = try await runProcess(
      testPython,
      [
        shared.appendingPathComponent("probes/hostile.py").path, "127.0.0.1", "\(listener.port)",
        Listener.aeTitle,
      ])
    let lines = probe.output.split(separator: "\n")
    #expect(lines.count == 19)
    #expect(lines.last?.contains("AC pcs accepted=1 refused=0") == true, "\(probe.output)")
    await listener.stop()
    #expect(try listener.files.isEmpty)
  }
}

extension Array {
  fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows
    -> [Value]
  {
    var values: [Value] = []
    for element in self { values.append(try await transform(element)) }
    return values
  }
}
