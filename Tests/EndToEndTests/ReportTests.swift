import Foundation
import TestSupport
import Testing

/// A measurement report, secondary captures, a label map and a structure set go the way of their segmentation: from
/// the job to the archive, where it takes them.
@Suite(.serialized, .limitedConcurrency) struct ReportTests {
  @Test func whatBelongsToASegmentationArrivesBehindIt() async throws {
    let setup = try DaemonSetup(
      more:
        "results: {report: measurements, captures: both, labelmap: true, fractional: true, rtstruct: true}"
    )
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    let uids = try await makeSeries(at: series)
    #expect(try await setup.send(series).status == 0)
    let job = try #require(try await setup.endedJobs().first)
    #expect(job.state == "completed", "\(job.reason ?? "")")
    #expect(
      job.objects.map(\.kind) == [
        "seg", "sr", "capture", "capture-page", "labelmap", "fractional", "rtstruct",
        "picture", "picture",
      ])
    try await setup.delivered()
    let structures = try #require(job.objects[6].sopInstanceUID)
    try await pacs.download(
      structures, to: setup.folder.url.appendingPathComponent("structures.dcm"))
    let report = try #require(job.objects[1].sopInstanceUID)
    let arrived = setup.folder.url.appendingPathComponent("arrived.dcm")
    try await pacs.download(report, to: arrived)
    let text = try await runProcess("/usr/bin/dsrdump", [arrived.path]).output
    #expect(text.contains("Comprehensive 3D SR Document"))
    #expect(text.contains("\"Volume\")=") && text.contains("[hnsf'U]"))
    #expect(text.contains("(SG image,,1)"))
    let told = try await segmentd(
      "explain", "--config", setup.configuration, "--study", uids.study)
    #expect(
      told.output.contains("and 1 report (\(report)) and 1 secondary capture"), "\(told.output)")
    for capture in job.objects[2...3] {
      try await pacs.download(try #require(capture.sopInstanceUID), to: arrived)
      let check = try await runProcess("/usr/bin/dciodvfy", [arrived.path])
      #expect(!check.output.contains("Error"), "\(check.output)")
    }
    #expect(told.output.contains("and 1 page (\(job.objects[3].sopInstanceUID ?? ""))"))
    // Orthanc 1.10 does not know label maps.
    #expect(
      told.output.contains("delivered without 1 object that it does not take"), "\(told.output)")
    #expect(try await daemon.end() == 0)

    // A run without a daemon gives the same bytes.
    let output = setup.folder.url.appendingPathComponent("run")
    let run = try await segmentd(
      "run", "--model", "untrained-tiny", "--models",
      TestFiles.fixtures.appendingPathComponent("models").path, "--output", output.path,
      "--report", "--captures", "both", "--config", setup.configuration, series.path)
    #expect(run.status == 0, "\(run.output)")
    for (index, name, file) in [
      (1, "report", "report.dcm"), (2, "capture", "captures.dcm"), (3, "capture", "page.dcm"),
      (4, "label map", "labelmap.dcm"), (5, "probabilities", "fractional.dcm"),
      (6, "structure set", "structures.dcm"), (8, "page", "page.png"),
    ] {
      let path = output.path + "/\(uids.series)/\(file)"
      #expect(run.output.contains("\(name): \(path)"), "\(run.output)")
      #expect(
        try Data(contentsOf: URL(fileURLWithPath: path))
          == Data(contentsOf: setup.state.appendingPathComponent(job.objects[index].path)))
    }
  }
}
