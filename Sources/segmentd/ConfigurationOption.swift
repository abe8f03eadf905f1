import ArgumentParser
import ConfigurationFile
import Foundation
import Logging

/// `--config`, shared by the commands that work on a state directory.
struct ConfigurationOption: ParsableArguments {
  static let defaultFile = "/etc/segmentd/segmentd.yaml"

  @Option(
    name: .customLong("config"),
    help: ArgumentHelp(
      "The configuration file (default: $SEGMENTD_CONFIG, else \(defaultFile)).",
      valueName: "file"))
  var file: String?

  var path: String {
    file ?? ProcessInfo.processInfo.environment["SEGMENTD_CONFIG"] ?? Self.defaultFile
  }

  func load() throws(ConfigurationError) -> SiteConfiguration { try SiteConfiguration.load(path) }

  func source() throws(ConfigurationError) -> ConfigurationSource {
    try ConfigurationSource(file: path)
  }
}

extension SiteConfiguration {
  /// Sends the log to standard error, one line an event.
  func startLogging() {
    let level = Logger.Level(rawValue: log.level.rawValue) ?? .info
    if log.format == .json || log.format == .auto && isatty(STDERR_FILENO) == 0 {
      LoggingSystem.bootstrap { _ in JSONLogHandler(logLevel: level) }
      return
    }
    LoggingSystem.bootstrap { label in
      var handler = StreamLogHandler.standardError(label: label)
      handler.logLevel = level
      return handler
    }
  }
}
