import ArgumentParser
import ConfigurationFile
import Pipeline

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Receive, segment and deliver until told to stop.",
    discussion: """
      The listener, the web server and the watch folders of the configuration, in one daemon. All that \
      receives is in a second process, segmentd receive, which is started again where it crashes.
      """
        + examples("segmentd serve", "segmentd serve --config segmentd.yaml"))

  @OptionGroup var config: ConfigurationOption

  func run() async throws {
    let source = try config.source()
    let configuration = try source.configuration()
    guard
      !configuration.listeners.isEmpty || !configuration.watch.isEmpty || configuration.web != nil
    else {
      throw ConfigurationError.invalid(
        file: config.path, line: nil,
        message: "neither a listener nor a watch folder nor a web server is set")
    }
    configuration.startLogging()
    try await Daemon.opening(source).run()
  }
}
