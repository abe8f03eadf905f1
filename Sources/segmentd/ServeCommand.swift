import ArgumentParser
import ConfigurationFile
import Pipeline

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Receive, segment and deliver until told to stop.",
    discussion: """
      The listener, the web server and the watch folders of the configuration, in one daemon. Everything that \
      receives data is in a second process, segmentd receive, which is restarted if it crashes.

      Several listeners can receive for one head: a listener receives, stores and acknowledges on its own, even \
      while the head is away, and hands over what it has received. The section handover gives a daemon its role; \
      --role verifies it.
      """
        + examples(
          "segmentd serve", "segmentd serve --config segmentd.yaml",
          "segmentd serve --role listener --config listener.yaml",
          "segmentd serve --role head --config head.yaml"))

  @OptionGroup var config: ConfigurationOption

  @Option(
    help: ArgumentHelp(
      "The role that the daemon must have: all, listener or head; with another one it does not start.",
      valueName: "role"))
  var role: SiteConfiguration.Role?

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
    try check(configuration.role)
    configuration.startLogging()
    try await Daemon.opening(source).run()
  }

  private func check(_ configured: SiteConfiguration.Role) throws(ConfigurationError) {
    guard let role, role != configured else { return }
    let advice =
      switch role {
      case .listener: "it has no handover.to, which says who the head is"
      case .head: "it has no handover.from, which says whose handovers are taken"
      case .all: "its section handover makes it a \(configured.rawValue)"
      }
    throw .invalid(file: config.path, line: nil, message: "--role \(role.rawValue): \(advice)")
  }
}

extension SiteConfiguration.Role: ExpressibleByArgument {}
