import Foundation

/// A media type with its parameters (RFC 9110 8.3.1).
package struct MediaType: Equatable {
  package var name: String
  /// Names in lower case.
  package var parameters: [String: String] = [:]

  package init(_ text: String) {
    var parts: [String] = [""]
    var isQuoted = false
    for character in text {
      switch character {
      case "\"": isQuoted.toggle()
      case ";" where !isQuoted: parts.append("")
      default: parts[parts.count - 1].append(character)
      }
    }
    name = parts[0].trimmingCharacters(in: .whitespaces).lowercased()
    for part in parts.dropFirst() {
      guard let equals = part.firstIndex(of: "=") else { continue }
      let key = part[..<equals].trimmingCharacters(in: .whitespaces).lowercased()
      parameters[key] = part[part.index(after: equals)...].trimmingCharacters(in: .whitespaces)
    }
  }
}
