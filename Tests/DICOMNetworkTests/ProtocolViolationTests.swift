import DICOMNetwork
import Foundation
import TestSupport
import Testing

/// What the listener answers to peers that break the rules of the upper layer (PS3.8 9): an
/// A-ASSOCIATE-RJ or an A-ABORT with its reason, and a line of the log in words.
@Suite struct ProtocolViolationTests {
  /// One exchange, the last answer, and what is reported.
  struct Violation: Sendable, CustomTestStringConvertible {
    var probe: String
    var answer: String
    var report: String
    var testDescription: String { probe }

    init(_ probe: String, _ answer: String, _ report: String) {
      (self.probe, self.answer, self.report) = (probe, answer, report)
    }
  }

  static let atTheBeginning = [
    Violation("blank-calling", "RJ 1 1 3", "calling AE title is blank"),
    Violation("blank-called", "RJ 1 1 7", "called AE title is blank"),
    Violation("protocol-version", "RJ 1 2 2", "protocol version"),
    Violation("application-context", "RJ 1 1 2", "application context"),
    Violation("http", "ABORT 2 1", "speaks HTTP"),
    Violation("tls", "ABORT 2 1", "speaks TLS on a port without it"),
    Violation("pdu-of-4-gib", "ABORT 2 6", "an association request of 4294967295 bytes"),
    Violation("unknown-pdu", "ABORT 2 1", "does not speak DICOM"),
    Violation("data-first", "ABORT 2 2", "before an association was requested"),
    Violation("abort-first", "ABORT 2 2", "before an association was requested"),
    Violation("half-a-header", "ABORT 2 0", "the association request took too long"),
    Violation("half-a-request", "ABORT 2 0", "the association request took too long"),
    Violation("short-request", "ABORT 2 6", "the association request is cut off"),
    Violation("long-version-name", "ABORT 2 6", "the association request cannot be read"),
    Violation("item-beyond-its-pdu", "ABORT 2 6", "the association request cannot be read"),
    Violation("long-uid", "ABORT 2 6", "the association request cannot be read"),
    Violation("short-context", "ABORT 2 6", "the association request cannot be read"),
  ]

  static let inAnAssociation = [
    Violation("second-request", "AC ABORT 2 2", "a PDU of association establishment"),
    Violation("accept-from-the-caller", "AC ABORT 2 2", "a PDU of association establishment"),
    Violation("unknown-pdu-later", "AC ABORT 2 1", "a PDU of unknown type"),
    Violation("long-pdu-later", "AC ABORT 2 6", "longer than agreed"),
    Violation("long-release", "AC ABORT 2 6", "longer than its type admits"),
    Violation("pdv-beyond-its-pdu", "AC ABORT 2 6", "a PDV is longer than its PDU"),
    Violation("pdv-of-no-length", "AC ABORT 2 6", "a P-DATA PDU has no data"),
    Violation("unknown-context", "AC ABORT 2 6", "Bad presentation context ID"),
    Violation("unknown-command", "AC ABORT 2 6", "the protocol was violated"),
    Violation("endless-command", "AC ABORT 2 6", "a command set is longer"),
    Violation("nested-command", "AC ABORT 2 6", "a command set is longer"),
    Violation("half-a-pdu", "AC ABORT 0 0", "a PDU took too long"),
  ]

  @Test(arguments: atTheBeginning + inAnAssociation)
  func isAnsweredAndReported(violation: Violation) async throws {
    let listener = try Listener {
      $0.policy.limits.requestSeconds = 1
      $0.policy.limits.pduSeconds = 1
    }
    let probe = try await HostilePeers.run(
      "probe", violation.probe, "\(listener.port)", Listener.aeTitle)
    #expect(probe.output == violation.answer + "\n", "\(probe.output)")
    // Whoever keeps to the rules is served as before.
    #expect(try await listener.echo().status == 0)
    await listener.stop()
    let messages = listener.events.map(\.message)
    #expect(messages.contains { $0.contains(violation.report) }, "\(listener.events)")
    // Neither numbers of DCMTK nor more than a line.
    for message in messages {
      #expect(
        message.wholeMatch(of: /[^\n]*/) != nil && !message.contains(/[0-9a-f]{4}:[0-9a-f]{4}/))
    }
    #expect(try listener.files.isEmpty)
  }

  /// A rejection, the refusal of contexts and the lack of any leave a trace with who and why.
  @Test func refusedContextsAreReported() async throws {
    let listener = try Listener()
    let files = [try await Phantom.file("mr"), try await Phantom.file("segmentation")]
    _ = try await listener.storescu(["-aet", "MIXED"], files)
    _ = try await listener.storescu(["-aet", "LONELY"], [files[1]])
    await listener.stop()
    let accepted = try #require(listener.events.first { $0.kind == .accepted })
    #expect(accepted.association.callingAETitle == "MIXED")
    #expect(accepted.message.contains("SegmentationStorage (1.2.840.10008.5.1.4.1.1.66.4)"))
    let rejected = try #require(listener.events.first { $0.kind == .rejected })
    #expect(rejected.association.callingAETitle == "LONELY")
    #expect(rejected.message.contains("no presentation context is accepted: SegmentationStorage"))
  }
}
