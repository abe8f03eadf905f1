import DICOMNetwork
import Foundation
import TestSupport
import Testing

/// A peer costs bounded time and disk, and keeps nobody out.
@Suite struct PeerLimitTests {
  private func start(
    _ listener: Listener, _ command: String, _ arguments: String...
  ) throws -> ChildProcess {
    let log = listener.folder.url.appendingPathComponent(UUID().uuidString)
    return try HostilePeers.start([command, "\(listener.port)"] + arguments, log: log)
  }

  /// Associations that say nothing give way to one that does, also of the same address.
  @Test(arguments: [nil, 3])
  func silentAssociationsGiveWay(perAddress: Int?) async throws {
    let listener = try Listener {
      $0.policy.limits.associations = 4
      $0.policy.limits.associationsPerAddress = perAddress
    }
    let silent = try start(listener, "silent", Listener.aeTitle, "4")
    try await waitUntil("silent associations", within: 900) { silent.output.contains("ready") }
    for _ in 0..<3 { #expect(try await listener.echo().status == 0) }
    try await silent.end(SIGKILL)
    await listener.stop()
    #expect(
      listener.events.contains {
        $0.kind == .ended(.timedOut) && $0.message.contains("another association")
      })
  }

  /// Connections without a request, renewed as soon as they are closed.
  @Test(arguments: [(64, 16), (16, 64)])
  func idleConnectionsGiveWay(waiting: Int, perAddress: Int) async throws {
    let listener = try Listener {
      $0.policy.limits.waitingConnections = waiting
      $0.policy.limits.waitingConnectionsPerAddress = perAddress
      $0.policy.limits.requestSeconds = 600
    }
    let idle = try start(listener, "idle", "90")
    try await waitUntil("idle connections", within: 900) { idle.output.contains("ready") }
    for _ in 0..<3 { #expect(try await listener.echo().status == 0) }
    try await waitUntil("a connection that gives way", within: 900) {
      listener.events.contains { $0.message.contains("newer connections") }
    }
    try await idle.end(SIGKILL)
    await listener.stop()
  }

  /// Associations over which something comes are not given up for others.
  @Test func busyAssociationsStay() async throws {
    let listener = try Listener {
      $0.policy.limits.associations = 1
      $0.policy.limits.pduSeconds = 600
    }
    let drip = try start(listener, "drip", Listener.aeTitle, try await Phantom.file("mr").path)
    try await waitUntil("an object", within: 900) { drip.output.contains("ready") }
    try await Task.sleep(for: .seconds(2))
    #expect(try await listener.echo().output.contains("Local Limit Exceeded"))
    try await drip.end(SIGKILL)
    await listener.stop()
  }

  /// A byte now and then is not silence, and still takes too long.
  @Test(arguments: ["a PDU took too long", "an object took too long"])
  func aSlowObjectIsCutOff(report: String) async throws {
    let listener = try Listener {
      $0.policy.limits.pduSeconds = report.contains("PDU") ? 2 : 600
      $0.policy.limits.objectSeconds = report.contains("object") ? 2 : 600
    }
    let drip = try start(listener, "drip", Listener.aeTitle, try await Phantom.file("mr").path)
    try await waitUntil("the end of the association", within: 900) {
      listener.events.contains { $0.kind == .ended(.timedOut) }
    }
    try await waitUntil("the answer", within: 900) { drip.output.contains("ABORT") }
    await listener.stop()
    #expect(listener.events.last?.message == report)
    #expect(listener.refused.first?.reason.contains(report) == true)
    #expect(listener.receivedFiles.isEmpty)
  }

  /// Fragments of a command set cost time even where they have no content.
  @Test func aSlowCommandSetIsCutOff() async throws {
    let listener = try Listener { $0.policy.limits.pduSeconds = 2 }
    let fragments = try start(listener, "fragments", Listener.aeTitle)
    try await waitUntil("the end of the association", within: 900) {
      listener.events.contains { $0.kind == .ended(.timedOut) }
    }
    try await waitUntil("the answer", within: 900) { fragments.output.contains("ABORT 0 0") }
    await listener.stop()
    #expect(listener.events.last?.message == "a command set took too long")
  }

  @Test func anEndlessObjectIsCutOff() async throws {
    let listener = try Listener { $0.policy.limits.objectBytes = 5_000_000 }
    let endless = try start(listener, "endless", Listener.aeTitle)
    try await waitUntil("the answer", within: 900) { endless.output.contains("ended after") }
    await listener.stop()
    let end = try #require(listener.events.last)
    #expect(end.kind == .ended(.aborted) && end.message.contains("larger than 5000000 bytes"))
    #expect(listener.refused.first?.reason.contains("larger than") == true)
    #expect(listener.receivedFiles.isEmpty)
  }

  /// With less than the reserve on the disk nothing more is taken, and the peer may come again.
  @Test func theDiskKeepsAReserve() async throws {
    let listener = try Listener { $0.policy.limits.diskReserve = 1 << 60 }
    #expect(try await listener.echo().output.contains("Local Limit Exceeded"))
    await listener.stop()
    #expect(listener.events.first?.message.contains("no space left but the reserve") == true)
  }

  /// Stopping waits for no peer: neither for one that reads nothing, nor for an endless object.
  @Test func stoppingWaitsForNobody() async throws {
    // More than comes until the end, however fast the machine is.
    let listener = try Listener {
      $0.policy.limits.objectBytes = 1 << 40
      $0.policy.limits.requestSeconds = 600
      $0.policy.limits.idleSeconds = 600
      $0.policy.limits.pduSeconds = 600
    }
    let peers = [
      try start(listener, "silent", Listener.aeTitle, "3"),
      try start(listener, "idle", "3"), try start(listener, "deaf", Listener.aeTitle, "100000"),
    ]
    for peer in peers {
      try await waitUntil("a peer", within: 900) { peer.output.contains("ready") }
    }
    // The last one, so that the disk need not hold much of it.
    let endless = try start(listener, "endless", Listener.aeTitle)
    try await waitUntil("an object", within: 900) { endless.output.contains("ready") }
    try await Task.sleep(for: .seconds(1))
    let start = ContinuousClock.now
    await listener.stop()
    #expect(ContinuousClock.now - start < .seconds(600), "waited for a peer")
    #expect(listener.refused.first?.reason.contains("larger") != true)
    for peer in peers + [endless] { try await peer.end(SIGKILL) }
    #expect(listener.events.contains { $0.kind == .ended(.shutDown) })
    #expect(listener.receivedFiles.isEmpty)
  }
}
