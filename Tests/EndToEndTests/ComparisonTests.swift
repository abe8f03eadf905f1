import Foundation
import TestSupport
import Testing

/// A segmentation that somebody made of a series of ours reaches the listener.
@Suite(.serialized, .limitedConcurrency) struct ComparisonTests {
  private struct Row: Decodable {
    struct Score: Decodable {
      var segment: String
      var dice: Double
    }
    var seriesInstanceUID: String
    var madeWith: String
    var fault: String?
    var scores: [Score]
  }

  @Test func aCorrectionIsComparedAndExported() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let daemon = try await setup.start()
    let folder = setup.folder.url
    let series = folder.appendingPathComponent("series")
    let uids = try await makeSeries(at: series)
    #expect(try await setup.send(series).status == 0)
    let job = try #require(try await setup.endedJobs().first)
    try #require(job.state == "completed", "\(job.reason ?? "")")

    let external = folder.appendingPathComponent("external")
    try FileManager.default.createDirectory(at: external, withIntermediateDirectories: true)
    let script = """
      import sys, pydicom
      d = pydicom.dcmread(sys.argv[1])
      d.Manufacturer, d.ManufacturerModelName = "Workstation", "1"
      d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = "2.25.4711"
      d.SeriesInstanceUID = "2.25.4712"
      bits = bytearray(d.PixelData)
      bits[0:len(bits):5] = bytes(len(bits[0:len(bits):5]))
      d.PixelData = bytes(bits)
      d.save_as(sys.argv[2])
      """
    let made = try await runProcess(
      testPython,
      [
        "-c", script, setup.state.appendingPathComponent("results/1/segmentation.dcm").path,
        external.appendingPathComponent("1.dcm").path,
      ])
    try #require(made.status == 0, "\(made.output)")
    #expect(try await setup.send(external).status == 0)

    var rows: [Row] = []
    try await waitUntil("the comparison") {
      let result = try await segmentd("comparisons", "--config", setup.configuration, "--json")
      rows = try JSONDecoder().decode([Row].self, from: Data(result.output.utf8))
      return !rows.isEmpty
    }
    #expect(rows.count == 1 && rows[0].seriesInstanceUID == uids.series)
    #expect(rows[0].madeWith == "Workstation 1" && rows[0].fault == nil)
    #expect(rows[0].scores.allSatisfy { $0.dice > 0.5 && $0.dice < 1 }, "\(rows)")
    // It was stored, and never segmented.
    #expect(try await setup.jobs().count == 1)

    let corrections = folder.appendingPathComponent("corrections")
    let summary = try await segmentd(
      "comparisons", "--config", setup.configuration, "--export", corrections.path)
    #expect(summary.output.contains("STRUCTURE") && summary.output.contains("untrained-tiny"))
    let images = corrections.appendingPathComponent("images/\(uids.series)")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: images.path).count
        == FileManager.default.contentsOfDirectory(atPath: series.path).count)
    #expect(
      try FileManager.default.contentsOfDirectory(
        atPath: corrections.appendingPathComponent("labels").path) == ["\(uids.series).dcm"])
    let story = try await segmentd(
      "explain", "--config", setup.configuration, "--study", uids.study)
    #expect(story.output.contains("was compared with segmentation 2.25.4711 of others"))
    try await daemon.end()
  }
}
