import Yams

/// The errors that a reader of YAML documents has for what can be wrong with one. Lines count from 1,
/// keys are named from the root, as in `labels[1].type`.
public protocol YAMLNodeError: Error {
  static func malformed(path: String, reason: String) -> Self
  static func unknownKey(path: String, key: String, line: Int) -> Self
  static func missingKey(path: String, key: String, line: Int) -> Self
  /// - Parameters:
  ///   - path: of the document.
  ///   - key: its name from the root.
  ///   - line: its line, from 1.
  ///   - reason: what follows the key in a sentence, such as "is not a number".
  static func invalidValue(path: String, key: String, line: Int, reason: String) -> Self
}

/// A place in a YAML document, read strictly: every mapping names the keys it may have.
///
/// For documents that are read step by step, where a value depends on others that were read before;
/// see ``StrictYAMLDecoder`` for those that are a type's own form.
///
/// ```swift
/// let root = try YAMLNode<ShelfError>(yaml: text, file: "shelf.yaml").allowing(["books"])
/// for book in try root.required("books").items() {
///   let book = try book.allowing(["title", "pages"])
///   print(try book.required("title").text(), try book.required("pages").integer(in: 1...9999))
/// }
/// ```
public struct YAMLNode<Failure: YAMLNodeError> {
  public let file: String
  /// Keys from the root, joined by dots.
  public let path: String
  package let node: Node

  package init(file: String, path: String, node: Node) {
    self.file = file
    self.path = path
    self.node = node
  }

  /// The root of a document.
  ///
  /// - Parameters:
  ///   - text: the document.
  ///   - file: the path named in errors.
  /// - Throws: `Failure.malformed` where the text is no YAML, or empty.
  public init(yaml text: String, file: String) throws(Failure) {
    let composed: Node?
    do {
      composed = try compose(yaml: text)
    } catch {
      throw .malformed(path: file, reason: "\(error)")
    }
    guard let composed else { throw .malformed(path: file, reason: "the document is empty") }
    self.init(file: file, path: "", node: composed)
  }

  /// Whether the value is text, a number or a flag, and no list or mapping.
  public var isScalar: Bool { node.scalar != nil }
  public var isList: Bool { node.sequence != nil }

  private var line: Int { node.mark?.line ?? 1 }

  private func name(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  /// The error of a value that is not as it should be.
  public func invalid(_ reason: String) -> Failure {
    .invalidValue(
      path: file, key: path.isEmpty ? "the document" : path, line: line, reason: reason)
  }

  /// Checks that the mapping has no other keys than these.
  public func allowing(_ keys: [String]) throws(Failure) -> YAMLNode {
    guard let mapping = node.mapping else { throw invalid("is not a mapping of keys to values") }
    for (key, _) in mapping {
      guard let text = key.scalar?.string, keys.contains(text) else {
        throw .unknownKey(
          path: file, key: name(key.scalar?.string ?? "?"), line: key.mark?.line ?? line)
      }
    }
    return self
  }

  /// The value of a key; nil where the mapping lacks it.
  public func optional(_ key: String) -> YAMLNode? {
    guard let value = node.mapping?[key] else { return nil }
    return YAMLNode(file: file, path: name(key), node: value)
  }

  public func required(_ key: String) throws(Failure) -> YAMLNode {
    guard let value = optional(key) else {
      throw .missingKey(path: file, key: name(key), line: line)
    }
    return value
  }

  /// Text that is not empty.
  public func text() throws(Failure) -> String {
    guard let text = node.scalar?.string, !text.isEmpty else { throw invalid("is not text") }
    return text
  }

  public func number() throws(Failure) -> Double {
    guard let scalar = node.scalar, let value = Double(scalar.string), value.isFinite else {
      throw invalid("is not a number")
    }
    return value
  }

  public func integer(in range: ClosedRange<Int>) throws(Failure) -> Int {
    guard let scalar = node.scalar, let value = Int(scalar.string), range.contains(value) else {
      throw invalid("is not a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  public func flag() throws(Failure) -> Bool {
    guard let value = node.bool else { throw invalid("is not true or false") }
    return value
  }

  public func items() throws(Failure) -> [YAMLNode] {
    guard let sequence = node.sequence else { throw invalid("is not a list") }
    return sequence.enumerated().map { index, item in
      YAMLNode(file: file, path: "\(path)[\(index)]", node: item)
    }
  }

  /// Decodes the value. A type that decodes from a strict container refuses unknown keys here too.
  ///
  /// - Throws: the error of the key at fault, with its own line.
  public func decode<Value: Decodable>(_ type: Value.Type) throws(Failure) -> Value {
    do {
      return try YAMLDecoder().decode(type, from: node)
    } catch let error as DecodingError {
      throw failure(DecodingFault(error))
    } catch {
      throw invalid("is invalid: \(error)")
    }
  }

  private func failure(_ fault: DecodingFault) -> Failure {
    var key = path
    for part in fault.path {
      if let index = part.intValue {
        key += "[\(index)]"
      } else {
        key += key.isEmpty ? part.stringValue : ".\(part.stringValue)"
      }
    }
    let line = fault.line(in: node) ?? line
    return switch fault.kind {
    case .unknownKey: .unknownKey(path: file, key: key, line: line)
    case .missingKey: .missingKey(path: file, key: key, line: line)
    case .other(let reason):
      .invalidValue(
        path: file, key: key.isEmpty ? "the document" : key, line: line,
        reason: "is invalid: \(reason)")
    }
  }
}
