import ArgumentParser
import ConfigurationFile
import Foundation
import Pipeline
import SeriesProcessing

struct ConfigCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "Check the configuration file.", subcommands: [Check.self])

  struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check a configuration file and the models that it names; change nothing.")

    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let configuration = try config.load()
      let library = configuration.modelLibrary
      for rule in configuration.modelRules { _ = try await library.segmenter(rule.model) }
      let faults = configuration.listeners.compactMap { $0.certificateFault() }
      if let fault = faults.first {
        throw ConfigurationError.invalid(file: config.path, line: nil, message: fault)
      }
      print("\(config.path): no fault found")
      print("state directory: \(configuration.stateDirectory)")
      for listener in configuration.listeners {
        print(
          "listener: \(listener.aeTitle) on \(listener.address):\(listener.port)"
            + (listener.tls == nil ? "" : ", TLS"))
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
        print(
          "destination: \(destination.name) = \(destination.aeTitle) at "
            + "\(destination.host):\(destination.port)")
      }
    }
  }
}
