import FileSystem
import Foundation
import StrictYAML

/// The text of a configuration file as it was read once, so that several processes of one daemon have the
/// same configuration whatever becomes of the file.
public struct ConfigurationSource: Codable, Sendable {
  /// Its path, to which relative paths in it refer.
  public var file: String
  public var text: String
  /// Folders that are watched besides those of the file.
  public var watchedFolders: [String] = []

  /// - Throws: ``ConfigurationError/unreadable(file:reason:)``
  public init(file: String) throws(ConfigurationError) {
    self.file = file
    do {
      text = try TextFile.read(file)
    } catch {
      throw .unreadable(file: file, reason: error.description)
    }
  }

  /// - Parameters:
  ///   - file: to which relative paths refer, and which errors name.
  ///   - text: what is or will be in it.
  public init(file: String, text: String) {
    self.file = file
    self.text = text
  }

  /// The line, from 1, of a key such as `rules[1].model`; nil where it is not there.
  public func line(of key: String) -> Int? {
    StrictYAMLDecoder.line(ofKeyIn: key, text: text)
  }

  /// The configuration, checked.
  ///
  /// - Throws: ``ConfigurationError`` with the line of an unknown key or a wrong value.
  public func configuration() throws(ConfigurationError) -> SiteConfiguration {
    var configuration = try SiteConfiguration(self)
    for folder in watchedFolders where !configuration.watch.contains(where: { $0.folder == folder })
    {
      configuration.watch.append(SiteConfiguration.Watch(folder: folder))
    }
    return configuration
  }
}
