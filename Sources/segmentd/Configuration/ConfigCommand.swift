import ArgumentParser
import ConfigurationFile
import Credentials
import Foundation
import Pipeline
import SeriesProcessing

struct ConfigCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "Make and check the configuration file, and hashes for it.",
    discussion: examples("segmentd config init", "segmentd config check --config segmentd.yaml"),
    subcommands: [InitConfigCommand.self, Check.self, HashPassword.self])

  struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check a configuration file and the models that it names; change nothing.",
      discussion: """
        Names the line of an unknown key, with the nearest known one, or of a wrong value.
        """ + examples("segmentd config check --config segmentd.yaml"))

    @OptionGroup var config: ConfigurationOption

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
      let source = try config.source()
      let configuration = try source.configuration()
      try checkProcessor(configuration, source)
      try await checkModels(configuration, source)
      let tls = configuration.listeners.map(\.tls) + [configuration.web?.tls]
      let peerTLS =
        configuration.destinations.map(\.tls) + [configuration.querySource?.tls]
        + configuration.storageCommitment.peers.map(\.tls)
        + configuration.notifications.recipients.map(\.tls) + [configuration.audit.syslog?.tls]
      let faults = tls.map { $0?.certificateFault() } + peerTLS.map { $0?.fault() }
      if let fault = faults.compactMap(\.self).first {
        throw ConfigurationError.invalid(file: config.path, line: nil, message: fault)
      }
      let summary = ConfigurationSummary(configuration, file: config.path)
      print(json ? try encodeJSON(summary) : summary.text)
    }

    /// Of this machine, where it computes.
    private func checkProcessor(
      _ configuration: SiteConfiguration, _ source: ConfigurationSource
    ) throws {
      guard configuration.inference.executor == .local else { return }
      do { try configuration.instructionSet?.check() } catch {
        let key = "inference.instructionSet"
        throw ConfigurationError.invalid(
          file: config.path, line: source.line(of: key), message: "\(key): \(error)")
      }
    }

    private func checkModels(_ configuration: SiteConfiguration, _ source: ConfigurationSource)
      async throws
    {
      let library = configuration.modelLibrary
      var index = 0
      for rule in configuration.rules {
        defer { index += 1 }
        // A rule for an excluded model is not applied.
        guard configuration.modelRules.contains(where: { $0.model == rule.model }) else { continue }
        do {
          _ = try await library.segmenter(rule.model)
        } catch {
          let key = "rules[\(index)].model"
          throw ConfigurationError.invalid(
            file: config.path, line: source.line(of: key), message: "\(key): \(error)")
        }
      }
    }
  }

  struct HashPassword: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "hash-password",
      abstract: "Hash a password or token for the configuration file.",
      discussion: """
        Reads one line from standard input and prints its hash for passwordHash or tokenHash. A token \
        should be random.
        """
          + examples(
            "segmentd config hash-password",
            "openssl rand -base64 32 | tee token | segmentd config hash-password"))

    func run() async throws {
      let isTerminal = isatty(STDIN_FILENO) == 1
      guard let secret = isTerminal ? hiddenLine() : readLine(), !secret.isEmpty else {
        throw ValidationError("no password was given on standard input")
      }
      print(try SecretHash(of: secret))
    }

    /// A line that the terminal does not show.
    private func hiddenLine() -> String? {
      getpass("Password or token: ").map { String(cString: $0) }
    }
  }
}
