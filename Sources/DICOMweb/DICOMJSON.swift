import DICOM

/// A dataset in the DICOM JSON model (PS3.18 F.2), as far as texts, numbers and sequences go.
struct JSONDataset: Decodable {
  private struct Attribute: Decodable {
    var vr: String?
    var value: [JSONValue]?

    enum CodingKeys: String, CodingKey {
      case vr
      case value = "Value"
    }
  }

  /// A value of `Value`; other objects than items of sequences, as of names, are passed over.
  private enum JSONValue: Decodable {
    case text(String)
    case number(Double)
    case item(JSONDataset)
    case other

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let text = try? value.decode(String.self) {
        self = .text(text)
      } else if let number = try? value.decode(Double.self) {
        self = .number(number)
      } else if let item = try? value.decode(JSONDataset.self) {
        self = .item(item)
      } else {
        self = .other
      }
    }
  }

  private let attributes: [String: Attribute]

  init(from decoder: any Decoder) throws {
    attributes = try [String: Attribute](from: decoder)
  }

  /// The first value as text without the padding around it; nil where there is none.
  func text(_ tag: Tag) -> String? {
    guard case .text(let text)? = first(tag) else { return nil }
    let trimmed = DICOMUID.trimmed(text)
    return trimmed.isEmpty ? nil : trimmed
  }

  /// The first value as an integer; a text of digits is taken too, as some servers write IS so.
  func integer(_ tag: Tag) -> Int? {
    switch first(tag) {
    case .number(let number)?: Int(exactly: number)
    case .text(let text)?: Int(DICOMUID.trimmed(text))
    default: nil
    }
  }

  /// The items of a sequence.
  func items(_ tag: Tag) -> [JSONDataset] {
    values(tag).compactMap { if case .item(let item) = $0 { item } else { nil } }
  }

  private func first(_ tag: Tag) -> JSONValue? { values(tag).first }

  private func values(_ tag: Tag) -> [JSONValue] {
    let digits = String(tag.rawValue, radix: 16, uppercase: true)
    let key = String(repeating: "0", count: 8 - digits.count) + digits
    return attributes[key]?.value ?? []
  }
}
