import Foundation

extension AuditMessage {
  /// As XML in one line, by the schema of PS3.15 A.5.1.
  ///
  /// - Parameter source: what writes the log, as AuditSourceID.
  public func xml(source: String) -> String {
    var xml = XMLText()
    xml.element("AuditMessage") { xml in
      xml.element(
        "EventIdentification",
        [
          ("EventActionCode", action.rawValue),
          ("EventDateTime", Self.time(at)),
          ("EventOutcomeIndicator", "\(outcome.rawValue)"),
        ]
      ) { xml in
        xml.code("EventID", event)
        if let type { xml.code("EventTypeCode", type) }
        if let outcomeDescription {
          xml.element("EventOutcomeDescription") { $0.text(outcomeDescription) }
        }
      }
      for participant in participants { xml.participant(participant) }
      xml.element("AuditSourceIdentification", [("AuditSourceID", source)]) { xml in
        // Application server process (PS3.15 A.5.1, AuditSourceTypeCode).
        xml.element("AuditSourceTypeCode", [("csd-code", "4")])
      }
      for object in objects { xml.object(object) }
    }
    return xml.value
  }

  /// RFC 3339, in UTC with milliseconds.
  static func time(_ date: Date) -> String {
    date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }
}

/// Elements of XML.
private struct XMLText {
  private(set) var value = ""

  mutating func element(
    _ name: String, _ attributes: [(String, String)] = [], _ content: (inout XMLText) -> Void
  ) {
    open(name, attributes)
    value += ">"
    content(&self)
    value += "</\(name)>"
  }

  mutating func element(_ name: String, _ attributes: [(String, String)]) {
    open(name, attributes)
    value += "/>"
  }

  private mutating func open(_ name: String, _ attributes: [(String, String)]) {
    value += "<\(name)"
    for (key, text) in attributes { value += " \(key)=\"\(Self.escaped(text))\"" }
  }

  mutating func text(_ text: String) { value += Self.escaped(text) }

  mutating func code(_ name: String, _ code: AuditMessage.Code) {
    element(
      name,
      [
        ("csd-code", code.value), ("codeSystemName", code.scheme), ("originalText", code.meaning),
      ])
  }

  mutating func participant(_ participant: AuditMessage.Participant) {
    var attributes = [("UserID", participant.userID)]
    if let title = participant.aeTitle {
      attributes.append(("AlternativeUserID", "AETITLES=\(title)"))
    }
    attributes.append(("UserIsRequestor", participant.isRequestor ? "true" : "false"))
    if let address = participant.address {
      attributes.append(("NetworkAccessPointID", address.text))
      attributes.append(("NetworkAccessPointTypeCode", address.typeCode))
    }
    element("ActiveParticipant", attributes) { xml in
      for role in participant.roles { xml.code("RoleIDCode", role) }
    }
  }

  mutating func object(_ object: AuditMessage.Object) {
    switch object {
    case .study(let uid, let instances):
      element(
        "ParticipantObjectIdentification",
        [
          ("ParticipantObjectID", uid), ("ParticipantObjectTypeCode", "2"),
          ("ParticipantObjectTypeCodeRole", "3"),
        ]
      ) { xml in
        xml.code("ParticipantObjectIDTypeCode", .studyInstanceUID)
        for (uid, count) in instances.sorted(by: { $0.key < $1.key }) {
          xml.element("SOPClass", [("UID", uid), ("NumberOfInstances", "\(count)")])
        }
      }
    case .patient(let id):
      element(
        "ParticipantObjectIdentification",
        [
          ("ParticipantObjectID", id), ("ParticipantObjectTypeCode", "1"),
          ("ParticipantObjectTypeCodeRole", "1"),
        ]
      ) { xml in xml.code("ParticipantObjectIDTypeCode", .patientNumber) }
    case .subject(let id, let description):
      element(
        "ParticipantObjectIdentification",
        [("ParticipantObjectID", id), ("ParticipantObjectTypeCode", "2")]
      ) { xml in
        xml.code("ParticipantObjectIDTypeCode", .nodeID)
        xml.element("ParticipantObjectDescription") { $0.text(description) }
      }
    }
  }

  /// Without characters that XML 1.0 does not have; line ends as references, so that an entry is a line.
  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\t", "\n", "\r": result += "&#\(scalar.value);"
      default:
        let isCharacter = scalar.value >= 0x20 && scalar.value & 0xFFFE != 0xFFFE
        result.unicodeScalars.append(isCharacter ? scalar : "\u{FFFD}")
      }
    }
    return result
  }
}

extension AuditMessage.Participant.Address {
  /// PS3.15 A.5.1, NetworkAccessPointTypeCode: machine name, or IP address.
  fileprivate var typeCode: String {
    switch self {
    case .name: "1"
    case .ip: "2"
    }
  }
}
