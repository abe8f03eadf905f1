import ArgumentParser
import ConfigurationFile
import Credentials
import Foundation
import Pipeline
import SeriesProcessing

struct ConfigCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "Check the configuration file, and make hashes for it.",
    subcommands: [Check.self, HashPassword.self])

  struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check a configuration file and the models that it names; change nothing.")

    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let configuration = try config.load()
      let library = configuration.modelLibrary
      for rule in configuration.modelRules { _ = try await library.segmenter(rule.model) }
      let tls = configuration.listeners.map(\.tls) + [configuration.web?.tls]
      let peerTLS =
        configuration.destinations.map(\.tls) + [configuration.querySource?.tls]
        + configuration.storageCommitment.peers.map(\.tls)
      let faults = tls.map { $0?.certificateFault() } + peerTLS.map { $0?.fault() }
      if let fault = faults.compactMap(\.self).first {
        throw ConfigurationError.invalid(file: config.path, line: nil, message: fault)
      }
      print("\(config.path): no fault found")
      print("state directory: \(configuration.stateDirectory)")
      for listener in configuration.listeners {
        print(
          "listener: \(listener.aeTitle) on \(listener.address):\(listener.port)"
            + (listener.tls == nil ? "" : ", TLS"))
      }
      if let web = configuration.web {
        let server = "\(web.tls == nil ? "http" : "https")://\(web.address):\(web.port)"
        if web.stow { print("STOW-RS: \(server)\(web.prefix)") }
        if web.monitoring { print("metrics: \(server)/metrics") }
      }
      for entry in configuration.watch { print("watch folder: \(entry.folder)") }
      for rule in configuration.modelRules { print("model: \(rule.model)") }
      let everyModel = ModelLibrary(
        directories: configuration.models.directories.map { URL(fileURLWithPath: $0) }, threads: 1)
      for name in configuration.models.exclude {
        let isKnown = everyModel.bundles[name] != nil
        print("excluded model: \(name)\(isKnown ? "" : " (there is no model of that name)")")
      }
      switch configuration.querySource?.service {
      case .dimse(let source)?:
        print(
          "query source: \(source.aeTitle) at \(source.host):\(source.port), "
            + "C-\(source.retrieve.rawValue.uppercased())")
      case .dicomweb(let source)?: print("query source: \(source.url), DICOMweb")
      case nil: break
      }
      for peer in configuration.storageCommitment.peers {
        print("storage commitment reports: \(peer.aeTitle) at \(peer.host):\(peer.port)")
      }
      for destination in configuration.destinations {
        let isSecured = destination.dimse != nil && destination.tls != nil
        print(
          "destination: \(destination.name) = \(destination.place)" + (isSecured ? ", TLS" : "")
            + (destination.verify == .none ? "" : ", verified by \(destination.verify.rawValue)"))
      }
    }
  }
  struct HashPassword: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "hash-password",
      abstract: "Hash a password or token for the configuration file.",
      discussion: """
        Reads one line from standard input and prints its hash for passwordHash or tokenHash. A token \
        should be random:

          openssl rand -base64 32 | tee token | segmentd config hash-password
        """)

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
