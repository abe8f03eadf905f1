import Foundation
import TestSupport
import Testing

/// Real scanner data through the daemon; it is next to the package where it is available.
@Suite(
  .limitedConcurrency, .serialized,
  .enabled(if: TestFiles.shared != nil, Comment(rawValue: TestFiles.sharedIsMissing)))
struct RealDataTests {
  /// Sends a folder in the transfer syntaxes that its files have.
  private func send(_ folder: URL, to setup: DaemonSetup) async throws {
    _ = try await runProcess(
      "/usr/bin/dcmsend",
      [
        "--no-halt", "--no-uid-checks", "--decompress-never", "--scan-directories", "--recurse",
        "-aec", "SEGMENTD", "127.0.0.1", "\(setup.port)", folder.path,
      ])
  }

  @Test func everySeriesGetsAResultOrAReason() async throws {
    let data = try #require(TestFiles.shared).appendingPathComponent("realdata")
    let setup = try DaemonSetup()
    let daemon = try await setup.start()
    let folders = try FileManager.default.contentsOfDirectory(atPath: data.path).filter {
      $0.hasPrefix("ct_") || $0.hasPrefix("mr_") || $0.hasPrefix("emr_")
    }.sorted()
    #expect(folders.count >= 17)
    for folder in folders { try await send(data.appendingPathComponent(folder), to: setup) }
    let jobs = try await setup.endedJobs(15, within: 900)
    for job in jobs {
      switch job.state {
      case "completed": #expect(job.sopInstanceUID != nil)
      case "held": #expect(try #require(job.reason).count > 20, "a reason that says something")
      default: Issue.record("series \(job.seriesInstanceUID) is \(job.state)")
      }
    }
    // Every series of one volume with at least three slices, among them two tilted ones of 4 and 7,
    // one of which each of 25 images has its own frame of reference, one whose 4 images came in four
    // transfer syntaxes each and a mosaic that came in nine.
    let completed = jobs.filter { $0.state == "completed" }.map(\.instances).sorted()
    #expect(completed == [1, 1, 3, 4, 4, 4, 4, 7, 9, 20, 25])
    #expect(daemon.isRunning)
    try await daemon.end()
  }

  @Test func hippocampusVolumesAreSegmentedByCStore() async throws {
    let data = try #require(TestFiles.shared).appendingPathComponent("hippocampus")
    let setup = try DaemonSetup(models: ["MR": "hippocampus"])
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let daemon = try await setup.start()
    let cases = ["hippocampus_006", "hippocampus_033", "hippocampus_087"]
    var labels: [String: URL] = [:]
    for name in cases {
      let folder = setup.folder.url.appendingPathComponent(name)
      let series = try await writeSeries(
        data.appendingPathComponent("images/\(name).nii.gz"), to: folder)
      labels[series] = data.appendingPathComponent("labels/\(name).nii.gz")
      #expect(try await setup.send(folder).status == 0)
    }
    let jobs = try await setup.endedJobs(3)
    try await setup.delivered()
    #expect(try await pacs.segmentations().count == 3)
    for job in jobs {
      let file = setup.state.appendingPathComponent("results/\(job.id)/segmentation.dcm")
      let dice = try await runProcess(
        testPython,
        [
          TestFiles.package.appendingPathComponent("Scripts/test-support/readers/dice.py").path,
          file.path,
          try #require(labels[job.seriesInstanceUID]).path,
        ])
      let values = dice.output.split(separator: "\n").compactMap { Double($0) }
      print("hippocampus Dice: \(values)")
      #expect(values.count == 2 && values.allSatisfy { $0 > 0.7 }, "\(dice.output)")
    }
    try await daemon.end()
  }

  /// - Returns: the series instance UID.
  private func writeSeries(_ image: URL, to folder: URL) async throws -> String {
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/generators/nifti_to_series.py")
    let result = try await runProcess(testPython, [script.path, image.path, folder.path])
    guard result.status == 0 else { throw PhantomFailed(output: result.output) }
    return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
