import Foundation
import TestSupport
import Testing

/// The command behind `Scripts/compare-writers.sh`.
@Suite(.serialized, .limitedConcurrency) struct WriteSegmentationTests {
  private struct Report: Decodable {
    var frames: Int
    var bytes: Int
    var writeSeconds: Double
    var proofSeconds: Double
    var writePeakMB: Double
    var peakMB: Double
  }

  /// Four labels on each of 200 slices: the labels take 52 MB, the object 26. Neither writing it nor proving it has
  /// the pixels in memory once more.
  @Test func pixelsAreNotInMemoryTwice() async throws {
    let folder = try TemporaryFolder()
    let series = folder.url.appendingPathComponent("series")
    _ = try await makeSeries(
      at: series, "--slices", "200", "--size", "512", "--spacing", "0.8", "0.6", "0.6")
    let row = (0..<512).map { UInt8($0 / 103) }
    let labels = folder.url.appendingPathComponent("labels.raw")
    let plane = Data((0..<512).flatMap { _ in row })
    try Data((0..<200).flatMap { _ in plane }).write(to: labels)
    let object = folder.url.appendingPathComponent("segmentation.dcm")
    let result = try await runProcess(
      segmentdBinary,
      [
        "write-segmentation", "--labels", labels.path, "--bundle",
        TestFiles.fixtures.appendingPathComponent("models/untrained-tiny").path, "--output",
        object.path, series.path,
      ])
    try #require(result.status == 0, "\(result.output)")
    let report = try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    print("write-segmentation: \(report)")
    #expect(report.frames == 800)
    let pixels = Double(800 * 512 * 512 / 8) / 1_048_576
    #expect(Double(report.bytes) / 1_048_576 > pixels)
    #expect(report.peakMB - report.writePeakMB < pixels / 2, "\(report)")
    // Labels and pixels are 77 MB; that of the tests, from which it was started, is not in it.
    #expect(report.writePeakMB < 250, "\(report)")
  }
}
