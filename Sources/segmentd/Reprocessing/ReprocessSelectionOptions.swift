import ArgumentParser
import DICOM
import FileSystem
import Foundation
import JobLedger

/// Which series `reprocess` is about.
struct ReprocessSelectionOptions: ParsableArguments {
  @Option(
    name: .customLong("study"), parsing: .upToNextOption,
    help: ArgumentHelp("These studies.", valueName: "uid"))
  var studies: [String] = []

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("These series; with --study, only these of the studies.", valueName: "uid"))
  var series: [String] = []

  @Option(
    help: ArgumentHelp(
      "The studies and series listed in a file, one UID per line; - for standard input. Blank lines and "
        + "anything after # are ignored.", valueName: "file"), completion: .file())
  var from: String?

  @Option(
    help: ArgumentHelp(
      "Series that received an image since then: 2026-11-26, 2026-11-26T08:30, or an age such as 12h or 2d.",
      valueName: "date"))
  var since: Moment?

  @Option(
    help: ArgumentHelp(
      "Use this model instead of those of the earlier jobs; on its own, for every series that had a job for it.",
      valueName: "name"), completion: .model)
  var model: String?

  @Flag(
    name: .customLong("all-failed"),
    help: "Series whose last job for a model is held, but not by a person; for these models only.")
  var onlyFailed = false

  func validate() throws {
    guard !studies.isEmpty || !series.isEmpty || from != nil || isByProperty else {
      throw ValidationError(
        "say which series: --study, --series, --from, --since, --model or --all-failed")
    }
    for uid in studies + series where !DICOMUID.isValid(uid) {
      throw ValidationError("\(uid) is not a UID")
    }
  }

  /// Whether series are found by what is known of them, and not by UID alone.
  var isByProperty: Bool { since != nil || model != nil || onlyFailed }

  /// Whether every study or series was named in the command.
  var isByHand: Bool { from == nil && !(studies.isEmpty && series.isEmpty) }

  /// As options, without the UIDs.
  var text: String {
    var words: [String] = []
    if !studies.isEmpty { words.append("--study (\(studies.count))") }
    if !series.isEmpty { words.append("--series (\(series.count))") }
    if from != nil { words.append("--from FILE") }
    if let since { words.append("--since \(since.date.formatted(.iso8601))") }
    if let model { words.append("--model \(model)") }
    if onlyFailed { words.append("--all-failed") }
    return words.joined(separator: " ")
  }

  /// The UIDs of `--from`.
  ///
  /// - Throws: ``UIDListError`` naming the line of what is none.
  func listed() throws -> [String] { try from.map { try UIDList.read($0) } ?? [] }
}

/// A date, or a time before now.
struct Moment: ExpressibleByArgument {
  var date: Date

  init?(argument: String) {
    if let age = Age(argument: argument) {
      date = Date() - age.seconds
      return
    }
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.isLenient = false
    for pattern in ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mm:ss"] {
      format.dateFormat = pattern
      if let date = format.date(from: argument) {
        self.date = date
        return
      }
    }
    guard let date = try? Date(argument, strategy: .iso8601) else { return nil }
    self.date = date
  }
}

/// A file with a UID a line.
enum UIDList {
  /// - Parameter file: its path; - for standard input.
  static func read(_ file: String) throws(UIDListError) -> [String] {
    let data: Data
    do {
      data =
        file == "-"
        ? try FileHandle.standardInput.readToEnd() ?? Data()
        : try Data(contentsOf: URL(fileURLWithPath: file))
    } catch {
      throw .unreadable(file: file, reason: SystemError.text(of: error))
    }
    return try uids(String(decoding: data, as: UTF8.self), file: file)
  }

  static func uids(_ text: String, file: String) throws(UIDListError) -> [String] {
    var (uids, seen) = ([String](), Set<String>())
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (number, line) in zip(1..., lines) {
      let content = line.prefix { $0 != "#" }.trimmingCharacters(in: .whitespacesAndNewlines)
      guard !content.isEmpty else { continue }
      guard DICOMUID.isValid(content) else { throw .notAUID(file: file, line: number) }
      if seen.insert(content).inserted { uids.append(content) }
    }
    return uids
  }
}

enum UIDListError: Error, Equatable, CustomStringConvertible {
  case unreadable(file: String, reason: String)
  /// What the line says is not repeated: it may name a patient.
  case notAUID(file: String, line: Int)

  var description: String {
    switch self {
    case .unreadable(let file, let reason): "\(name(file)): \(reason)"
    case .notAUID(let file, let line): "\(name(file)):\(line): not a UID"
    }
  }

  private func name(_ file: String) -> String { file == "-" ? "standard input" : file }
}

/// How many jobs an hour.
struct Rate: ExpressibleByArgument {
  var secondsPerJob: Double

  init?(argument: String) {
    let parts = argument.split(separator: "/", omittingEmptySubsequences: false)
    let units = ["minute": 60.0, "hour": 3600.0, "day": 86400.0]
    guard parts.count <= 2, let number = Double(parts[0]), number > 0, number.isFinite,
      let unit = parts.count == 1 ? 3600 : units[String(parts[1])]
    else { return nil }
    secondsPerJob = unit / number
  }
}
