import Foundation
import TestSupport
import Testing

/// The site's geometry rules count at every entrance.
@Suite(.limitedConcurrency) struct SiteGeometryTests {
  @Test(arguments: [["run", "--model", "untrained-tiny", "--output", "OUT"], ["inspect"]])
  func theGeometryOfAConfigurationDecides(command: [String]) async throws {
    let folder = try TemporaryFolder()
    _ = try await makeSeries(at: folder.url.appendingPathComponent("series"))
    let models = TestFiles.fixtures.appendingPathComponent("models").path
    let file = folder.url.appendingPathComponent("segmentd.yaml").path
    try "geometry: {minimumSlices: 300}\n".write(toFile: file, atomically: true, encoding: .utf8)
    let arguments =
      command.map { $0 == "OUT" ? folder.url.path + "/out" : $0 }
      + (command[0] == "run" ? ["--models", models] : []) + [folder.url.path + "/series"]
    let accepted = try await runProcess(segmentdBinary, arguments)
    #expect(accepted.status == 0, "\(accepted.output)")
    #expect(!accepted.output.contains("held"))
    let held = try await runProcess(segmentdBinary, arguments + ["--config", file])
    #expect(held.output.contains("held"), "\(held.output)")
    #expect(held.output.contains("at least 300 make a volume"), "\(held.output)")
  }

  @Test func evaluationHoldsWhatTheConfigurationHolds() async throws {
    let folder = try TemporaryFolder()
    _ = try await makeSeries(at: folder.url.appendingPathComponent("images/a"))
    let models = TestFiles.fixtures.appendingPathComponent("models").path
    let run = try await runProcess(
      segmentdBinary,
      [
        "run", "--models", models, "--model", "untrained-tiny", "--nifti", "--output",
        folder.url.path + "/out", folder.url.path + "/images",
      ])
    try #require(run.status == 0, "\(run.output)")
    let series = try #require(
      try FileManager.default.contentsOfDirectory(atPath: folder.url.path + "/out").first)
    let labels = folder.url.appendingPathComponent("labels")
    try FileManager.default.createDirectory(at: labels, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      at: folder.url.appendingPathComponent("out/\(series)/labels.nii.gz"),
      to: labels.appendingPathComponent("a.nii.gz"))
    let file = folder.url.appendingPathComponent("segmentd.yaml").path
    try "geometry: {minimumSlices: 300}\n".write(toFile: file, atomically: true, encoding: .utf8)
    let arguments = [
      "evaluate", "--models", models, "--model", "untrained-tiny", "--images",
      folder.url.path + "/images", "--labels", labels.path,
    ]
    let scored = try await runProcess(segmentdBinary, arguments)
    #expect(scored.status == 0, "\(scored.output)")
    let held = try await runProcess(segmentdBinary, arguments + ["--config", file])
    #expect(held.status == 2)
    #expect(held.output.contains("at least 300 make a volume"), "\(held.output)")
  }
}
