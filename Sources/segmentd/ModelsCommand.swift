import ArgumentParser
import Foundation
import Segmentation
import SeriesProcessing

struct ModelsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models", abstract: "Show, verify and import model bundles.",
    discussion: examples("segmentd models", "segmentd models verify"),
    subcommands: [List.self, Verify.self, ModelsImportCommand.self],
    defaultSubcommand: List.self)

  struct Options: ParsableArguments {
    @Option(
      name: .customLong("models"), help: "A folder of further model bundles.",
      completion: .directory)
    var directories: [String] = []

    var library: ModelLibrary {
      get throws { ModelLibrary(directories: try foldersOfModels(directories), threads: 1) }
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the models. (default)",
      discussion: examples("segmentd models list --models /srv/models"))

    @OptionGroup var options: Options
    @Flag(help: "Print JSON.")
    var json = false

    struct Row: Encodable {
      var name: String
      var version: String?
      var summary: String?
      var path: String
      var fault: String?
    }

    func run() async throws {
      let rows = try options.library.bundles.sorted { $0.key < $1.key }.map { name, url in
        do throws(ModelBundleError) {
          let bundle = try ModelBundle.load(at: url)
          return Row(
            name: name, version: bundle.version, summary: bundle.summary, path: url.path)
        } catch {
          return Row(name: name, path: url.path, fault: error.description)
        }
      }
      if json { return print(try encodeJSON(rows)) }
      print(
        formatTable(
          [["MODEL", "VERSION", "SUMMARY"]]
            + rows.map { [$0.name, $0.version ?? "-", $0.fault ?? $0.summary ?? ""] }))
    }
  }

  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check the description and the weights of models against their checksums.",
      discussion: examples("segmentd models verify", "segmentd models verify --json hippocampus"))

    @OptionGroup var options: Options

    @Flag(help: "Print JSON.")
    var json = false

    @Argument(
      help: "Names or paths of bundles; all known ones when none is given.", completion: .model)
    var names: [String] = []

    struct Row: Encodable {
      var model: String
      /// SHA-256 of the weights; nil where something is wrong.
      var sha256: String?
      var fault: String?

      var text: String { "\(model): " + (fault ?? "verified, SHA-256 \(sha256 ?? "")") }
    }

    func run() async throws {
      let library = try options.library
      var rows: [Row] = []
      for name in names.isEmpty ? library.bundles.keys.sorted() : names {
        let row: Row
        do {
          let bundle = try library.bundle(name)
          _ = try Segmenter(bundle: bundle, threads: 1)
          row = Row(model: name, sha256: bundle.weightsSHA256)
        } catch {
          row = Row(model: name, fault: "\(error)")
        }
        if !json { print(row.text) }
        rows.append(row)
      }
      if json { print(try encodeJSON(rows)) }
      if rows.contains(where: { $0.fault != nil }) { throw ExitCode.findings }
    }
  }
}
