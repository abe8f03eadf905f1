import Foundation
import Segmentation
import SeriesReading
import Tensors

/// A model that was asked for and is not there.
public enum ModelLibraryError: Error, CustomStringConvertible {
  case unknown(name: String, known: [String])
  /// The site does not use it.
  case excluded(name: String)

  public var description: String {
    switch self {
    case .excluded(let name): "the model \"\(name)\" is excluded by models.exclude"
    case .unknown(let name, let known):
      "there is no model \"\(name)\" "
        + "(known: \(known.isEmpty ? "none" : known.joined(separator: ", ")))"
    }
  }
}

/// The model bundles that can be asked for by name, and their segmenters.
public actor ModelLibrary {
  private let directories: [URL]
  private let excluded: Set<String>
  private let threads: Int
  private let instructionSet: InstructionSet?
  /// One model is kept loaded: a job after another is usually for the same.
  private var loaded: (name: String, segmenter: Segmenter)?

  /// - Parameters:
  ///   - directories: folders of bundles in addition to those that come with the program.
  ///   - excluded: names of bundles that are never loaded, whoever asks for them.
  ///   - threads: of the networks' arithmetic.
  ///   - instructionSet: of the networks' arithmetic; nil for the fastest of this machine.
  public init(
    directories: [URL], excluded: [String] = [], threads: Int,
    instructionSet: InstructionSet? = nil
  ) {
    self.instructionSet = instructionSet
    self.directories = directories
    self.excluded = Set(excluded)
    self.threads = threads
  }

  /// The folder of every bundle that is not excluded, by its name; a bundle of a later directory
  /// wins.
  public nonisolated var bundles: [String: URL] {
    Dictionary(
      ModelFolders.bundles(in: directories).map { ($0.lastPathComponent, $0) },
      uniquingKeysWith: { $1 }
    ).filter { !excluded.contains($0.key) }
  }

  /// Loads a bundle by name, or by the path of its folder, and checks its weights.
  ///
  /// - Throws: ``ModelLibraryError`` or `ModelBundleError`.
  public nonisolated func bundle(_ name: String) throws -> ModelBundle {
    guard !excluded.contains(name) else { throw ModelLibraryError.excluded(name: name) }
    if name.contains("/") { return try ModelBundle.load(at: URL(fileURLWithPath: name)) }
    let known = bundles
    guard let folder = known[name] else {
      throw ModelLibraryError.unknown(name: name, known: known.keys.sorted())
    }
    return try ModelBundle.load(at: folder)
  }

  /// The segmenter of a model, loaded on first use, and again where its `model.yaml` is another one since.
  public func segmenter(_ name: String) throws -> Segmenter {
    try segmenter(name, instructionSet: instructionSet)
  }

  /// The same with another instruction set than that of the library.
  ///
  /// - Throws: also `MissingInstructionSet`.
  func segmenter(_ name: String, instructionSet: InstructionSet?) throws -> Segmenter {
    if let loaded, loaded.name == name, loaded.segmenter.instructionSet == instructionSet,
      !loaded.segmenter.bundle.isReplaced
    {
      return loaded.segmenter
    }
    loaded = nil
    let segmenter = try Segmenter(
      bundle: bundle(name), threads: threads, instructionSet: instructionSet)
    loaded = (name, segmenter)
    return segmenter
  }
}

extension ModelBundle {
  /// Whether there is another `model.yaml` in the folder than was loaded. One that cannot be read now says nothing.
  fileprivate var isReplaced: Bool {
    guard let document = try? Data(contentsOf: directory.appendingPathComponent("model.yaml"))
    else { return false }
    return hexadecimalSHA256(of: document) != documentSHA256
  }
}
