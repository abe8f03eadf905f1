import Foundation
import TestSupport
import Testing

@Suite(.serialized, .limitedConcurrency) struct MemoryTests {
  private func run(_ series: URL, _ options: String...) async throws -> RunMemoryReport {
    let models = TestFiles.fixtures.appendingPathComponent("models").path
    let result = try await runProcess(
      segmentdBinary,
      [
        "run", "--model", "untrained-tiny", "--models", models, "--output",
        series.path + "-results", "--json", series.path,
      ] + options)
    let json = result.output[try #require(result.output.range(of: "[\n")).lowerBound...]
    return try #require(
      try JSONDecoder().decode([RunMemoryReport].self, from: Data(json.utf8)).first)
  }

  /// A few voxels and some twenty million: the first shows what the process takes anyway, the second
  /// what a job adds.
  @Test(arguments: [["--slices", "5", "--size", "32"], ["--slices", "200", "--size", "320"]])
  func thePeakIsPredicted(_ options: [String]) async throws {
    let folder = try TemporaryFolder()
    let series = folder.url.appendingPathComponent("series")
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/generators/make_series.py")
    let made = try await runProcess(
      testPython,
      [script.path, series.path, "--spacing", "0.8", "0.6", "0.6"] + options)
    try #require(made.status == 0, "\(made.output)")
    let report = try await run(series)
    #expect(report.state == "segmented", "\(report.reasons)")
    let memory = try #require(report.memory)
    let ratio = Double(memory.predicted) / Double(memory.peak)
    print("memory: predicted \(memory.predicted), peak \(memory.peak), ratio \(ratio)")
    #expect((0.85...1.4).contains(ratio), "predicted \(memory.predicted), was \(memory.peak)")

    let refused = try await run(series, "--memory-limit-gb", "0.01")
    #expect(refused.state == "held")
    let reason = try #require(refused.reasons.first)
    #expect(reason.contains("the configured limit allows 0.01 GB"), "\(reason)")
  }
}
