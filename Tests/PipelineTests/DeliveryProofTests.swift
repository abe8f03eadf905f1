import DICOMNetwork
import Foundation
import Ingest
import JobLedger
import Logging
import TestSupport
import Testing

@testable import Pipeline

/// Results whose destination has to prove that it keeps them.
@Suite(.timeLimit(.minutes(20))) struct DeliveryProofTests {
  /// An outbox of two objects to an archive that is asked for storage commitment.
  private struct Commitment {
    let outbox: Outbox
    let archive: CommittingArchive
    let delivery: Delivery

    init(_ way: String, _ options: String..., patience: Int = 60) async throws {
      outbox = try Outbox(objects: 2)
      // Swift has no splat.
      switch options.count {
      case 0: archive = try await CommittingArchive(way)
      case 1: archive = try await CommittingArchive(way, options[0])
      default: archive = try await CommittingArchive(way, options[0], options[1])
      }
      delivery = outbox.delivery(to: [
        "pacs": DIMSEDestination(
          peer: Peer(aeTitle: "PACS", host: "127.0.0.1", port: archive.port),
          callingAETitle: "SEGMENTD", proof: .commitment, timeout: 900, reportPatience: patience)
      ])
    }

    var row: JobSummary.Delivery { get throws { try outbox.row("pacs") } }
  }

  /// One of two objects is not kept: it alone is sent again, and the result is done when both are.
  @Test func whatIsNotCommittedIsSentAgain() async throws {
    let test = try await Commitment("same", "fail=0112")
    #expect(try await test.delivery.deliverNext())
    #expect(try test.row.state == "sent")
    #expect(try test.row.objects.map(\.status) == [0, 0])
    #expect(try await test.delivery.proveNext())
    let lost = try test.row
    #expect(lost.state == "waiting" && lost.lastFailure == .missing, "\(lost)")
    #expect(lost.lastError?.contains("0x0112: no such object instance") == true, "\(lost)")
    #expect(lost.objects.map(\.proof) == [.commitment, nil])
    test.outbox.clock.advance(10)
    #expect(try await test.delivery.deliverNext())
    #expect(try await test.delivery.proveNext())
    #expect(try test.row.state == "delivered")
    #expect(test.archive.stored == ["2.25.7", "2.25.8", "2.25.8"])
    #expect(test.archive.asked == [["2.25.7", "2.25.8"], ["2.25.8"]])
    try await test.archive.stop()
  }

  /// Another SOP class: sending it again would not help.
  @Test func whatCannotBeCommittedIsHeld() async throws {
    let test = try await Commitment("same", "fail=0119")
    #expect(try await test.delivery.deliverNext())
    #expect(try await test.delivery.proveNext())
    #expect(try test.row.state == "held")
    #expect(try test.row.lastError?.contains("another SOP class") == true)
    try await test.archive.stop()
  }

  /// No report comes: it is asked again after 60, 120 … seconds, with a new transaction.
  @Test func withoutAReportItIsAskedAgain() async throws {
    let test = try await Commitment("same", "mute=2", patience: 1)
    #expect(try await test.delivery.deliverNext())
    for pause in [60.0, 120] {
      #expect(try await test.delivery.proveNext())
      #expect(try test.row.state == "sent")
      test.outbox.clock.advance(pause - 1)
      #expect(try await !test.delivery.proveNext())
      test.outbox.clock.advance(1)
    }
    #expect(try await test.delivery.proveNext())
    // It may come after the second for which it is waited; then it is asked again.
    try await waitUntil("the proof", within: 900) {
      test.outbox.clock.advance(3600)
      _ = try await test.delivery.proveNext()
      return try test.row.state == "delivered"
    }
    #expect(test.archive.stored.count == 2)
    let transactions = test.archive.events.compactMap(\.transaction)
    #expect(Set(transactions).count == transactions.count)
    try await test.archive.stop()
  }

  /// The report comes over an association of the archive to a listener, as in the receiving process.
  @Test func theReportComesToTheListener() async throws {
    let outbox = try Outbox(objects: 2)
    let port = try freePort()
    let logger = Logger(label: "test")
    let commitment = StorageCommitment(
      ledger: outbox.ledger, state: outbox.state, addresses: [:], callingAETitle: "SEGMENTD",
      logger: logger)
    let intake = Intake(
      state: outbox.state, ledger: outbox.ledger,
      receptions: ReceptionLog(ledger: outbox.ledger, logger: logger), logger: logger)
    let listener = try Listener(
      [
        StorageSCPConfiguration(
          address: "127.0.0.1", port: port, folder: outbox.state.incoming.path,
          policy: AssociationPolicy(
            calledAETitle: "SEGMENTD", sopClasses: ["1.2.840.10008.5.1.4.1.1.2"],
            transferSyntaxes: AssociationPolicy.decodedTransferSyntaxes))
      ], intake: intake, commitment: commitment, logger: logger)
    let archive = try await CommittingArchive("new", "to=\(port)", "bogus")
    let delivery = outbox.delivery(to: [
      "pacs": DIMSEDestination(
        peer: Peer(aeTitle: "PACS", host: "127.0.0.1", port: archive.port),
        callingAETitle: "SEGMENTD", proof: .commitment, reportPatience: 0)
    ])
    #expect(try await delivery.deliverNext())
    #expect(try await delivery.proveNext())
    try await waitUntil("the report", within: 900) { try outbox.row("pacs").state == "delivered" }
    try await waitUntil("both answers", within: 900) { archive.reported.count == 2 }
    #expect(archive.reported == [0x0115, 0])
    await listener.stop()
    try await archive.stop()
  }

  /// It is no use to ask one by C-FIND instead that does not answer that either.
  @Test(arguments: [("no-storage-commitment", true), ("refuse=0213", false), ("refuse=0112", true)])
  func anArchiveThatDoesNotCommitIsNamed(option: String, isHeld: Bool) async throws {
    let test = try await Commitment("same", option)
    #expect(try await test.delivery.deliverNext())
    #expect(try await test.delivery.proveNext())
    let row = try test.row
    #expect(row.state == (isHeld ? "held" : "sent") && row.lastFailure == .refused, "\(row)")
    let words = option.hasPrefix("no") ? "accepts none" : "refused to be asked"
    #expect(row.lastError?.contains(words) == true, "\(row)")
    #expect(row.lastError?.contains("set verify: none") == isHeld, "\(row)")
    #expect(test.archive.stored.count == 2)
    try await test.archive.stop()
  }

  // MARK: C-FIND

  @Test func anArchiveThatListsItIsBelieved() async throws {
    let outbox = try Outbox(objects: 2)
    let archive = try await Dcmqrscp([])
    let delivery = outbox.delivery(to: [
      "pacs": DIMSEDestination(
        peer: Peer(aeTitle: "PACS", host: "127.0.0.1", port: archive.port),
        callingAETitle: "SEGMENTD", proof: .query)
    ])
    #expect(try await delivery.deliverNext())
    #expect(try outbox.row("pacs").state == "sent")
    #expect(try await delivery.proveNext())
    let row = try outbox.row("pacs")
    #expect(row.state == "delivered" && row.objects.map(\.proof) == [.query, .query], "\(row)")
    try await archive.stop()
  }

  /// One without storage commitment is asked by C-FIND in its place.
  @Test func anArchiveWithoutCommitmentIsAskedWhatItLists() async throws {
    let outbox = try Outbox(objects: 2)
    let archive = try await Dcmqrscp([])
    let delivery = outbox.delivery(to: [
      "pacs": DIMSEDestination(
        peer: Peer(aeTitle: "PACS", host: "127.0.0.1", port: archive.port),
        callingAETitle: "SEGMENTD", proof: .commitment)
    ])
    #expect(try await delivery.deliverNext())
    #expect(try await delivery.proveNext())
    let row = try outbox.row("pacs")
    #expect(row.state == "delivered" && row.objects.map(\.proof) == [.query, .query], "\(row)")
    try await archive.stop()
  }

  /// What is not listed is asked about three times, and then sent again.
  @Test func whatIsNotListedIsSentAgain() async throws {
    let outbox = try Outbox()
    let forgetful = try await Receiver(answering: "0000")
    let archive = try await Dcmqrscp([])
    func destination(_ port: Int) -> DIMSEDestination {
      DIMSEDestination(
        peer: Peer(aeTitle: "PACS", host: "127.0.0.1", port: port), callingAETitle: "SEGMENTD",
        proof: .query)
    }
    // It answers with success and keeps nothing; the archive behind it is asked.
    #expect(
      try await outbox.delivery(to: ["pacs": destination(forgetful.peer.port)]).deliverNext())
    let delivery = outbox.delivery(to: ["pacs": destination(archive.port)])
    for question in 1...3 {
      #expect(try await delivery.proveNext())
      let row = try outbox.row("pacs")
      #expect(row.state == (question < 3 ? "sent" : "waiting"), "\(row)")
      #expect(row.lastFailure == .missing && row.lastError?.contains("2.25.7") == true)
      outbox.clock.advance(100)
    }
    #expect(try await delivery.deliverNext())
    #expect(try await delivery.proveNext())
    #expect(try outbox.row("pacs").state == "delivered")
    try await forgetful.process.end(SIGKILL)
    try await archive.stop()
  }

  /// An archive that cannot be asked: for now, or at all.
  @Test func anArchiveThatCannotBeAskedIsNamed() async throws {
    let outbox = try Outbox()
    let receiver = try await Receiver(answering: "0000")
    let delivery = outbox.delivery(to: [
      "pacs": DIMSEDestination(
        peer: receiver.peer, callingAETitle: "SEGMENTD", proof: .query, timeout: 900)
    ])
    #expect(try await delivery.deliverNext())
    #expect(try await delivery.proveNext())
    // pynetdicom rejects an association of which it takes no presentation context.
    let held = try outbox.row("pacs")
    #expect(["sent", "held"].contains(held.state) && held.lastError != nil, "\(held)")
    try await receiver.process.end(SIGKILL)
    _ = try outbox.ledger.apply(.retry, to: JobSelection())
    if held.state == "held" { #expect(try await delivery.deliverNext()) }
    #expect(try await delivery.proveNext())
    let row = try outbox.row("pacs")
    #expect(row.state == "sent" && row.lastFailure == .unreachable, "\(row)")
  }

  /// The configuration asks for no proof any more.
  @Test func proofThatIsNotAskedForAnyMoreIsNotWaitedFor() async throws {
    let outbox = try Outbox()
    let receiver = try await Receiver(answering: "0000")
    let asking = outbox.delivery(to: [
      "pacs": DIMSEDestination(peer: receiver.peer, callingAETitle: "SEGMENTD", proof: .query)
    ])
    #expect(try await asking.deliverNext())
    #expect(try outbox.row("pacs").state == "sent")
    #expect(try await outbox.delivery(["pacs": receiver.peer]).proveNext())
    #expect(try outbox.row("pacs").state == "delivered")
    try await receiver.process.end(SIGKILL)
  }
}
