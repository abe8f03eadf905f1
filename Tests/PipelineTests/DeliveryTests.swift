import DICOMNetwork
import Foundation
import JobLedger
import TestSupport
import Testing

@testable import Pipeline

/// Results from the outbox to a receiver of pynetdicom's.
@Suite struct DeliveryTests {
  /// "Success", a warning, and 0x0111: in each case the destination has the object.
  @Test(arguments: [
    ("0000", String?.none), ("0111", "0x0111"), ("B000", "warning 0xB000"),
  ])
  func whatTheDestinationHasIsDelivered(status: String, warning: String?) async throws {
    let outbox = try Outbox()
    let receiver = try await Receiver(answering: status)
    let delivery = outbox.delivery(["pacs": receiver.peer])
    #expect(try await delivery.deliverNext())
    let row = try outbox.row("pacs")
    #expect(row.state == "delivered" && row.attempts == 1 && row.lastFailure == nil)
    #expect(row.deliveredAt == outbox.clock.now)
    if let warning {
      #expect(row.lastError?.contains(warning) == true, "\(row.lastError ?? "no text")")
    } else {
      #expect(row.lastError == nil)
    }
    // Once is enough.
    outbox.clock.advance(3600)
    #expect(try await !delivery.deliverNext())
    try await receiver.process.end(SIGKILL)
  }

  @Test func whatIsRefusedIsTriedAgainAfterAPause() async throws {
    let outbox = try Outbox()
    let receiver = try await Receiver(answering: "A700")
    let delivery = outbox.delivery(["pacs": receiver.peer])
    for attempt in 1...3 {
      #expect(try await delivery.deliverNext())
      let row = try outbox.row("pacs")
      #expect(row.state == "waiting" && row.attempts == attempt && row.deliveredAt == nil)
      #expect(row.lastFailure == .refused)
      #expect(row.lastError?.hasPrefix("\(receiver.peer) refused it with 0xA700") == true)
      // 2, 4, 8 … seconds, a fifth more or less.
      let pause = pow(2, Double(attempt))
      outbox.clock.advance(pause * 0.75)
      #expect(try await !delivery.deliverNext())
      outbox.clock.advance(pause / 2)
    }
    try await receiver.process.end(SIGKILL)
  }

  /// What would be refused again is held until a person has mended it.
  @Test(arguments: [
    ("A900", "0xA900"), ("C000", "0xC000"), ("0110", "0x0110"), ("0122", "0x0122"),
    ("echo", "accepts none of the SOP classes"),
  ])
  func whatIsRefusedForGoodIsHeld(status: String, words: String) async throws {
    let outbox = try Outbox()
    let receiver = try await Receiver(answering: status)
    let delivery = outbox.delivery(["pacs": receiver.peer])
    #expect(try await delivery.deliverNext())
    let row = try outbox.row("pacs")
    #expect(row.state == "held" && row.lastFailure == .refused && row.attempts == 1, "\(row)")
    #expect(row.lastError?.contains(words) == true, "\(row)")
    outbox.clock.advance(86_400)
    #expect(try await !delivery.deliverNext())
    try await receiver.process.end(SIGKILL)

    // Mended, and tried again.
    let mended = try await Receiver(answering: "0000", port: receiver.peer.port)
    _ = try outbox.ledger.apply(.retry, to: JobSelection())
    #expect(try await delivery.deliverNext())
    #expect(try outbox.row("pacs").state == "delivered")
    try await mended.process.end(SIGKILL)
  }

  @Test func aPermanentRejectionIsHeld() async throws {
    let outbox = try Outbox()
    let receiver = try await Receiver(answering: "0000")
    var peer = receiver.peer
    peer.aeTitle = "ANOTHER"
    #expect(try await outbox.delivery(["pacs": peer]).deliverNext())
    let row = try outbox.row("pacs")
    #expect(row.state == "held" && row.lastFailure == .refused, "\(row)")
    #expect(row.lastError?.contains("rejected") == true, "\(row)")
    try await receiver.process.end(SIGKILL)
  }

  /// As with too many associations at once (PS3.8 9.3.4: result 2, source 3, reason 2).
  @Test func aRejectionForNowIsTriedAgain() async throws {
    let outbox = try Outbox()
    let port = try freePort()
    let busy = try ChildProcess(
      testPython,
      [
        "-c",
        """
        import socket
        server = socket.create_server(("127.0.0.1", \(port)))
        while True:
            peer = server.accept()[0]
            if peer.recv(65536):
                peer.sendall(bytes([3, 0, 0, 0, 0, 4, 0, 2, 3, 2]))
            peer.close()
        """,
      ], log: outbox.folder.url.appendingPathComponent("busy.log"))
    try await waitUntil("the port", within: 900) {
      try await runProcess(
        "/bin/bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(port)"]
      ).status == 0
    }
    let peer = Peer(aeTitle: "PACS", host: "127.0.0.1", port: port)
    #expect(try await outbox.delivery(["pacs": peer]).deliverNext())
    let row = try outbox.row("pacs")
    #expect(row.state == "waiting" && row.lastFailure == .unreachable, "\(row)")
    try await busy.end(SIGKILL)
  }

  @Test func aDestinationThatIsAwayGetsTheResultWhenItIsBack() async throws {
    let outbox = try Outbox()
    let port = try freePort()
    let delivery = outbox.delivery(["pacs": Peer(aeTitle: "PACS", host: "127.0.0.1", port: port)])
    #expect(try await delivery.deliverNext())
    let away = try outbox.row("pacs")
    #expect(away.state == "waiting" && away.lastFailure == .unreachable)
    #expect(away.lastError?.contains("127.0.0.1:\(port)") == true)

    let receiver = try await Receiver(answering: "0000", port: port)
    outbox.clock.advance(3)
    #expect(try await delivery.deliverNext())
    let row = try outbox.row("pacs")
    #expect(row.state == "delivered" && row.attempts == 2)
    #expect(row.lastFailure == nil && row.lastError == nil)
    try await receiver.process.end(SIGKILL)
  }

  /// A destination that is away does not hold up another.
  @Test func eachDestinationHasItsOwnTurn() async throws {
    let outbox = try Outbox(destinations: ["away", "pacs"])
    let receiver = try await Receiver(answering: "0000")
    let delivery = outbox.delivery([
      "away": Peer(aeTitle: "AWAY", host: "127.0.0.1", port: try freePort()),
      "pacs": receiver.peer,
    ])
    #expect(try await delivery.deliverNext(to: "pacs"))
    #expect(try outbox.row("pacs").state == "delivered")
    #expect(try outbox.row("away").attempts == 0)
    #expect(try await !delivery.deliverNext(to: "pacs"))
    #expect(try await !delivery.deliverNext(job: outbox.job + 1))
    #expect(try await delivery.deliverNext(job: outbox.job))
    #expect(try outbox.row("away").lastFailure == .unreachable)
    try await receiver.process.end(SIGKILL)
  }

  /// A file that is not the one that was proved is not sent, and it is not the destination's fault.
  @Test(arguments: ["was changed", "is gone"]) func aFileThatIsNotAsProvedIsNotSent(
    what: String
  ) async throws {
    let outbox = try Outbox()
    let receiver = try await Receiver(answering: "0000")
    if what == "is gone" {
      try FileManager.default.removeItem(at: outbox.file)
    } else {
      var bytes = try Data(contentsOf: outbox.file)
      bytes[bytes.count - 1] ^= 1
      try bytes.write(to: outbox.file)
    }
    #expect(try await outbox.delivery(["pacs": receiver.peer]).deliverNext())
    let row = try outbox.row("pacs")
    #expect(row.state == "held" && row.lastFailure == nil)
    #expect(row.lastError?.contains("\(what) since it was proved") == true)
    #expect(row.lastError?.contains(outbox.file.path) == true)
    try await receiver.process.end(SIGKILL)
  }

  @Test func aDestinationThatIsNotConfiguredIsNamed() async throws {
    let outbox = try Outbox()
    #expect(try await outbox.delivery([:]).deliverNext())
    let row = try outbox.row("pacs")
    #expect(row.state == "held" && row.lastFailure == nil)
    #expect(row.lastError?.contains("no destination \"pacs\"") == true)
  }
}
