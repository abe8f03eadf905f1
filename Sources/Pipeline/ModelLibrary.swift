import Foundation
import Segmentation

/// A model that was asked for and cannot be used.
public enum ModelLibraryError: Error, CustomStringConvertible {
  case unknown(name: String, known: [String])
  case unreadable(directory: String, reason: String)

  public var description: String {
    switch self {
    case .unknown(let name, let known):
      "there is no model \"\(name)\" (known: \(known.isEmpty ? "none" : known.joined(separator: ", ")))"
    case .unreadable(let directory, let reason):
      "\(directory): the folder of models cannot be read: \(reason)"
    }
  }
}

/// The model bundles that can be asked for by name: those of the program and of further folders.
public struct ModelLibrary: Sendable {
  private let directories: [URL]

  public init(directories: [URL]) {
    self.directories = directories
  }

  /// The folder of every bundle by its folder's name; a later directory wins.
  public func bundles() throws(ModelLibraryError) -> [String: URL] {
    var found: [String: URL] = [:]
    for directory in ModelBundle.embeddedDirectories + directories {
      let entries: [URL]
      do {
        entries = try FileManager.default.contentsOfDirectory(
          at: directory, includingPropertiesForKeys: nil)
      } catch {
        throw .unreadable(directory: directory.path, reason: error.localizedDescription)
      }
      for entry in entries {
        let description = entry.appendingPathComponent("model.yaml").path
        if FileManager.default.fileExists(atPath: description) {
          found[entry.lastPathComponent] = entry
        }
      }
    }
    return found
  }

  /// Loads a bundle by name, or by the path of its folder, and checks its weights.
  public func load(_ name: String) throws -> ModelBundle {
    if name.contains("/") { return try ModelBundle.load(at: URL(fileURLWithPath: name)) }
    let known = try bundles()
    guard let folder = known[name] else {
      throw ModelLibraryError.unknown(name: name, known: known.keys.sorted())
    }
    return try ModelBundle.load(at: folder)
  }
}
