import Foundation
import Segmentation

/// A model that was asked for and is not there.
public enum ModelLibraryError: Error, CustomStringConvertible {
  case unknown(name: String, known: [String])

  public var description: String {
    switch self {
    case .unknown(let name, let known):
      "there is no model \"\(name)\" "
        + "(known: \(known.isEmpty ? "none" : known.joined(separator: ", ")))"
    }
  }
}

/// The model bundles that can be asked for by name, and their segmenters.
public actor ModelLibrary {
  private let directories: [URL]
  private let threads: Int
  /// One model is kept loaded: a job after another is usually for the same.
  private var loaded: (name: String, segmenter: Segmenter)?

  /// - Parameters:
  ///   - directories: folders of bundles in addition to those that come with the program.
  ///   - threads: of the networks' arithmetic.
  public init(directories: [URL], threads: Int) {
    self.directories = directories
    self.threads = threads
  }

  /// The folder of every bundle by its name; a bundle of a later directory wins.
  public nonisolated var bundles: [String: URL] {
    Dictionary(
      ModelFolders.bundles(in: directories).map { ($0.lastPathComponent, $0) },
      uniquingKeysWith: { $1 })
  }

  /// Loads a bundle by name, or by the path of its folder, and checks its weights.
  ///
  /// - Throws: ``ModelLibraryError`` or `ModelBundleError`.
  public nonisolated func bundle(_ name: String) throws -> ModelBundle {
    if name.contains("/") { return try ModelBundle.load(at: URL(fileURLWithPath: name)) }
    let known = bundles
    guard let folder = known[name] else {
      throw ModelLibraryError.unknown(name: name, known: known.keys.sorted())
    }
    return try ModelBundle.load(at: folder)
  }

  /// The segmenter of a model, loaded on first use.
  public func segmenter(_ name: String) throws -> Segmenter {
    if let loaded, loaded.name == name { return loaded.segmenter }
    loaded = nil
    let segmenter = try Segmenter(bundle: bundle(name), threads: threads)
    loaded = (name, segmenter)
    return segmenter
  }
}
