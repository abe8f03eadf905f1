import ArgumentParser
import ConfigurationFile
import Foundation
import Pipeline

struct WatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "Segment what arrives in a folder, until told to stop.",
    discussion: """
      Files are copied once they have stopped growing; nothing in the folder is changed. Rules, destinations and the \
      listener, if any, are those of the configuration.
      """
        + examples("segmentd watch /srv/dicom/incoming"))

  @OptionGroup var config: ConfigurationOption

  @Argument(help: "The folder.", completion: .directory)
  var folder: String

  func run() async throws {
    var source = try config.source()
    source.watchedFolders = [URL(fileURLWithPath: folder).standardizedFileURL.path]
    let configuration = try source.configuration()
    configuration.startLogging()
    try await Daemon.opening(source).run()
  }
}
