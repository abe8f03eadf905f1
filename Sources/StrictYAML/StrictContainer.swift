/// A key that no setting has.
public struct UnknownKeyError: Error, CustomStringConvertible {
  public var key: any CodingKey
  public var known: [String]

  public init(key: any CodingKey, known: [String]) {
    self.key = key
    self.known = known
  }

  public var description: String {
    "unknown key \"\(key.stringValue)\" (known here: \(known.joined(separator: ", ")))"
      + Spelling.question(key.stringValue, known)
  }
}

/// Any key, to see which are there.
public struct AnyKey: CodingKey {
  public var stringValue: String
  public var intValue: Int? { nil }
  public init(stringValue: String) { self.stringValue = stringValue }
  public init?(intValue: Int) { return nil }
}

extension Decoder {
  /// A strict container: one whose keys are all known.
  ///
  /// - Throws: `DecodingError.dataCorrupted` with an ``UnknownKeyError`` for the first other key.
  public func strictContainer<Key: CodingKey & CaseIterable>(keyedBy type: Key.Type) throws
    -> KeyedDecodingContainer<Key>
  {
    _ = try keys(known: Key.allCases.map(\.stringValue))
    return try container(keyedBy: type)
  }

  /// The keys that are there, all of them known.
  public func keys(known: [String]) throws -> [String] {
    let present = try container(keyedBy: AnyKey.self).allKeys
    if let key = present.first(where: { !known.contains($0.stringValue) }) {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: codingPath, debugDescription: "unknown key",
          underlyingError: UnknownKeyError(key: key, known: known)))
    }
    return present.map(\.stringValue)
  }
}
