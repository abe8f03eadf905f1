import Yams

/// What a `DecodingError` says, and the way to the key concerned.
struct DecodingFault {
  enum Kind {
    case missingKey
    case unknownKey(UnknownKeyError)
    case other(String)
  }

  var kind: Kind
  /// Ends with the key that is unknown or missing.
  var path: [any CodingKey]
  /// Set where the text is no YAML at all.
  var syntax: YamlError?

  init(_ error: DecodingError) {
    switch error {
    case .keyNotFound(let key, let context):
      kind = .missingKey
      path = context.codingPath + [key]
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      path = context.codingPath
      kind = .other("this is not \(Self.name(of: type))")
    case .dataCorrupted(let context):
      path = context.codingPath
      syntax = context.underlyingError as? YamlError
      if let unknown = context.underlyingError as? UnknownKeyError {
        kind = .unknownKey(unknown)
        path.append(unknown.key)
      } else {
        kind = .other(context.debugDescription)
      }
    @unknown default:
      kind = .other("\(error)")
      path = []
    }
  }

  /// A type in the words of somebody who writes YAML.
  private static func name(of type: Any.Type) -> String {
    switch type {
    case is Int.Type, is Int64.Type, is UInt16.Type: "a whole number"
    case is Double.Type, is Float.Type: "a number"
    case is Bool.Type: "true or false"
    case is String.Type: "text"
    case is [Any].Type: "a list"
    default:
      switch "\(type)" {
      case let name where name.contains("Mapping"): "a mapping of keys to values"
      case let name where name.contains("Sequence") || name.hasPrefix("Array"): "a list"
      default: "of the kind that is wanted here"
      }
    }
  }

  /// Keys joined by dots, with the places in lists: `recipients[0].kind`.
  var name: String {
    path.reduce(into: "") { name, key in
      if let index = key.intValue {
        name += "[\(index)]"
      } else {
        name += (name.isEmpty ? "" : ".") + key.stringValue
      }
    }
  }

  /// The line, from 1, of the key at the path, or of the last on the way to it that is there.
  func line(in root: Node) -> Int? {
    var node = root
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
