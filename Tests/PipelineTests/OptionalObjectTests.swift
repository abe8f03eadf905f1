import DICOMweb
import Foundation
import JobLedger
import TestSupport
import Testing

@testable import Pipeline

/// Optional objects are sent where the destination takes their SOP class.
@Suite(.timeLimit(.minutes(20))) struct OptionalObjectTests {
  private static let segmentations = "1.2.840.10008.5.1.4.1.1.66.4"
  private static let labelMaps = "1.2.840.10008.5.1.4.1.1.66.7"

  /// By the negotiation of the association; a person who has it tried again has it sent.
  @Test func anArchiveWithoutLabelMapsGetsTheRest() async throws {
    let outbox = try Outbox(objects: 3, kinds: [.segmentation, .labelmap, .rtstruct])
    let receiver = try await Receiver(answering: "0000/\(Self.segmentations)")
    let delivery = outbox.delivery(["pacs": receiver.peer])
    #expect(try await delivery.deliverNext())
    let row = try outbox.row("pacs")
    #expect(row.state == "delivered" && row.lastError == nil, "\(row)")
    #expect(row.objects.map { $0.arrivedAt != nil } == [true, false, false])
    #expect(row.objects[1].note?.hasPrefix("it does not take a label map") == true, "\(row)")
    try await receiver.process.end(SIGKILL)

    let taught = try await Receiver(
      answering: "0000/\(Self.segmentations),\(Self.labelMaps)", port: receiver.peer.port)
    _ = try outbox.ledger.apply(.retry, to: JobSelection())
    #expect(try await delivery.deliverNext())
    let again = try outbox.row("pacs")
    #expect(again.state == "delivered", "\(again)")
    #expect(again.objects.map { $0.arrivedAt != nil } == [true, true, false])
    try await taught.process.end(SIGKILL)
  }

  /// What is not optional is held as ever, and what is optional alone as well: nothing arrived.
  @Test(arguments: [[StoredObject.Kind.segmentation, .labelmap], [.labelmap, .rtstruct]])
  func nothingIsDeliveredWhereNothingIsTaken(kinds: [StoredObject.Kind]) async throws {
    let outbox = try Outbox(objects: 2, kinds: kinds)
    let receiver = try await Receiver(answering: "echo")
    #expect(try await outbox.delivery(["pacs": receiver.peer]).deliverNext())
    let row = try outbox.row("pacs")
    #expect(row.state == "held" && row.lastFailure == .refused, "\(row)")
    #expect(row.lastError?.contains("accepts none of the SOP classes") == true, "\(row)")
    try await receiver.process.end(SIGKILL)
  }

  /// By the status of C-STORE, and the Failure Reason of STOW-RS.
  @Test func anObjectThatIsRefusedForItsClassIsDeclined() async throws {
    let outbox = try Outbox(destinations: ["pacs", "web"], objects: 1, kinds: [.labelmap])
    let receiver = try await Receiver(answering: "0122")
    let server = try await StowServer()
    let delivery = outbox.delivery(to: [
      "pacs": DIMSEDestination(peer: receiver.peer, callingAETitle: "SEGMENTD", timeout: 900),
      "web": STOWDestination(
        url: try #require(URL(string: "http://127.0.0.1:\(server.port)/some-0122")),
        authorization: { () throws(DeliveryFault) in .none }, timeout: 900),
    ])
    for name in ["pacs", "web"] {
      #expect(try await delivery.deliverNext(to: name))
      let row = try outbox.row(name)
      #expect(row.state == "held" && row.objects[0].declinedAt != nil, "\(row)")
      #expect(row.objects[0].status == 0x0122, "\(row)")
    }
    try await receiver.process.end(SIGKILL)
    try await server.stop()
  }
}
