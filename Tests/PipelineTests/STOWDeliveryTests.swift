import DICOMNetwork
import DICOMweb
import Foundation
import JobLedger
import TestSupport
import Testing

@testable import Pipeline

/// Results to servers of STOW-RS.
@Suite(.timeLimit(.minutes(20))) struct STOWDeliveryTests {
  private func destination(
    _ port: Int, _ how: String, authorization: DICOMwebClient.Authorization = .none,
    isAskedForProof: Bool = false, timeout: Int = 900
  ) throws -> STOWDestination {
    STOWDestination(
      url: try #require(URL(string: "http://127.0.0.1:\(port)/\(how)")),
      authorization: { () throws(DeliveryFault) in authorization }, timeout: timeout,
      isAskedForProof: isAskedForProof)
  }

  @Test func orthancTakesAndListsAResult() async throws {
    let outbox = try Outbox(objects: 2)
    let orthanc = try await Orthanc(dicomPort: try freePort(), hasDICOMweb: true)
    let delivery = outbox.delivery(to: [
      "pacs": try destination(orthanc.webPort, "dicom-web", isAskedForProof: true)
    ])
    #expect(try await delivery.deliverNext())
    #expect(try outbox.row("pacs").state == "sent")
    #expect(try await delivery.proveNext())
    let row = try outbox.row("pacs")
    #expect(row.state == "delivered" && row.objects.map(\.proof) == [.query, .query], "\(row)")
    #expect(Set(try await orthanc.segmentations()) == ["2.25.7", "2.25.8"])
    try await orthanc.stop()
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var how: String
    var state: String
    var failure: DeliveryFailure?
    var words: String?
    var testDescription: String { how }

    init(_ how: String, _ state: String, _ failure: DeliveryFailure? = nil, _ words: String? = nil)
    {
      (self.how, self.state, self.failure, self.words) = (how, state, failure, words)
    }
  }

  @Test(arguments: [
    Case("store", "delivered"),
    Case("garbage", "held", .refused, "does not say that it stored the object"),
    Case("warn", "delivered", nil, "0xB000: values were coerced"),
    Case("fail-0111", "delivered", nil, "it had the object already"),
    Case("silent", "waiting", .refused, "does not say what became of it"),
    Case("fail-A900", "held", .refused, "0xA900: the dataset does not match its SOP class"),
    Case("some-C122", "held", .refused, "the transfer syntax is not supported"),
    Case("fail-A700", "waiting", .refused, "0xA700: out of resources"),
    Case("status-409", "held", .refused, "does not say why"),
    Case("status-400", "held", .refused, "400"),
    Case("status-401", "held", .refused, "correct user, passwordFile or tokenFile"),
    Case("status-403", "held", .refused, "our rights there"),
    Case("status-404", "held", .refused, "correct url"),
    Case("status-413", "held", .refused, "too large"),
    Case("redirect", "held", .refused, "redirects to localhost"),
    Case("status-429", "waiting", .unreachable, "429"),
    Case("status-500", "waiting", .unreachable, "500"),
    Case("status-503", "waiting", .unreachable, "503"),
    Case("hang", "waiting", .unreachable, "took too long"),
  ])
  func everyAnswerHasItsState(which: Case) async throws {
    let outbox = try Outbox()
    let server = try await StowServer()
    let delivery = outbox.delivery(to: [
      "pacs": try destination(server.port, which.how, timeout: which.how == "hang" ? 1 : 900)
    ])
    #expect(try await delivery.deliverNext())
    let row = try outbox.row("pacs")
    #expect(row.state == which.state && row.lastFailure == which.failure, "\(row)")
    if let words = which.words { #expect(row.lastError?.contains(words) == true, "\(row)") }
    // A redirection is not followed.
    #expect(server.events.count <= 1)
    try await server.stop()
  }

  /// A server that asks to wait is left alone for so long.
  @Test func retryAfterIsHonoured() async throws {
    let outbox = try Outbox()
    let server = try await StowServer()
    let delivery = outbox.delivery(to: ["pacs": try destination(server.port, "retry-500")])
    #expect(try await delivery.deliverNext())
    #expect(try outbox.row("pacs").lastError?.contains("asks to wait for 500 s") == true)
    outbox.clock.advance(499)
    #expect(try await !delivery.deliverNext())
    outbox.clock.advance(1)
    #expect(try await delivery.deliverNext())
    #expect(server.stored.count == 2)
    try await server.stop()
  }

  /// The second object is refused for now: the first one is not sent again.
  @Test func onlyWhatIsMissingIsSentAgain() async throws {
    let outbox = try Outbox(objects: 2)
    let server = try await StowServer()
    // The first object comes twice before the second one does: "fail" takes what failed before.
    let delivery = outbox.delivery(to: ["pacs": try destination(server.port, "fail-A700")])
    #expect(try await delivery.deliverNext())
    #expect(try outbox.row("pacs").objects.map(\.arrivedAt) == [nil, nil])
    outbox.clock.advance(5)
    #expect(try await delivery.deliverNext())
    #expect(try outbox.row("pacs").state == "delivered")
    #expect(server.stored == ["2.25.7", "2.25.8", "2.25.7", "2.25.8"])
    try await server.stop()
  }

  /// Without QIDO-RS there is no proof: held at once, and nothing is sent twice. Once it is not asked for,
  /// a person's retry is all that is needed.
  @Test(arguments: [404, 405, 501]) func aServerWithoutQueriesIsHeldAtOnce(status: Int) async throws
  {
    let outbox = try Outbox()
    let server = try await StowServer()
    let delivery = outbox.delivery(to: [
      "pacs": try destination(server.port, "blind-\(status)", isAskedForProof: true)
    ])
    #expect(try await delivery.deliverNext())
    #expect(try await delivery.proveNext())
    let row = try outbox.row("pacs")
    #expect(row.state == "held" && row.lastFailure == .refused, "\(row)")
    #expect(
      row.lastError?.contains("answered \(status) to a query") == true
        && row.lastError?.contains("set verify: none") == true, "\(row)")
    var held = JobSelection()
    held.jobs = [outbox.job]
    _ = try outbox.ledger.apply(.retry, to: held)
    let trusting = outbox.delivery(to: [
      "pacs": try destination(server.port, "blind-\(status)")
    ])
    #expect(try await trusting.deliverNext())
    #expect(try outbox.row("pacs").state == "delivered")
    #expect(server.stored.count == 1)
    try await server.stop()
  }

  /// A server that answers queries and does not list the objects yet, or not even the series, is asked again.
  @Test(arguments: ["late-2", "shy"]) func whatIsListedLateIsWaitedFor(server way: String)
    async throws
  {
    let outbox = try Outbox()
    let server = try await StowServer()
    let delivery = outbox.delivery(to: [
      "pacs": try destination(server.port, way, isAskedForProof: true)
    ])
    #expect(try await delivery.deliverNext())
    #expect(try await delivery.proveNext())
    #expect(try outbox.row("pacs").state == "sent")
    outbox.clock.advance(10)
    #expect(try await delivery.proveNext())
    #expect(try outbox.row("pacs").state == "delivered")
    #expect(server.stored.count == 1)
    try await server.stop()
  }

  /// It says "stored" and stores nothing: sent again five times, then held.
  @Test func aServerThatForgetsIsHeld() async throws {
    let outbox = try Outbox()
    let server = try await StowServer()
    let delivery = outbox.delivery(to: [
      "pacs": try destination(server.port, "forget", isAskedForProof: true)
    ])
    for _ in 1...5 {
      #expect(try await delivery.deliverNext())
      for _ in 1...3 {
        #expect(try await delivery.proveNext())
        outbox.clock.advance(100)
      }
    }
    let row = try outbox.row("pacs")
    #expect(row.state == "held" && row.lastFailure == .missing, "\(row)")
    #expect(row.lastError?.contains("took an object 5 times") == true, "\(row)")
    #expect(server.stored.count == 5)
    try await server.stop()
  }

  /// Destinations that hang, in each way there is, do not hold up another one.
  @Test func aHangingDestinationDoesNotHoldUpTheOthers() async throws {
    let outbox = try Outbox(destinations: ["silent", "deaf", "web", "pacs"])
    let (silent, deaf) = (try await HangingPeer("silent"), try await HangingPeer("deaf"))
    let (server, receiver) = (try await StowServer(), try await Receiver(answering: "0000"))
    func hanging(_ port: Int) -> DIMSEDestination {
      DIMSEDestination(
        peer: Peer(aeTitle: "PACS", host: "127.0.0.1", port: port), callingAETitle: "SEGMENTD",
        timeout: 3600)
    }
    let delivery = outbox.delivery(to: [
      "silent": hanging(silent.port), "deaf": hanging(deaf.port),
      "web": try destination(server.port, "hang", timeout: 3600),
      "pacs": DIMSEDestination(peer: receiver.peer, callingAETitle: "SEGMENTD"),
    ])
    let running = Task { try await delivery.run() }
    try await waitUntil("the delivery", within: 900) {
      try outbox.row("pacs").state == "delivered"
    }
    try await waitUntil("the others", within: 900) {
      try ["silent", "deaf", "web"].allSatisfy { try outbox.row($0).state == "sending" }
    }
    running.cancel()
    _ = await running.result
    for peer in [silent, deaf] { try await peer.stop() }
    try await server.stop()
    try await receiver.process.end(SIGKILL)
  }
}
