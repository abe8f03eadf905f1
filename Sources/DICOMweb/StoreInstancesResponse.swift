import DICOM
import Foundation

/// What became of the instances of a Store transaction: the Store Instances Response Module (PS3.18 I.2).
public struct StoreInstancesResponse: Sendable, Equatable {
  /// An instance as far as it is known.
  public struct Instance: Sendable, Equatable {
    public var sopClassUID: String?
    public var sopInstanceUID: String?
    /// Warning Reason (0008,1196) of a stored one, as a server of another gives it; we give none.
    public var warning: UInt16?

    public init(sopClassUID: String?, sopInstanceUID: String?) {
      self.sopClassUID = sopClassUID
      self.sopInstanceUID = sopInstanceUID
    }
  }

  public struct Failure: Sendable, Equatable {
    public var instance: Instance
    /// Failure Reason (0008,1197), as the status of a C-STORE.
    public var reason: UInt16

    public init(instance: Instance, reason: UInt16) {
      self.instance = instance
      self.reason = reason
    }
  }

  public var stored: [Instance] = []
  public var failed: [Failure] = []

  public init() {}

  /// The status of the answer (PS3.18 10.5.3): 200 where all were stored, 202 where some were, 409 where
  /// none was, 503 where none was for want of resources.
  public var status: Int {
    if failed.isEmpty, !stored.isEmpty { return 200 }
    if !stored.isEmpty { return 202 }
    let isOutOfResources = failed.allSatisfy { $0.reason & 0xFF00 == 0xA700 }
    return isOutOfResources && !failed.isEmpty ? 503 : 409
  }

  private typealias Attribute = ResponseAttribute

  private var attributes: [Attribute] {
    // The items of Failed SOP Sequence name their instances; others are in a sequence without names.
    let named = failed.filter { $0.instance.isKnown }
    let others = failed.filter { !$0.instance.isKnown }
    var attributes: [Attribute] = [.init(tag: 0x0008_1190, value: .uri(""))]
    if !named.isEmpty {
      attributes.append(
        .init(
          tag: 0x0008_1198,
          value: .sequence(named.map { $0.instance.attributes + [Self.reason($0.reason)] })))
    }
    if !stored.isEmpty {
      attributes.append(
        .init(tag: 0x0008_1199, value: .sequence(stored.map(\.attributes))))
    }
    if !others.isEmpty {
      attributes.append(
        .init(tag: 0x0008_119A, value: .sequence(others.map { [Self.reason($0.reason)] })))
    }
    return attributes
  }

  private static func reason(_ reason: UInt16) -> Attribute {
    Attribute(tag: 0x0008_1197, value: .number(reason))
  }

  /// The DICOM JSON model (PS3.18 F).
  ///
  /// - Throws: `EncodingError`
  public func json() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(JSONItem(attributes: attributes))
  }

  /// The Native DICOM model (PS3.19 A.1).
  public func xml() -> Data {
    let text =
      #"<?xml version="1.0" encoding="UTF-8"?>"# + "\n"
      + #"<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">"#
      + attributes.map(\.xml).joined() + "</NativeDicomModel>\n"
    return Data(text.utf8)
  }
}

extension StoreInstancesResponse.Instance {
  fileprivate var isKnown: Bool { sopClassUID != nil && sopInstanceUID != nil }

  fileprivate var attributes: [ResponseAttribute] {
    [
      ResponseAttribute(tag: 0x0008_1150, value: .uid(sopClassUID ?? "")),
      ResponseAttribute(tag: 0x0008_1155, value: .uid(sopInstanceUID ?? "")),
    ]
  }
}

/// An attribute of the response.
private struct ResponseAttribute {
  indirect enum Value {
    case uid(String)
    case uri(String)
    case number(UInt16)
    case sequence([[ResponseAttribute]])
  }

  private static let keywords: [UInt32: String] = [
    0x0008_1150: "ReferencedSOPClassUID", 0x0008_1155: "ReferencedSOPInstanceUID",
    0x0008_1190: "RetrieveURL", 0x0008_1197: "FailureReason",
    0x0008_1198: "FailedSOPSequence", 0x0008_1199: "ReferencedSOPSequence",
    0x0008_119A: "OtherFailuresSequence",
  ]

  var tag: UInt32
  var value: Value

  var tagText: String {
    let digits = String(tag, radix: 16, uppercase: true)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }

  var vr: String {
    switch value {
    case .uid: "UI"
    case .uri: "UR"
    case .number: "US"
    case .sequence: "SQ"
    }
  }

  var xml: String {
    let content =
      switch value {
      case .uid(let text), .uri(let text):
        text.isEmpty ? "" : #"<Value number="1">\#(escaped(text))</Value>"#
      case .number(let number): #"<Value number="1">\#(number)</Value>"#
      case .sequence(let items):
        items.enumerated().map { index, item in
          #"<Item number="\#(index + 1)">"# + item.map(\.xml).joined() + "</Item>"
        }.joined()
      }
    return #"<DicomAttribute tag="\#(tagText)" vr="\#(vr)" keyword="\#(Self.keywords[tag] ?? "")">"#
      + content + "</DicomAttribute>"
  }

  private func escaped(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;")
      .replacingOccurrences(of: "<", with: "&lt;").replacingOccurrences(of: ">", with: "&gt;")
      .replacingOccurrences(of: "\"", with: "&quot;").replacingOccurrences(of: "'", with: "&apos;")
  }
}

/// A dataset in JSON: an object with a member for each attribute.
private struct JSONItem: Encodable {
  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }

    init(_ text: String) { stringValue = text }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
  }

  var attributes: [ResponseAttribute]

  func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: Key.self)
    for attribute in attributes {
      var member = object.nestedContainer(keyedBy: Key.self, forKey: Key(attribute.tagText))
      try member.encode(attribute.vr, forKey: Key("vr"))
      switch attribute.value {
      case .uid(""), .uri(""): break
      case .uid(let text), .uri(let text): try member.encode([text], forKey: Key("Value"))
      case .number(let number): try member.encode([number], forKey: Key("Value"))
      case .sequence(let items):
        try member.encode(items.map(JSONItem.init), forKey: Key("Value"))
      }
    }
  }
}
