import Foundation
import TestSupport
import Testing

/// What the command line says of itself, and of what is wrong with it.
@Suite(.limitedConcurrency) struct CommandLineTests {
  /// A command as `--experimental-dump-help` describes it.
  private struct Command: Decodable {
    struct Argument: Decodable {
      struct Name: Decodable { var name: String }
      var kind: String
      var valueName: String?
      var names: [Name]?
    }
    var commandName: String
    var discussion: String?
    var shouldDisplay: Bool?
    var arguments: [Argument]?
    var subcommands: [Command]?

    var shown: [Command] {
      (subcommands ?? []).filter { $0.commandName != "help" && $0.shouldDisplay ?? true }
    }

    /// It and all below, each with its whole name.
    func all(_ path: [String] = []) -> [(path: String, command: Command)] {
      let path = path + [commandName]
      return [(path.joined(separator: " "), self)] + shown.flatMap { $0.all(path) }
    }
  }

  private struct Help: Decodable { var command: Command }

  @Test func eachCommandHasAnExampleAndAPlaceInTheManual() async throws {
    let folder = try TemporaryFolder()
    let dump = folder.url.appendingPathComponent("help.json")
    let help = try await segmentd("--experimental-dump-help")
    try Data(help.output.utf8).write(to: dump)
    let commands = try JSONDecoder().decode(Help.self, from: Data(help.output.utf8)).command.all()
    #expect(commands.count > 30)
    let script = TestFiles.package.appendingPathComponent("Scripts/man-page.py").path
    let page = try await runProcess(
      "/bin/sh", ["-c", "exec python3 '\(script)' < '\(dump.path)'"],
      environment: ["SOURCE_DATE_EPOCH": "0"])
    #expect(page.status == 0 && page.output.hasPrefix(".TH SEGMENTD 1 1970-01-01"))
    let manual = page.output.replacingOccurrences(of: "\\-", with: "-")
    for (path, command) in commands {
      #expect(command.discussion?.contains("Examples:\n\n  segmentd ") == true, "\(path)")
      #expect(path == "segmentd" || manual.contains("\n.SS \(path)\n"), "\(path)")
      for name in (command.arguments ?? []).flatMap({ $0.names ?? [] }) {
        #expect(manual.contains("-\(name.name)\\fR"), "\(path) \(name.name)")
      }
    }
    for title in ["EXIT STATUS", "ENVIRONMENT", "FILES"] {
      #expect(manual.contains(".SH \(title)"))
    }
  }

  @Test func theShellCompletesCommandsAndModels() async throws {
    let folder = try TemporaryFolder()
    let script = folder.url.appendingPathComponent("completion")
    let made = try await segmentd("--generate-completion-script", "bash")
    #expect(made.status == 0)
    try Data(made.output.utf8).write(to: script)
    let completed = try await runProcess(
      "/bin/bash",
      [
        "-c",
        """
        . '\(script.path)'
        PATH="$(dirname '\(segmentdBinary)'):$PATH"
        COMP_WORDS=(segmentd run --model hippo) COMP_CWORD=3 COMP_LINE='segmentd run --model hippo'
        COMP_POINT=${#COMP_LINE}
        $(complete -p segmentd | sed 's/.*-F \\([^ ]*\\).*/\\1/') segmentd hippo --model
        printf '%s\\n' "${COMPREPLY[@]}"
        """,
      ])
    #expect(
      completed.output.split(whereSeparator: \.isWhitespace).contains("hippocampus"),
      "\(completed.output)")
  }

  /// Files that are not there, folders in place of files, and what is no text: said once, in the words of the
  /// system, with the path.
  @Test func aFileThatCannotBeUsedIsNamedOnce() async throws {
    let folder = try TemporaryFolder()
    let (none, place) = (folder.url.path + "/none", folder.url.path)
    for arguments in [
      ["serve", "--config"], ["jobs", "--config"], ["config", "check", "--config"],
      ["train", "--config"], ["inspect", "--config"], ["forward", "--weights"],
      ["models", "verify"], ["models", "import", "--checkpoint"], ["resample", "--input"],
    ] {
      let more: [String] =
        switch arguments[0] {
        case "inspect": [place]
        case "forward": ["--variant", "synapse", "--input", none, "--output", none]
        case "models":
          arguments[1] == "import"
            ? ["--preset", "synapse", "--name", "x", "--models", place] : []
        case "resample":
          ["--output", none, "--shape", "1", "1", "1", "--new-shape", "1", "1", "1"]
        default: []
        }
      for (path, words) in [(none, "No such file or directory"), (place, "Is a directory")] {
        let bundle = arguments == ["models", "verify"] ? "/bundle" : ""
        let result = try await runProcess(segmentdBinary, arguments + [path + bundle] + more)
        let text = result.output
        #expect([1, 2].contains(result.status), "\(arguments): \(text)")
        #expect(text.contains(path), "\(arguments): \(text)")
        if bundle.isEmpty, arguments[0] != "models", arguments[0] != "forward" || path == none {
          #expect(text.components(separatedBy: words).count == 2, "\(arguments): \(text)")
        }
        for sentence in ["operation could not", "Error Domain", "NSCocoa", "doesn’t exist"] {
          #expect(!text.contains(sentence), "\(arguments): \(text)")
        }
      }
    }
  }

  @Test func aFolderOfModelsThatIsNotThereIsNamed() async throws {
    let folder = try TemporaryFolder()
    let none = folder.url.path + "/none"
    for command in [
      ["models", "list"], ["models", "verify"],
      ["run", folder.url.path, "--model", "hippocampus", "--output", none],
      ["bench", "--model", "hippocampus"],
    ] {
      let result = try await runProcess(segmentdBinary, command + ["--models", none])
      #expect(result.status == 1, "\(command): \(result.output)")
      #expect(result.output.contains("--models: \(none) is not a folder"), "\(result.output)")
    }
  }

  @Test func aConfigurationIsMadeAndChecked() async throws {
    let folder = try TemporaryFolder()
    let file = folder.url.path + "/segmentd.yaml"
    let serve = try await segmentd("serve", "--config", file)
    #expect(serve.status == 1 && serve.output.contains("segmentd config init --config \(file)"))

    let arguments = [
      "config", "init", "--config", file, "--ae-title", "SEG1", "--port", "11113",
      "--state-directory", "state", "--destination", "PACS@10.0.0.5:104", "--model", "hippocampus",
      "--model", "cardiac",
    ]
    let made = try await runProcess(segmentdBinary, arguments)
    #expect(made.status == 0, "\(made.output)")
    let again = try await runProcess(segmentdBinary, arguments)
    #expect(again.status == 1 && again.output.contains("--force"))
    #expect(try await runProcess(segmentdBinary, arguments + ["--force"]).status == 0)
    let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
    #expect(mode == 0o644)
    let check = try await segmentd("config", "check", "--config", file)
    #expect(check.status == 0, "\(check.output)")
    for line in [
      "state directory: \(folder.url.path)/state", "listener: SEG1 on 127.0.0.1:11113",
      "model: hippocampus", "model: cardiac", "destination: pacs = PACS at 10.0.0.5:104",
      "nightly check: from 2:00",
    ] { #expect(check.output.contains(line), "\(check.output)") }

    let wrong = try await segmentd(
      "config", "init", "--config", file, "--force", "--port", "99999")
    #expect(wrong.status == 1 && wrong.output.contains("listener.port: port 99999 is not between"))
    #expect(try await segmentd("config", "check", "--config", file).status == 0)

    let text = try String(contentsOfFile: file, encoding: .utf8)
      .replacingOccurrences(of: "model: cardiac", with: "model: cardiak")
    try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    let line = text.split(separator: "\n", omittingEmptySubsequences: false)
      .firstIndex { $0.contains("cardiak") }
    let unknown = try await segmentd("config", "check", "--config", file)
    #expect(
      unknown.status == 1
        && unknown.output.contains("\(file):\((line ?? 0) + 1): rules[1].model: there is no model"),
      "\(unknown.output)")
  }
}
