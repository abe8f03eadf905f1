import ArgumentParser
import ConfigurationFile
import Pipeline

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Receive, segment and deliver until told to stop.",
    discussion: """
      The listener and the watch folders of the configuration, in one daemon. All that receives is in a \
      second process, segmentd receive, which is started again where it crashes.
      """)

  @OptionGroup var config: ConfigurationOption

  func run() async throws {
    let source = try config.source()
    let configuration = try source.configuration()
    guard !configuration.listeners.isEmpty || !configuration.watch.isEmpty else {
      throw ConfigurationError.invalid(
        file: config.path, line: nil, message: "neither a listener nor a watch folder is set")
    }
    configuration.startLogging()
    try await Daemon.opening(source).run()
  }
}
