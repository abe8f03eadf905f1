/// A key that no setting has.
package struct UnknownKeyError: Error, CustomStringConvertible {
  package var key: any CodingKey
  package var known: [String]

  package init(key: any CodingKey, known: [String]) {
    self.key = key
    self.known = known
  }

  package var description: String {
    "unknown key \"\(key.stringValue)\" (known here: \(known.joined(separator: ", ")))"
  }
}

/// Any key, to see which are there.
package struct AnyKey: CodingKey {
  package var stringValue: String
  package var intValue: Int? { nil }
  package init(stringValue: String) { self.stringValue = stringValue }
  package init?(intValue: Int) { return nil }
}

extension Decoder {
  /// A container whose keys are all known.
  ///
  /// - Throws: `DecodingError.dataCorrupted` with an ``UnknownKeyError`` for the first other key.
  package func strictContainer<Key: CodingKey & CaseIterable>(keyedBy type: Key.Type) throws
    -> KeyedDecodingContainer<Key>
  {
    _ = try keys(known: Key.allCases.map(\.stringValue))
    return try container(keyedBy: type)
  }

  /// The keys that are there, all of them known.
  package func keys(known: [String]) throws -> [String] {
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
