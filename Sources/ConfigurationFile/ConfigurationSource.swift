import FileSystem
import Foundation

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
      text = try String(contentsOfFile: file, encoding: .utf8)
    } catch {
      throw .unreadable(file: file, reason: error.localizedDescription)
    }
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
