import ArgumentParser
import SeriesProcessing

extension CompletionKind {
  /// Models that come with the program; a path of a bundle is typed.
  static var model: CompletionKind {
    .custom { _, _, _ in ModelLibrary(directories: [], threads: 1).bundles.keys.sorted() }
  }

  static var yaml: CompletionKind { .file(extensions: ["yaml", "yml"]) }
  static var safetensors: CompletionKind { .file(extensions: ["safetensors"]) }
}
