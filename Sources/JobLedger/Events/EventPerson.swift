/// Who caused an event: the account of an administrator, a user of the dashboard, or the name of an API token.
///
/// It is the last word of the message, in brackets: "by an administrator: new disk [anna]". So it is in the chain of
/// hashes, and what a person wrote as the reason cannot pass for it.
enum EventPerson {
  /// The message of an event that `person` caused.
  static func message(_ message: String, by person: String) -> String {
    let name = person.replacing("[", with: "(").replacing("]", with: ")")
    return "\(message) [\(name)]"
  }

  /// The message without the person, and the person; nil where the event does not say who it was.
  static func parts(of message: String) -> (message: String, person: String?) {
    guard message.hasSuffix("]"), let start = message.ranges(of: " [").last else {
      return (message, nil)
    }
    let name = message[start.upperBound...].dropLast()
    return name.contains("]")
      ? (message, nil) : (String(message[..<start.lowerBound]), String(name))
  }
}
