import ArgumentParser
import FileSystem
import Foundation
import Pipeline

/// The tables of the conformance statement, for those who change what segmentd speaks; not for operators.
struct ConformanceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "conformance",
    abstract: "Print the tables of the DICOM conformance statement, or write them into its page.",
    discussion: examples(
      "segmentd conformance --page Sources/segmentd/Documentation.docc/ConformanceStatement.md"),
    shouldDisplay: false)

  @Option(
    help: ArgumentHelp("The page whose tables are updated.", valueName: "file"),
    completion: .file(extensions: ["md"]))
  var page: String?

  func run() throws {
    guard let page else {
      return print(
        ConformanceTables.all.map { "\($0.name)\n\n\($0.table)" }.joined(separator: "\n\n"))
    }
    let text: String
    do { text = try TextFile.read(page) } catch {
      throw PageError(description: "\(page): \(error)")
    }
    if let name = ConformanceTables.missing(in: text).first {
      throw PageError(description: "\(page): there is no place for the table \(name)")
    }
    try Data(ConformanceTables.updated(text).utf8).write(to: URL(fileURLWithPath: page))
  }
}

private struct PageError: Error, CustomStringConvertible {
  var description: String
}
