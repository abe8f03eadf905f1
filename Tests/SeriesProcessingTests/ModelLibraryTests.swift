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
}
