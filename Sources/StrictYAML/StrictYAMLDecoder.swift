import FileSystem
import Foundation
import Yams

/// Reads a YAML file into a type that refuses keys it does not know, with the line of each fault.
///
/// The type itself refuses them, by decoding from a strict container:
///
/// ```swift
/// struct Peer: Decodable {
///   var host: String
///   private enum CodingKeys: String, CodingKey, CaseIterable { case host }
///   init(from decoder: any Decoder) throws {
///     host = try decoder.strictContainer(keyedBy: CodingKeys.self).decode(String.self, forKey: .host)
///   }
/// }
/// let peer = try StrictYAMLDecoder().decode(Peer.self, file: "peer.yaml")
/// ```
public struct StrictYAMLDecoder: Sendable {
  public init() {}

  /// - Throws: ``YAMLFileError``
  public func decode<Value: Decodable>(_ type: Value.Type, file: String) throws(YAMLFileError)
    -> Value
  {
    let text: String
    do {
      text = try TextFile.read(file)
    } catch {
      throw .unreadable(file: file, reason: error.description)
    }
    return try decode(type, text: text, of: file)
  }

  /// - Parameters:
  ///   - type: the type.
  ///   - text: of the file.
  ///   - file: named in errors.
  /// - Throws: ``YAMLFileError``
  public func decode<Value: Decodable>(_ type: Value.Type, text: String, of file: String)
    throws(YAMLFileError) -> Value
  {
    do {
      return try YAMLDecoder().decode(type, from: text)
    } catch let error as DecodingError {
      throw Self.fault(error, file: file, text: text)
    } catch {
      throw .invalid(file: file, line: nil, message: "\(error)")
    }
  }

  /// The line, from 1, of the key that a message begins with, such as `listener[1].port: port 0 is not …`, or of
  /// the last key on the way to it that is there; nil where the message begins with none.
  public static func line(ofKeyIn message: String, text: String) -> Int? {
    guard let root = try? Yams.compose(yaml: text) else { return nil }
    let name = message.prefix { $0 != ":" && $0 != " " }
    var node = root
    var line: Int?
    for part in name.split(separator: ".") {
      let pieces = part.split(separator: "[")
      guard let key = pieces.first.map(String.init) else { return line }
      if let pair = node.mapping?.first(where: { $0.key.string == key }) {
        line = pair.key.mark?.line ?? line
        node = pair.value
      } else if let item = node.sequence?.first(where: { $0.mapping?["name"]?.string == key }) {
        // Such as a destination, which messages call by its name.
        line = item.mark?.line ?? line
        node = item
      } else {
        return line
      }
      for piece in pieces.dropFirst() {
        guard let index = Int(piece.dropLast()), let list = node.sequence, index < list.count else {
          return line
        }
        node = list[index]
        line = node.mark?.line ?? line
      }
    }
    return line
  }

  /// The line of the second occurrence of a key in a mapping.
  ///
  /// - Parameters:
  ///   - key: the key.
  ///   - start: the line of the mapping, from 1.
  ///   - text: of the document.
  private static func line(ofSecond key: String, from start: Int, text: String) -> Int {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    let found = lines.dropFirst(max(0, start - 1)).filter { _, line in
      line.drop { $0 == " " || $0 == "-" }.hasPrefix("\(key):")
    }
    // Lists of one line, as {a: 1, a: 2}, have one line anyway.
    guard let first = found.first else { return start }
    func indentation(_ line: Substring) -> Int { line.prefix { $0 == " " || $0 == "-" }.count }
    return found.dropFirst().first { indentation($0.element) == indentation(first.element) }
      .map { $0.offset + 1 } ?? start
  }

  private static func fault(_ error: DecodingError, file: String, text: String)
    -> YAMLFileError
  {
    let fault = DecodingFault(error)
    if case .duplicatedKeysInMapping(let keys, let context)? = fault.syntax,
      let key = keys.min()
    {
      return .invalid(
        file: file, line: line(ofSecond: key, from: context.mark.line, text: text),
        message: "the key \"\(key)\" is there twice")
    }
    if let syntax = fault.syntax { return .invalid(file: file, line: nil, message: "\(syntax)") }
    let line = (try? Yams.compose(yaml: text)).flatMap { fault.line(in: $0) }
    let message =
      switch fault.kind {
      case .missingKey: "\(fault.name) is missing"
      case .unknownKey(let unknown): unknown.description
      case .other(let reason): fault.name.isEmpty ? reason : "\(fault.name): \(reason)"
      }
    return .invalid(file: file, line: line, message: message)
  }
}
