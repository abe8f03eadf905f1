import Foundation
import TestSupport
import Testing

private let bundle = TestFiles.package
  .appendingPathComponent("Sources/Segmentation/Models/cardiac")

/// The shipped cardiac model on a synthetic heart, for whose labels it was not trained.
@Suite(
  .limitedConcurrency, .serialized,
  .enabled(
    if: FileManager.default.fileExists(atPath: bundle.path), "the cardiac model has been left out"))
struct CardiacModelTests {
  private let series = TestFiles.fixtures.appendingPathComponent("series/cardiac-1")

  private struct Evaluation: Decodable {
    struct Label: Decodable {
      var label: UInt8
      var dice: Double
    }
    var labels: [Label]
  }

  private func dice(_ file: String, _ phase: String) async throws -> [Double] {
    let result = try await segmentd(
      "evaluate", "--json", "--model", "cardiac", "--predictions", file, "--labels",
      "\(series.path).\(phase).labels.nii.gz")
    return try JSONDecoder().decode(Evaluation.self, from: Data(result.output.utf8))
      .labels.map(\.dice)
  }

  @Test func theHeartOfTheDemoIsFoundInBothPhases() async throws {
    let folder = try TemporaryFolder()
    let input = folder.url.appendingPathComponent("heart")
    try FileManager.default.copyItem(at: series, to: input)
    let row = try await RunRow.run(input, model: bundle)
    #expect(row.state == "segmented", "\(row.reasons ?? [])")
    let phases = try #require(row.phases)
    #expect(phases.map(\.phase.name) == ["end-diastole", "end-systole"])
    // Drawn with end-diastole in the first phase and end-systole in the fourth and fifth.
    #expect([9, 10, 1, 2].contains(phases[0].phase.number), "\(phases[0].phase)")
    #expect((3...6).contains(phases[1].phase.number), "\(phases[1].phase)")
    let diastole = try await dice(phases[0].segmentation, "ed")
    #expect(zip(diastole, [0.75, 0.65, 0.85]).allSatisfy { $0 > $1 }, "\(diastole)")
    let function = try #require(row.function?.first)
    #expect((90...155).contains(function.endDiastolicMillilitres), "\(function)")
    #expect((0.25...0.65).contains(function.ejectionFraction), "\(function)")
    let mass = try #require(row.mass)
    #expect((75...160).contains(mass.grams))
  }

  /// export.py writes model.yaml from cardiac.yaml: neither may be changed alone.
  @Test func theScriptsDescriptionIsTheBundles() throws {
    func lines(_ file: URL) throws -> [Substring] {
      try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        .filter { !$0.hasPrefix("weights:") && !$0.hasPrefix("# What") }
    }
    #expect(
      try lines(TestFiles.package.appendingPathComponent("Scripts/train/cardiac.yaml"))
        == lines(bundle.appendingPathComponent("model.yaml")))
  }

  /// The licence demands its name, the citation, and that the card says so.
  @Test func theCardStatesLicenceAndCitation() throws {
    let card = try String(
      contentsOf: bundle.appendingPathComponent("CARD.md"), encoding: .utf8)
    for text in [
      "CC BY-NC-SA 4.0", "10.1109/TMI.2018.2837502",
      "O. Bernard, A. Lalande, C. Zotti, F. Cervenansky",
      "Research use only", "exclude: [cardiac]",
    ] { #expect(card.contains(text), "\(text)") }
    let weights = bundle.appendingPathComponent("weights.safetensors")
    let size = try weights.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0
    #expect((1_000_000...60_000_000).contains(size))
  }
}
