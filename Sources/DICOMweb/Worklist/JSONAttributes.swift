import DICOM
import Foundation

/// Attributes to be sent in the DICOM JSON model (PS3.18 F.2).
struct JSONAttributes: ExpressibleByDictionaryLiteral, Encodable {
  indirect enum Value: Encodable {
    /// Texts of a VR.
    case values(String, [String])
    /// A sequence.
    case items([JSONAttributes])

    private enum Key: String, CodingKey {
      case vr
      case value = "Value"
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Key.self)
      switch self {
      case .values(let vr, let texts):
        try container.encode(vr, forKey: .vr)
        if vr == "DS" {
          try container.encode(texts.map { Double($0) ?? 0 }, forKey: .value)
        } else {
          try container.encode(texts, forKey: .value)
        }
      case .items(let items):
        try container.encode("SQ", forKey: .vr)
        if !items.isEmpty { try container.encode(items, forKey: .value) }
      }
    }
  }

  private var attributes: [String: Value] = [:]

  init(dictionaryLiteral elements: (Tag, Value)...) {
    for (tag, value) in elements { self[tag] = value }
  }

  subscript(_ tag: Tag) -> Value? {
    get { attributes[Self.key(tag)] }
    set { attributes[Self.key(tag)] = newValue }
  }

  /// A coded entry (PS3.3 8.8).
  static func code(_ value: String, _ scheme: String, _ meaning: String) -> JSONAttributes {
    [
      .codeValue: .values("SH", [String(value.prefix(16))]),
      .codingSchemeDesignator: .values("SH", [scheme]),
      .codeMeaning: .values("LO", [String(meaning.prefix(64))]),
    ]
  }

  func encode(to encoder: any Encoder) throws { try attributes.encode(to: encoder) }

  /// With sorted keys.
  var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }

  private static func key(_ tag: Tag) -> String {
    let digits = String(tag.rawValue, radix: 16, uppercase: true)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}
