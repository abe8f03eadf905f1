import Foundation
import TestSupport
import Testing

/// The bundled model on what it was not made for: nothing comes out without a refusal or warning.
@Suite(.limitedConcurrency) struct OutOfDistributionTests {
  struct Report: Decodable {
    var volume: String?
    var state: String
    var warnings: [String]
    var reasons: [String]
  }

  private let series = TestFiles.fixtures.appendingPathComponent("series")

  private func run(_ inputs: URL...) async throws -> [Report] {
    let folder = try TemporaryFolder()
    let result = try await runProcess(
      segmentdBinary,
      ["run", "--json", "--model", "hippocampus", "--output", folder.url.path]
        + inputs.map(\.path), within: 900)
    let start = try #require(result.output.range(of: "\n[\n") ?? result.output.range(of: "[\n"))
    let end = try #require(result.output.range(of: "]", options: .backwards))
    return try JSONDecoder().decode(
      [Report].self, from: Data(result.output[start.lowerBound..<end.upperBound].utf8))
  }

  private func makeVolumes(_ folder: TemporaryFolder, totalseg: URL?) async throws {
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/generators/out_of_distribution.py")
    let made = try await runProcess(
      testPython,
      [script.path, series.appendingPathComponent("synthetic-1").path, folder.url.path]
        + (totalseg.map { [$0.path] } ?? []))
    try #require(made.status == 0, "\(made.output)")
  }

  @Test func nothingOutOfDistributionIsSegmentedInSilence() async throws {
    let folder = try TemporaryFolder()
    try await makeVolumes(folder, totalseg: nil)
    let reports = try await run(folder.url)
    #expect(reports.count == 15)
    for report in reports {
      let name = report.volume ?? "?"
      #expect(
        report.state == "held" || !report.warnings.isEmpty,
        "\(name) is \(report.state) in silence")
      if report.state == "held" { #expect(report.reasons.first.map { $0.count > 20 } == true) }
    }
    let held = Set(reports.filter { $0.state == "held" }.compactMap(\.volume))
    for name in [
      "empty", "constant", "one_voxel", "noise_gauss", "noise_rayleigh", "inverted",
      "hounsfield_offset", "gamma", "half_empty", "shrunk_and_padded",
    ] { #expect(held.contains(name), "\(name) was not refused") }
  }

  @Test(
    .enabled(if: TestFiles.shared != nil, Comment(rawValue: TestFiles.sharedIsMissing)))
  func nothingOfAnotherBodyPartIsSegmentedInSilence() async throws {
    let folder = try TemporaryFolder()
    let data = try #require(TestFiles.shared).appendingPathComponent("realdata")
    try await makeVolumes(folder, totalseg: data.appendingPathComponent("nifti_labelled_totalseg"))
    let reports = try await run(folder.url)
    #expect(reports.count == 15 + 50)
    for report in reports {
      #expect(
        report.state == "held" || !report.warnings.isEmpty,
        "\(report.volume ?? "?") is \(report.state) in silence")
    }
  }

  /// What the model was made for is neither refused nor doubted.
  @Test func theBundledSubjectsPass() async throws {
    for name in ["synthetic-1", "synthetic-2"] {
      let reports = try await run(series.appendingPathComponent(name))
      #expect(reports.map(\.state) == ["segmented"])
      #expect(reports.flatMap(\.warnings) == [])
    }
  }
}
