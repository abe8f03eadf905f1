import Foundation
import TestSupport
import Testing

/// `segmentd inspect` on series with one habit or defect each.
@Suite(.limitedConcurrency) struct SeriesDefectsTests {
  private struct Expected: Decodable {
    var series: String
    var verdicts: [String]
    /// Columns, rows, slices of each volume; nil where the series is held.
    var volumes: [[Int]]?
    var step: Double?
  }

  private struct Inspection: Decodable {
    struct Series: Decodable {
      var seriesInstanceUID: String
      var verdict: String
      var reasons: [String]
      var volumes: [Volume]
    }
    struct Volume: Decodable {
      var dims: [Int]
      var affine: [[Double]]

      var step: Double {
        (0..<3).map { affine[$0][2] * affine[$0][2] }.reduce(0, +).squareRoot()
      }
    }
    var series: [Series]
  }

  @Test func everyHabitAndDefectGetsItsVerdict() async throws {
    let folder = try TemporaryFolder()
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/generators/make_series_defects.py")
    let made = try await runProcess(testPython, ["-W", "ignore", script.path, folder.url.path])
    #expect(made.status == 0, "\(made.output)")
    let data = try Data(contentsOf: folder.url.appendingPathComponent("expected.json"))
    let expected = try JSONDecoder().decode([String: Expected].self, from: data)
    #expect(expected.count > 110)

    let log = folder.url.appendingPathComponent("verdicts.json")
    let shell = "exec \"$0\" inspect --json \"$1\" > \"$2\" 2> \"$2.log\""
    _ = try await runProcess(
      "/bin/bash", ["-c", shell, segmentdBinary, folder.url.path, log.path])
    let inspection = try JSONDecoder().decode(Inspection.self, from: Data(contentsOf: log))
    for (name, wanted) in expected.sorted(by: { $0.key < $1.key }) {
      let found = inspection.series.filter { $0.seriesInstanceUID == wanted.series }
      #expect(found.count == 1, "\(name)")
      guard let series = found.first else { continue }
      #expect(wanted.verdicts.contains(series.verdict), "\(name): \(series.reasons)")
      if series.verdict != "accepted" { #expect(!series.reasons.isEmpty, "\(name)") }
      guard let volumes = wanted.volumes else { continue }
      #expect(series.volumes.map(\.dims) == volumes, "\(name): \(series.reasons)")
      if let step = wanted.step {
        for volume in series.volumes { #expect(abs(volume.step - step) < 2e-3, "\(name)") }
      }
    }
    let affine = { (name: String) -> [Double] in
      let series = inspection.series.first { $0.seriesInstanceUID == expected[name]?.series }
      return (series?.volumes.first?.affine ?? []).flatMap { $0 }
    }
    for name in samePlaces {
      #expect(!affine(name).isEmpty, "\(name)")
      #expect(zip(affine(name), affine("plain")).allSatisfy { abs($0 - $1) < 1e-3 }, "\(name)")
    }
  }

  /// Other ways to store the very slices of the plain series.
  private let samePlaces = [
    "mosaic_of_numaris_x", "mosaic_of_numaris_x_in_its_sequence", "mosaic_numbered_from_the_head",
    "grid_of_united_imaging", "frames_that_are_called_a_mosaic", "enhanced_frames_shuffled",
    "enhanced_phases_in_any_order", "bare_datasets", "bare_implicit_datasets", "without_preamble",
    "geometry_without_value_representations", "more_digits_than_a_decimal_string_holds",
    "table_instead_of_a_slope", "scouts_in_three_planes",
  ]
}
