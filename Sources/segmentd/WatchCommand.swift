import ArgumentParser
import ConfigurationFile
import Foundation
import Pipeline

struct WatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "Segment what appears in a folder, until told to stop.",
    discussion: """
      Files are copied once they have stopped growing; nothing in the folder is changed. Rules, \
      destinations and, where one is set, the listener are those of the configuration.
      """)

  @OptionGroup var config: ConfigurationOption

  @Argument(help: "The folder.")
  var folder: String

  func run() async throws {
    var configuration = try config.load()
    let path = URL(fileURLWithPath: folder).standardizedFileURL.path
    if !configuration.watch.contains(where: { $0.folder == path }) {
      configuration.watch.append(SiteConfiguration.Watch(folder: path))
    }
    configuration.startLogging()
    try await Daemon(configuration).run()
  }
}
