/// A value that is one of some words. A word that is none of them is an error that names them all.
///
/// ```swift
/// enum Level: String, YAMLChoice { case debug, info }
/// ```
public protocol YAMLChoice: RawRepresentable<String>, CaseIterable, Decodable {}

extension YAMLChoice {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let word = try container.decode(String.self)
    guard let value = Self(rawValue: word) else {
      let known = Self.allCases.map(\.rawValue)
      throw DecodingError.dataCorruptedError(
        in: container,
        debugDescription: "\"\(word)\" is none of \(known.joined(separator: ", "))"
          + Spelling.question(word, known))
    }
    self = value
  }
}
