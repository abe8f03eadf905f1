import Clocks
import DICOM
import DICOMNetwork
import Foundation
import JobLedger
import Logging
import ServiceLifecycle
import TestSupport
import Testing

@testable import Pipeline

/// The daemon's loops of delivery over a weekend on which a PACS is switched off and hangs, and the daemon is
/// started anew: on Monday everything is there, once.
@Suite(.timeLimit(.minutes(20))) struct WeekendDeliveryTests {
  /// DCMTK's storescp, which says of each object that it got it.
  private struct PACS {
    let peer: Peer
    let folder: TemporaryFolder
    let process: ChildProcess

    init(_ title: String, port: Int) async throws {
      folder = try TemporaryFolder()
      let peer = Peer(aeTitle: title, host: "127.0.0.1", port: port)
      self.peer = peer
      process = try ChildProcess(
        "/usr/bin/storescp", ["-v", "-aet", title, "-od", folder.url.path, "\(port)"],
        log: folder.url.appendingPathComponent("log"))
      try await waitUntil("storescp", within: 900) {
        (try? await StorageSCU(callingAETitle: "TEST", timeout: 2).echo(peer)) != nil
      }
    }

    /// How many C-STORE requests it got.
    var requests: Int { process.output.components(separatedBy: "Received Store Request").count - 1 }

    func objects() throws -> [String] {
      try FileManager.default.contentsOfDirectory(at: folder.url, includingPropertiesForKeys: nil)
        .filter { $0.lastPathComponent != "log" }
        .map { try DICOMFile(path: $0.path).dataset.text(.sopInstanceUID) ?? "" }.sorted()
    }
  }

  private let logger = Logger(label: "test")

  /// A daemon's delivery, as after its start, for as long as something is done.
  private func daemon(
    _ outbox: Outbox, _ peers: [String: Peer], timeout: Int = 900,
    while work: () async throws -> Void
  ) async throws {
    let clock = outbox.clock
    let ledger = try Ledger(path: outbox.state.ledger.path, clock: TimeSource { clock.now })
    try ledger.rescue()
    let delivery = Delivery(
      state: outbox.state, ledger: ledger,
      destinations: peers.mapValues {
        DIMSEDestination(peer: $0, callingAETitle: "SEGMENTD", timeout: timeout)
      }, logger: logger)
    let group = ServiceGroup(configuration: .init(services: [delivery], logger: logger))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      try await work()
      await group.triggerGracefulShutdown()
      try await tasks.waitForAll()
    }
  }

  /// Lets hours pass, a minute in a hundredth of a second.
  private func pass(hours: Int, _ clock: ManualClock) async throws {
    for _ in 0..<hours * 60 {
      clock.advance(60)
      try await Task.sleep(for: .milliseconds(10))
    }
  }

  @Test func whatWaitedOverAWeekendIsThereOnceOnMonday() async throws {
    let outbox = try Outbox(destinations: ["pacs", "vna"], objects: 3)
    let expected = ["2.25.7", "2.25.8", "2.25.9"]
    let friday = outbox.clock.now
    let vna = try await PACS("VNA", port: try freePort())
    let port = try freePort()
    let peers = ["pacs": Peer(aeTitle: "PACS", host: "127.0.0.1", port: port), "vna": vna.peer]

    // Switched off; the other destination does not wait for it.
    try await daemon(outbox, peers) {
      try await waitUntil("the other destination", within: 900) {
        try outbox.row("vna").state == "delivered"
      }
      #expect(outbox.clock.now == friday)
      try await pass(hours: 40, outbox.clock)
    }
    let saturday = try outbox.row("pacs")
    #expect(saturday.state == "waiting" && saturday.lastFailure == .unreachable, "\(saturday)")
    #expect(saturday.attempts >= 10, "\(saturday)")
    let next = try #require(saturday.nextAt).timeIntervalSince(outbox.clock.now)
    #expect(next <= 720, "it is tried at least every 12 minutes, however long it was away")

    // Accepts connections and says nothing.
    let silent = try ChildProcess(
      testPython,
      [
        "-c",
        """
        import socket
        server = socket.create_server(("127.0.0.1", \(port)))
        peers = []
        while True: peers.append(server.accept())
        """,
      ], log: outbox.folder.url.appendingPathComponent("silent.log"))
    try await daemon(outbox, peers, timeout: 2) { try await pass(hours: 20, outbox.clock) }
    try await silent.end(SIGKILL)
    let sunday = try outbox.row("pacs")
    #expect(sunday.attempts > saturday.attempts && sunday.deliveredAt == nil, "\(sunday)")
    #expect(try outbox.row("vna").attempts == 1)

    let pacs = try await PACS("PACS", port: port)
    try await daemon(outbox, peers) {
      // As long as the longest pause.
      try await pass(hours: 1, outbox.clock)
      try await waitUntil("the delivery", within: 900) {
        try outbox.row("pacs").state == "delivered"
      }
      try await pass(hours: 10, outbox.clock)
    }
    let monday = try outbox.row("pacs")
    #expect(monday.state == "delivered" && monday.lastError == nil, "\(monday)")
    for archive in [pacs, vna] {
      #expect(try archive.objects() == expected)
      #expect(archive.requests == 3, "\(archive.process.output)")
    }
    let events = try outbox.ledger.job(outbox.job).events
    #expect(events.count { $0.kind == "sending" } == monday.attempts + 1)
    #expect(
      events.count { $0.kind == "not delivered" && $0.message.hasPrefix("to pacs") }
        == monday.attempts - 1)
    #expect(try outbox.ledger.checkEvents().findings == [])
    for archive in [pacs, vna] { try await archive.process.end(SIGKILL) }
  }
}
