import Foundation
import TestSupport
import Testing

/// What `--json` prints has a schema and a place in the page JSONOutput. Here are the commands that no other test has print
/// JSON; ``runProcess(_:_:environment:within:)`` compares each with its schema.
@Suite(.limitedConcurrency) struct JSONOutputTests {
  private static let schemas = TestFiles.package.appendingPathComponent("Config/json-schemas")

  private struct Command: Decodable {
    struct Argument: Decodable {
      struct Name: Decodable { var name: String }
      var names: [Name]?
    }
    var commandName: String
    var arguments: [Argument]?
    var subcommands: [Command]?

    /// The names of it and of all below that have a flag --json.
    func printing(_ path: [String] = []) -> [[String]] {
      let path = path + [commandName]
      let isOne = (arguments ?? []).contains { ($0.names ?? []).contains { $0.name == "json" } }
      return (isOne ? [path] : []) + (subcommands ?? []).flatMap { $0.printing(path) }
    }

    /// The names of all that do something and have none.
    func silent(_ path: [String] = []) -> [[String]] {
      let path = path + [commandName]
      let below = (subcommands ?? []).filter { $0.commandName != "help" }
      guard below.isEmpty else { return below.flatMap { $0.silent(path) } }
      return printing().isEmpty ? [path] : []
    }
  }

  private struct Help: Decodable { var command: Command }

  private func schema(_ name: String) throws -> [String: Any] {
    let file = Self.schemas.appendingPathComponent("\(name).schema.json")
    return try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
  }

  /// The keys of a document or, of a list, of its members.
  private func keys(_ schema: [String: Any], _ common: [String: Any]) throws -> Set<String> {
    if let reference = schema["$ref"] as? String {
      let name = try #require(reference.split(separator: "/").last)
      return try keys(try #require(common[String(name)] as? [String: Any]), common)
    }
    if let items = schema["items"] as? [String: Any] { return try keys(items, common) }
    let properties = try #require(schema["properties"] as? [String: Any])
    return Set(properties.keys)
  }

  @Test func eachCommandHasASchemaAndAPlaceInThePage() async throws {
    let help = try await segmentd("--experimental-dump-help")
    let all = try JSONDecoder().decode(Help.self, from: Data(help.output.utf8)).command
    let commands = all.printing().map { Array($0.dropFirst()) }
    #expect(commands.count > 30)
    let ofCommands = Set(try commands.map { try #require(PrintedJSONSchema.name($0)) })
    let further = ["jobs-list-job", "jobs-list-pending", "jobs-list-refused", "reprocess-dry-run"]
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.schemas.path)
      .map { $0.replacingOccurrences(of: ".schema.json", with: "") }
    #expect(ofCommands.union(further).subtracting(files).isEmpty)

    let page = try String(
      contentsOf: TestFiles.package.appendingPathComponent(
        "Sources/segmentd/Documentation.docc/JSONOutput.md"), encoding: .utf8)
    let common = try #require(try schema("common")["$defs"] as? [String: Any])
    var listed: Set<String> = []
    for row in page.split(separator: "\n") where row.hasPrefix("| `segmentd ") {
      let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      let name = cells[1].trimmingCharacters(in: ["`"])
      listed.insert(name)
      let documented = Set(cells[2].split(separator: " ").map { $0.trimmingCharacters(in: ["`"]) })
      guard !cells[2].hasPrefix("as ") else { continue }
      #expect(try keys(try schema(name), common) == documented, "\(name)")
    }
    #expect(ofCommands.union(further).subtracting(listed).isEmpty)
    #expect(listed.subtracting(files).isEmpty)

    // What has no JSON is in the page, with what it prints.
    let table = try #require(page.components(separatedBy: "| command | prints |").last)
    let excepted = table.split(separator: "\n").filter { $0.hasPrefix("| `") }.flatMap { row in
      (row.split(separator: "|").first ?? "").split(separator: "`").enumerated()
        .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
    #expect(
      Set(all.silent().map { $0.dropFirst().joined(separator: " ") }) == Set(excepted))
  }

  @Test func whatIsNotInASchemaIsFound() async throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("document.json")
    let script = TestFiles.package
      .appendingPathComponent("Scripts/test-support/readers/check_json.py").path
    for (document, expected) in [
      (#"[{"subject": "disk", "level": "good", "text": "x"}]"#, ""),
      (#"[{"subject": "disk", "level": "fine", "text": "x"}]"#, "/0/level: 'fine'"),
      (#"[{"subject": "disk", "level": "good"}]"#, "'text' is a required property"),
      (#"[{"subject": "x", "level": "good", "text": "x", "host": "y"}]"#, "'host' was unexpected"),
    ] {
      try Data(document.utf8).write(to: file)
      let result = try await runProcess(testPython, [script, "output", "doctor", file.path])
      #expect(result.status == (expected.isEmpty ? 0 : 1), "\(result.output)")
      #expect(expected.isEmpty || result.output.contains(expected), "\(result.output)")
    }
  }

  @Test func commandsOnAStateDirectory() async throws {
    let setup = try DaemonSetup()
    let daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    let uids = try await makeSeries(at: series)
    #expect(try await setup.send(series).status == 0)
    #expect(try await setup.endedJobs().map(\.state) == ["completed"])
    let config = ["--config", setup.configuration, "--json"]
    for arguments in [
      ["jobs", "list"], ["jobs", "list", "--job", "1"], ["jobs", "list", "--pending"],
      ["jobs", "list", "--refused"], ["jobs", "retry", "--job", "1", "--dry-run"],
      ["explain", "--study", uids.study], ["comparisons"], ["config", "check"],
      ["reprocess", "--study", uids.study, "--dry-run"],
      ["reprocess", "--study", uids.study, "--force"], ["replay", "--since", "7d"],
      ["rules", "test", series.path], ["purge", "--dry-run"], ["pause", "--reason", "new disk"],
      ["resume"], ["ledger", "check"],
      ["ledger", "backup", setup.folder.url.appendingPathComponent("copy.sqlite").path],
    ] {
      let result = try await runProcess(segmentdBinary, arguments + config)
      #expect(result.status == 0, "\(arguments): \(result.output)")
    }
    _ = try await setup.endedJobs()
    #expect(try await daemon.end() == 0)
    for arguments in [["ledger", "vacuum"], ["ledger", "repair"], ["purge"]] {
      let result = try await runProcess(segmentdBinary, arguments + config)
      #expect(result.status == 0, "\(arguments): \(result.output)")
    }
  }

  @Test func commandsOnModels() async throws {
    let models = ["--models", TestFiles.fixtures.appendingPathComponent("models").path, "--json"]
    for arguments in [
      ["models", "list"], ["models"], ["models", "verify", "untrained-tiny"],
      ["bench", "--model", "untrained-tiny", "--repeat", "1", "--profile"],
    ] {
      let result = try await runProcess(segmentdBinary, arguments + models)
      #expect(result.status == 0, "\(arguments): \(result.output)")
    }
  }
}
