import Foundation
import TestSupport
import Testing

/// A model whose slices are thicker than the image's, on a series of 1 mm: `run` says that slices are
/// copies, or interpolates between them.
@Suite(.limitedConcurrency) struct ThroughPlaneTests {
  private struct Report: Decodable {
    var state: String
    var notes: [String]
    var warnings: [String]
    var millilitres: [String: Double]?
  }

  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The bundled model at slices of 4 mm, without its limits, which hold it to 1 mm.
  private func coarseModel(_ inference: String = "") throws -> URL {
    let bundled = URL(fileURLWithPath: segmentdBinary).deletingLastPathComponent()
      .appendingPathComponent("segmentd_Segmentation.resources/Models/hippocampus")
    let model = folder.url.appendingPathComponent("coarse")
    try FileManager.default.copyItem(at: bundled, to: model)
    let file = model.appendingPathComponent("model.yaml")
    let text = try String(contentsOf: file, encoding: .utf8)
      .replacing("spacing: [1, 1, 1] ", with: "spacing: [4, 0.9, 0.9] ")
      .replacing("  step: 0.5\n", with: "  step: 0.5\n\(inference)")
    let limits = try #require(text.range(of: "  # Measured by"))
    let rest = try #require(text.range(of: "licence:"))
    try (text[..<limits.lowerBound] + text[rest.lowerBound...]).write(
      to: file, atomically: true, encoding: .utf8)
    return model
  }

  private func run(_ model: URL, _ options: String...) async throws -> ProcessResult {
    let series = TestFiles.fixtures.appendingPathComponent("series/synthetic-1")
    return try await runProcess(
      segmentdBinary,
      [
        "run", "--model", model.path, "--output", folder.url.appendingPathComponent("out").path,
        series.path,
      ] + options, within: 900)
  }

  private func report(_ model: URL, _ options: String...) async throws -> Report {
    let series = TestFiles.fixtures.appendingPathComponent("series/synthetic-1")
    let result = try await runProcess(
      segmentdBinary,
      [
        "run", "--json", "--model", model.path, "--output",
        folder.url.appendingPathComponent("out").path, series.path,
      ] + options, within: 900)
    let start = try #require(result.output.range(of: "[\n"), "\(result.output)")
    let end = try #require(result.output.range(of: "]", options: .backwards))
    let reports = try JSONDecoder().decode(
      [Report].self, from: Data(result.output[start.lowerBound..<end.upperBound].utf8))
    return try #require(reports.first)
  }

  @Test func theReportSaysWhichWayWasTaken() async throws {
    let model = try coarseModel()
    let nearest = try await report(model)
    #expect(nearest.state == "segmented")
    #expect(nearest.notes.count == 1)
    #expect(nearest.notes.first?.contains("repeat those of the slice before") == true)
    #expect(nearest.warnings == [])
    let linear = try await report(model, "--through-plane", "linear")
    #expect(linear.notes.first?.contains("interpolated linearly") == true)
    #expect(linear.millilitres != nearest.millilitres)
    // The same as text.
    let text = try await run(model)
    #expect(text.output.contains("  note: the network's slices are 4.0 mm apart"), "\(text.output)")
  }

  @Test func theModelsChoiceGivesWayToTheOption() async throws {
    let model = try coarseModel("  throughPlane: linear\n")
    #expect(try await report(model).notes.first?.contains("interpolated linearly") == true)
    let nearest = try await report(model, "--through-plane", "nearest")
    #expect(nearest.notes.first?.contains("repeat those of the slice before") == true)
    let refused = try await run(model, "--through-plane", "cubic")
    #expect(refused.status != 0)
    #expect(refused.output.contains("nearest"), "\(refused.output)")
  }

  /// Where the network's slices are as thin as the image's there is nothing to say.
  @Test func theBundledModelHasNoNote() async throws {
    let bundled = URL(fileURLWithPath: segmentdBinary).deletingLastPathComponent()
      .appendingPathComponent("segmentd_Segmentation.resources/Models/hippocampus")
    #expect(try await report(bundled).notes == [])
  }
}
