import ArgumentParser
import ConfigurationFile
import GeometryGate

/// `--config` of the commands that take nothing of a configuration but its geometry rules.
struct GeometryOption: ParsableArguments {
  @Option(
    name: [.short, .customLong("config")],
    help: ArgumentHelp(
      "Assess series by the geometry section of this configuration.", valueName: "file"))
  var file: String?

  /// The rules of the file, or the defaults of the configuration where none is given.
  func rules() throws(ConfigurationError) -> GeometryRules {
    guard let file else { return SiteConfiguration().geometryRules }
    return try SiteConfiguration.load(file).geometryRules
  }
}
