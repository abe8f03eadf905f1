import Foundation
import TestSupport
import Testing

/// One element of one header changed at random: never a crash, never a volume that is elsewhere
/// than the headers say.
@Suite(.limitedConcurrency) struct ChangedHeadersTests {
  @Test func noChangeIsOverlooked() async throws {
    let folder = try TemporaryFolder()
    let made = try await script("generators/make_series_defects.py", [folder.url.path])
    #expect(made.status == 0, "\(made.output)")
    let series = [
      "plain", "oblique", "two_echoes", "enhanced_two_phases", "mosaic_of_numaris_x",
      "bare_implicit_datasets", "table_instead_of_a_slope",
    ].map { folder.url.appendingPathComponent($0).path }
    let fuzzed = try await script(
      "generators/fuzz_series.py",
      ["--segmentd", segmentdBinary, "--seed", "6", "--count", "150"] + series)
    #expect(fuzzed.status == 0, "\(fuzzed.output)")
    #expect(fuzzed.output.contains("150 changed series"), "\(fuzzed.output)")
  }

  private func script(_ name: String, _ arguments: [String]) async throws -> (
    status: Int32, output: String
  ) {
    let path = TestFiles.package.appendingPathComponent("Scripts/test-support/\(name)").path
    let result = try await runProcess(testPython, ["-W", "ignore", path] + arguments)
    return (result.status, result.output)
  }
}
