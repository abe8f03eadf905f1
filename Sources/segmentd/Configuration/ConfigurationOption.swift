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
      valueName: "file"), completion: .yaml)
  var file: String?

  var path: String {
    file ?? ProcessInfo.processInfo.environment["SEGMENTD_CONFIG"] ?? Self.defaultFile
  }

  func load() throws(ConfigurationError) -> SiteConfiguration { try source().configuration() }

  /// - Throws: ``ConfigurationError``, which says how to make the file where there is none.
  func source() throws(ConfigurationError) -> ConfigurationSource {
    do throws(ConfigurationError) {
      return try ConfigurationSource(file: path)
    } catch .unreadable(let file, let reason) where !FileManager.default.fileExists(atPath: file) {
      throw .unreadable(
        file: file,
        reason: reason
          + "; to make one: segmentd config init --config \(file), to name another: --config FILE")
    }
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
