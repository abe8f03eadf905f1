import ArgumentParser
import ConfigurationFile
import GeometryGate

/// `--config` of the commands that need no configuration and take little of one.
struct GeometryOption: ParsableArguments {
  @Option(
    name: [.short, .customLong("config")],
    help: ArgumentHelp(
      "Assess series by the geometry section of this configuration.", valueName: "file"),
    completion: .yaml)
  var file: String?

  /// The rules of the file, or the defaults of the configuration where none is given.
  func rules() throws(ConfigurationError) -> GeometryRules { try load().geometryRules }

  /// The file, or the defaults of the configuration where none is given.
  func load() throws(ConfigurationError) -> SiteConfiguration {
    guard let file else { return SiteConfiguration() }
    return try SiteConfiguration.load(file)
  }
}
