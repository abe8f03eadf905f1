import ArgumentParser
import Foundation
import Segmentation
import SeriesProcessing

struct ModelsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models", abstract: "Show, verify and import model bundles.",
    subcommands: [List.self, Verify.self, ModelsImportCommand.self],
    defaultSubcommand: List.self)

  struct Options: ParsableArguments {
    @Option(name: .customLong("models"), help: "A folder of further model bundles.")
    var directories: [String] = []

    var library: ModelLibrary {
      ModelLibrary(directories: directories.map { URL(fileURLWithPath: $0) }, threads: 1)
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the models. (default)")

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
      let rows = options.library.bundles.sorted { $0.key < $1.key }.map { name, url in
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
      abstract: "Check the description and the weights of models against their checksums.")

    @OptionGroup var options: Options
    @Argument(help: "Names or paths of bundles; all known ones when none is given.")
    var names: [String] = []

    func run() async throws {
      let library = options.library
      var faults = 0
      for name in names.isEmpty ? library.bundles.keys.sorted() : names {
        do {
          let bundle = try library.bundle(name)
          _ = try Segmenter(bundle: bundle, threads: 1)
          print("\(name): verified, SHA-256 \(bundle.weightsSHA256)")
        } catch {
          faults += 1
          print("\(name): \(error)")
        }
      }
      if faults > 0 { throw ExitCode.failure }
    }
  }
}
