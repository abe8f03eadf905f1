import Foundation
import FoundationXML
import Testing

@testable import AuditLog

/// The XML of audit messages by the rules of PS3.15 A.5.1, and the entries of syslog around it.
@Suite struct AuditMessageTests {
  private let application = AuditedApplication(aeTitle: "SEGMENTD", host: "pc1", processID: 42)
  private let time = Date(timeIntervalSince1970: 1_000_000.25)
  private let peer = AuditedPeer(name: "CT1", isAETitle: true, address: .ip("10.0.0.5"))

  /// Attributes that the schema demands of each element, and elements within it.
  private static let required: [String: (attributes: Set<String>, children: Set<String>)] = [
    "AuditMessage": (
      [], ["EventIdentification", "ActiveParticipant", "AuditSourceIdentification"]
    ),
    "EventIdentification": (
      ["EventActionCode", "EventDateTime", "EventOutcomeIndicator"], ["EventID"]
    ),
    "EventID": (["csd-code", "codeSystemName", "originalText"], []),
    "EventTypeCode": (["csd-code", "codeSystemName", "originalText"], []),
    "EventOutcomeDescription": ([], []),
    "ActiveParticipant": (["UserID", "UserIsRequestor"], []),
    "RoleIDCode": (["csd-code", "codeSystemName", "originalText"], []),
    "AuditSourceIdentification": (["AuditSourceID"], []),
    "AuditSourceTypeCode": (["csd-code"], []),
    "ParticipantObjectIdentification": (
      ["ParticipantObjectID", "ParticipantObjectTypeCode"], ["ParticipantObjectIDTypeCode"]
    ),
    "ParticipantObjectIDTypeCode": (["csd-code", "codeSystemName", "originalText"], []),
    "ParticipantObjectDescription": ([], []),
    "SOPClass": (["UID", "NumberOfInstances"], []),
  ]

  private func checked(_ message: AuditMessage) throws -> XMLElement {
    let text = message.xml(source: "SEGMENTD@pc1")
    #expect(!text.contains("\n"))
    let root = try #require(try XMLDocument(xmlString: text).rootElement())
    #expect(root.name == "AuditMessage")
    try check(root)
    return root
  }

  private func check(_ element: XMLElement) throws {
    let name = element.name ?? ""
    let rule = try #require(Self.required[name], "\(name) is not in the schema")
    let attributes = Set((element.attributes ?? []).compactMap(\.name))
    #expect(rule.attributes.isSubset(of: attributes), "\(name)")
    #expect((element.attributes ?? []).allSatisfy { $0.stringValue?.isEmpty == false }, "\(name)")
    let children = (element.children ?? []).compactMap { $0 as? XMLElement }
    #expect(rule.children.isSubset(of: Set(children.compactMap(\.name))), "\(name)")
    for child in children { try check(child) }
  }

  private func value(_ element: XMLElement, _ path: String) throws -> [String] {
    try element.nodes(forXPath: path).compactMap(\.stringValue)
  }

  @Test func activity() throws {
    for starts in [true, false] {
      let root = try checked(
        .activity(of: application, starts: starts, by: "segmentd", at: time))
      #expect(try value(root, "EventIdentification/EventID/@csd-code") == ["110100"])
      #expect(
        try value(root, "EventIdentification/EventTypeCode/@csd-code")
          == [starts ? "110120" : "110121"])
      #expect(
        try value(root, "EventIdentification/@EventDateTime") == ["1970-01-12T13:46:40.250Z"])
    }
  }

  @Test func transfers() throws {
    let objects = [
      AuditMessage.Object.study("1.2.3", instances: ["1.2.840.10008.5.1.4.1.1.2": 7])
    ]
    for (isReceived, isBegin) in [(true, true), (true, false), (false, false)] {
      let root = try checked(
        .transfer(
          objects, application: application, peer: peer, isReceived: isReceived, isBegin: isBegin,
          fault: isBegin ? nil : "aborted by peer", at: time))
      #expect(
        try value(root, "EventIdentification/EventID/@csd-code")
          == [isBegin ? "110102" : "110104"])
      let source = try value(
        root, "ActiveParticipant[RoleIDCode/@csd-code='110153']/@AlternativeUserID")
      #expect(source == [isReceived ? "AETITLES=CT1" : "AETITLES=SEGMENTD"])
      let requestors = try value(
        root, "ActiveParticipant[@UserIsRequestor='true']/RoleIDCode/@csd-code")
      #expect(requestors == ["110153"])
      #expect(try value(root, "ParticipantObjectIdentification/@ParticipantObjectID") == ["1.2.3"])
      #expect(try value(root, "//SOPClass/@NumberOfInstances") == ["7"])
      #expect(
        try value(root, "EventIdentification/@EventOutcomeIndicator") == [isBegin ? "0" : "4"])
    }
  }

  @Test func alerts() throws {
    let stranger = AuditedPeer(
      name: "<X\"&\u{1}\n>", isAETitle: true, address: .ip("10.0.0.9"))
    let rejected = try checked(
      .notAdmitted(stranger, by: application, reason: "called AE title <unknown>", at: time))
    #expect(try value(rejected, "EventIdentification/EventTypeCode/@csd-code") == ["110126"])
    #expect(
      try value(rejected, "ActiveParticipant[@UserIsRequestor='true']/@UserID")
        == ["<X\"&\u{FFFD}\n>"])
    let action = try checked(
      .action(
        "retried", "by an administrator", of: "job 3", study: "1.2", by: "anna",
        with: application, at: time))
    #expect(try value(action, "ActiveParticipant[@UserIsRequestor='true']/@UserID") == ["anna"])
    #expect(
      try value(action, "ParticipantObjectIdentification/@ParticipantObjectID") == ["job 3", "1.2"])
  }

  @Test(arguments: [true, false]) func sessionsOfPersons(begins: Bool) throws {
    let root = try checked(
      .session(of: "anna", from: "10.0.0.7", begins: begins, with: application, at: time))
    #expect(try value(root, "EventIdentification/EventID/@csd-code") == ["110114"])
    #expect(
      try value(root, "EventIdentification/EventTypeCode/@csd-code")
        == [begins ? "110122" : "110123"])
    #expect(try value(root, "ActiveParticipant[@UserIsRequestor='true']/@UserID") == ["anna"])
    #expect(
      try value(root, "ActiveParticipant[@UserIsRequestor='true']/@NetworkAccessPointID")
        == ["10.0.0.7"])
  }

  @Test func entriesAreOfRFC5424() throws {
    let entry = SyslogEntry(
      .activity(of: application, starts: true, by: "root", at: time), of: application)
    #expect(
      entry.line.hasPrefix(
        "<85>1 1970-01-12T13:46:40.250Z pc1 segmentd 42 DICOM+RFC3881 - <AuditMessage>"))
    let counted = String(decoding: entry.counted, as: UTF8.self)
    #expect(counted == "\(entry.line.utf8.count) \(entry.line)")
    let failed = SyslogEntry(
      .notAdmitted(peer, by: application, reason: "x", at: time), of: application)
    #expect(failed.line.hasPrefix("<84>1 "))
  }
}
