import ArgumentParser
import ConfigurationFile
import FileSystem
import Foundation
import Segmentation
import SeriesProcessing

struct InitConfigCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Write a first configuration file, with comments.",
    discussion: """
      The settings are taken from options; on a terminal the command asks for the rest, with the default in \
      brackets, and otherwise uses the defaults. The file is checked before it is written, as by config check. An \
      existing file is not replaced without --force. --config - writes to standard output.
      """
        + examples(
          "segmentd config init",
          "segmentd config init --config segmentd.yaml --state-directory state \\",
          "    --port 11112 --destination PACS@10.0.0.5:104 --model hippocampus"))

  @OptionGroup var config: ConfigurationOption

  @Option(help: ArgumentHelp("Our AE title (default: SEGMENTD).", valueName: "title"))
  var aeTitle: String?

  @Option(
    help: ArgumentHelp(
      "The address to listen on (default: 127.0.0.1, this machine alone).", valueName: "address"))
  var address: String?

  @Option(help: ArgumentHelp("The port to listen on (default: 11112).", valueName: "number"))
  var port: Int?

  @Option(
    name: .customLong("calling-ae-title"),
    help: ArgumentHelp(
      "An AE title that may send; may be repeated (default: any).", valueName: "title"))
  var callingAETitles: [String] = []

  @Option(
    help: ArgumentHelp(
      "Received instances, results and the ledger (default: /var/lib/segmentd).",
      valueName: "folder"
    ), completion: .directory)
  var stateDirectory: String?

  @Option(
    name: .customLong("destination"),
    help: ArgumentHelp(
      "Where results are sent; may be repeated (default: nowhere).", valueName: "ae@host:port"))
  var destinations: [StarterConfiguration.Destination] = []

  @Option(
    name: .customLong("model"),
    help: ArgumentHelp(
      "A model that gets a rule; may be repeated (default: hippocampus).", valueName: "name"),
    completion: .model)
  var models: [String] = []

  @Option(
    name: .customLong("models"),
    help: ArgumentHelp("A folder of further model bundles.", valueName: "folder"),
    completion: .directory)
  var modelDirectories: [String] = []

  @Flag(help: "Replace an existing file.")
  var force = false

  @Flag(help: "Use the defaults, and ask for nothing.")
  var defaults = false

  func run() async throws {
    let path = config.path
    guard path == "-" || force || !FileManager.default.fileExists(atPath: path) else {
      throw InitConfigError.exists(path)
    }
    let starter = try starter()
    let configuration = try ConfigurationSource(
      file: path == "-" ? "standard output" : path, text: starter.text
    ).configuration()
    guard path != "-" else { return print(starter.text, terminator: "") }
    try write(starter.text, to: path)
    warn("\(path): written")
    warn("state directory: \(configuration.stateDirectory)")
    if starter.destinations.isEmpty {
      warn("no destination: results stay in the state directory")
    }
    warn("next: segmentd doctor --config \(path), then segmentd serve --config \(path)")
  }

  /// Readable by all, as it holds no secret; the daemon's user need not be the one who writes it.
  private func write(_ text: String, to path: String) throws {
    try DurableFile.write(to: path) { temporary in
      try Data(text.utf8).write(to: URL(fileURLWithPath: temporary))
      guard chmod(temporary, 0o644) == 0 else { throw SystemError() }
    }
  }

  private func starter() throws -> StarterConfiguration {
    var starter = StarterConfiguration()
    let form = Form(isAsking: !defaults && isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1)
    starter.stateDirectory = try form.value(
      stateDirectory, "state directory", starter.stateDirectory)
    starter.aeTitle = try form.value(aeTitle, "our AE title", starter.aeTitle)
    starter.address = try form.value(
      address, "address to listen on (0.0.0.0 for all networks)", starter.address)
    starter.port = try form.value(port, "port to listen on", starter.port)
    starter.callingAETitles =
      callingAETitles.isEmpty
      ? try form.list("AE titles that may send, with commas (none: every one)", [])
      : callingAETitles
    starter.destinations = destinations
    if destinations.isEmpty,
      let place: StarterConfiguration.Destination = try form.optional(
        "PACS that gets the results, as AE@HOST:PORT (none: nowhere)")
    {
      starter.destinations = [place]
    }
    starter.modelDirectories = modelDirectories
    let library = ModelLibrary(
      directories: modelDirectories.map { URL(fileURLWithPath: $0) }, threads: 1)
    let known = library.bundles.keys.sorted().joined(separator: ", ")
    let names =
      models.isEmpty ? try form.list("models, of \(known)", ["hippocampus"]) : models
    starter.models = try names.map {
      StarterConfiguration.Model(name: $0, modalities: try library.bundle($0).input.modalities)
    }
    return starter
  }
}

extension StarterConfiguration.Destination: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

/// Questions on a terminal, each with its default.
private struct Form {
  let isAsking: Bool

  func value<Value: ExpressibleByArgument>(_ given: Value?, _ question: String, _ usual: Value)
    throws -> Value
  {
    if let given { return given }
    return try optional("\(question) [\(usual)]") ?? usual
  }

  func list(_ question: String, _ usual: [String]) throws -> [String] {
    let hint = usual.isEmpty ? "" : " [\(usual.joined(separator: ", "))]"
    guard let answer: String = try optional(question + hint) else { return usual }
    return answer.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
  }

  /// nil for an empty line, and where nothing is asked.
  func optional<Value: ExpressibleByArgument>(_ question: String) throws -> Value? {
    guard isAsking else { return nil }
    while true {
      FileHandle.standardError.write(Data("\(question): ".utf8))
      guard let line = readLine() else { throw InitConfigError.ended }
      let answer = line.trimmingCharacters(in: .whitespaces)
      if answer.isEmpty { return nil }
      if let value = Value(argument: answer) { return value }
      warn("\"\(answer)\" cannot be used here")
    }
  }
}

enum InitConfigError: Error, CustomStringConvertible {
  case exists(String)
  case ended

  var description: String {
    switch self {
    case .exists(let path): "\(path) is there already: --force replaces it, --config names another"
    case .ended: "standard input ended before every question was answered"
    }
  }
}
