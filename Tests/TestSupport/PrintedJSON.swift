import Foundation
import Synchronization

/// Compares what `segmentd ... --json` prints with the schemas of `Config/json-schemas`: ``runProcess(_:_:environment:within:)``
/// does so for each command of each test.
enum PrintedJSON {
  struct Difference: Error, CustomStringConvertible {
    var command: String
    var text: String
    var description: String { "\(command): what it printed is not as documented: \(text)" }
  }

  /// Documents whose keys, types and words have been compared already, with their schemas.
  private static let compared = Mutex<Set<String>>([])

  /// - Parameters:
  ///   - arguments: of `segmentd`.
  ///   - result: with standard output and error as they came.
  /// - Throws: ``Difference``
  static func check(_ arguments: [String], _ result: ProcessResult) async throws {
    guard arguments.contains("--json"), let schema = PrintedJSONSchema.name(arguments) else {
      return
    }
    let command = arguments.joined(separator: " ")
    guard let document = document(in: result.output) else {
      // One that could not do its work says why on standard error.
      guard result.status == 0 else { return }
      throw Difference(command: command, text: "no JSON in \(result.output.prefix(300))")
    }
    let value = try JSONSerialization.jsonObject(with: Data(document.utf8))
    let shape = schema + shape(of: value)
    guard compared.withLock({ !$0.contains(shape) }) else { return }
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("document.json")
    try Data(document.utf8).write(to: file)
    let script = TestFiles.package
      .appendingPathComponent("Scripts/test-support/readers/check_json.py").path
    let checked = try await runProcess(testPython, [script, "output", schema, file.path])
    guard checked.status == 0 else {
      throw Difference(command: command, text: "\(schema): \(checked.output)")
    }
    compared.withLock { _ = $0.insert(shape) }
  }

  /// The document among lines of the log: its first line is a bracket alone, and so is its last.
  static func document(in output: String) -> String? {
    let lines = output.split(separator: "\n", omittingEmptySubsequences: false)
    if let empty = lines.first(where: { ["[]", "{}"].contains($0) }) { return String(empty) }
    for (open, close) in [("[", "]"), ("{", "}")] {
      guard let start = lines.firstIndex(where: { $0 == open }),
        let end = lines[start...].firstIndex(where: { $0 == close })
      else { continue }
      return lines[start...end].joined(separator: "\n")
    }
    return nil
  }

  /// Keys and types of a document, and its texts of one word, which may be names of cases.
  private static func shape(of value: Any) -> String {
    switch value {
    case let object as [String: Any]:
      let members = object.sorted { $0.key < $1.key }.map { "\($0.key):\(shape(of: $0.value))" }
      return "{\(members.joined(separator: ","))}"
    case let list as [Any]: return "[\(Set(list.map(shape)).sorted().joined(separator: ","))]"
    case let text as String:
      return text.count < 24 && text.allSatisfy { $0.isLetter || $0 == " " } ? text : "text"
    case let number as NSNumber:
      return number.doubleValue.rounded() == number.doubleValue ? "1" : "0.5"
    default: return "null"
    }
  }
}

/// Which schema is of what a command prints.
public enum PrintedJSONSchema {
  /// The name of the schema of a command; nil for no command.
  public static func name(_ arguments: [String]) -> String? {
    guard let command = arguments.first else { return nil }
    let next = arguments.dropFirst().first.flatMap { $0.hasPrefix("-") ? nil : $0 }
    switch command {
    case "jobs":
      guard [nil, "list"].contains(next) else {
        return next == "progress" ? "jobs-progress" : "jobs-action"
      }
      let kind = ["job", "pending", "refused"].first { arguments.contains("--\($0)") }
      return kind.map { "jobs-list-\($0)" } ?? "jobs-list"
    case "models": return "models-\(next ?? "list")"
    case "ledger", "rules", "config", "notifications": return next.map { "\(command)-\($0)" }
    case "pause", "drain", "resume": return "processing"
    case "fine-tune": return "train"
    case "reprocess": return arguments.contains("--dry-run") ? "reprocess-dry-run" : "reprocess"
    default: return command
    }
  }
}
