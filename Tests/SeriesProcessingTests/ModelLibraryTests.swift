import Foundation
import TestSupport
import Testing

@testable import SeriesProcessing

@Suite struct ModelLibraryTests {
  private let models = TestFiles.fixtures.appendingPathComponent("models")

  @Test func excludedModelsAreNeitherListedNorLoaded() throws {
    let library = ModelLibrary(
      directories: [models], excluded: ["untrained-tiny", "hippocampus", "cardiac"], threads: 1)
    #expect(library.bundles.keys.sorted() == ["untrained-tiny-mr"])
    #expect(try library.bundle("untrained-tiny-mr").name == "untrained-tiny-mr")
    let refused = #expect(throws: ModelLibraryError.self) { try library.bundle("hippocampus") }
    #expect(refused?.description == "the model \"hippocampus\" is excluded by models.exclude")
    let unknown = #expect(throws: ModelLibraryError.self) { try library.bundle("other") }
    #expect(unknown?.description.contains("(known: untrained-tiny-mr)") == true)
  }

  /// A daemon that runs for months computes with the bundle that is there, not with one that was replaced.
  @Test func aReplacedBundleIsLoadedAgain() async throws {
    let folder = try TemporaryFolder()
    let bundle = folder.url.appendingPathComponent("untrained-tiny")
    try FileManager.default.copyItem(
      at: models.appendingPathComponent("untrained-tiny"), to: bundle)
    let library = ModelLibrary(directories: [folder.url], threads: 1)
    let first = try await library.segmenter("untrained-tiny")
    #expect(try await library.segmenter("untrained-tiny") === first)
    let file = bundle.appendingPathComponent("model.yaml")
    let text = try String(contentsOf: file, encoding: .utf8)
    try Data(text.replacing("version: 1.0.0", with: "version: 1.0.1").utf8).write(to: file)
    let second = try await library.segmenter("untrained-tiny")
    #expect(second !== first && second.bundle.version == "1.0.1")
    #expect(try await library.segmenter("untrained-tiny") === second)
    // What cannot be read now says nothing of what is loaded; the proof of a result will.
    try FileManager.default.removeItem(at: file)
    #expect(try await library.segmenter("untrained-tiny") === second)
  }
}
