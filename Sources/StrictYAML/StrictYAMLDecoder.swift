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
      text = try String(contentsOfFile: file, encoding: .utf8)
    } catch {
      throw .unreadable(file: file, reason: error.localizedDescription)
    }
    do {
      return try YAMLDecoder().decode(type, from: text)
    } catch let error as DecodingError {
      throw Self.fault(error, file: file, text: text)
    } catch {
      throw .invalid(file: file, line: nil, message: "\(error)")
    }
  }

  private static func fault(_ error: DecodingError, file: String, text: String)
    -> YAMLFileError
  {
    let context: DecodingError.Context
    var path: [any CodingKey]
    switch error {
    case .typeMismatch(_, let found), .valueNotFound(_, let found), .dataCorrupted(let found):
      context = found
      path = found.codingPath
    case .keyNotFound(let key, let found):
      let name = (found.codingPath + [key]).map(\.stringValue).joined(separator: ".")
      return .invalid(
        file: file, line: line(of: found.codingPath, in: text), message: "\(name) is missing")
    @unknown default:
      return .invalid(file: file, line: nil, message: "\(error)")
    }
    if let unknown = context.underlyingError as? UnknownKeyError {
      path.append(unknown.key)
      return .invalid(file: file, line: line(of: path, in: text), message: unknown.description)
    }
    if let yaml = context.underlyingError as? YamlError {
      return .invalid(file: file, line: nil, message: "\(yaml)")
    }
    let name = path.map(\.stringValue).joined(separator: ".")
    let message = name.isEmpty ? context.debugDescription : "\(name): \(context.debugDescription)"
    return .invalid(file: file, line: line(of: path, in: text), message: message)
  }

  /// The line, from 1, of the key that a coding path leads to.
  private static func line(of path: [any CodingKey], in text: String) -> Int? {
    guard var node = try? Yams.compose(yaml: text) else { return nil }
    var line = node.mark?.line
    for key in path {
      if let index = key.intValue, let sequence = node.sequence, index < sequence.count {
        node = sequence[index]
        line = node.mark?.line ?? line
      } else if let pair = node.mapping?.first(where: { $0.key.string == key.stringValue }) {
        line = pair.key.mark?.line ?? line
        node = pair.value
      } else {
        return line
      }
    }
    return line
  }
}
