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

  private static func fault(_ error: DecodingError, file: String, text: String)
    -> YAMLFileError
  {
    let fault = DecodingFault(error)
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
