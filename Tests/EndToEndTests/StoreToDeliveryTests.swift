import Foundation
import TestSupport
import Testing

/// C-STORE in, a segmentation in a real PACS out.
@Suite(.serialized, .limitedConcurrency) struct StoreToDeliveryTests {
  @Test func aSeriesSentByStorescuArrivesAsSegmentationInOrthanc() async throws {
    let setup = try DaemonSetup()
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    let uids = try await makeSeries(at: series, "--orientation", "oblique")
    #expect(try await setup.send(series).status == 0)

    let job = try #require(try await setup.endedJobs().first)
    #expect(job.state == "completed", "\(job.reason ?? "")")
    #expect(job.seriesInstanceUID == uids.series)
    try await setup.delivered()
    #expect(try await pacs.segmentations() == [try #require(job.sopInstanceUID)])
    #expect(try await daemon.end() == 0)
    #expect(!daemon.output.contains("PHANTOM"), "no patient name or ID in the log")
  }

  @Test func aLateSliceMakesANewJobWhoseResultReplacesTheOlder() async throws {
    let setup = try DaemonSetup()
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    let late = setup.folder.url.appendingPathComponent("late")
    try await makeSeries(at: series, "--slices", "12")
    try FileManager.default.createDirectory(at: late, withIntermediateDirectories: true)
    try FileManager.default.moveItem(
      at: series.appendingPathComponent("IM0012.dcm"), to: late.appendingPathComponent("IM0012.dcm")
    )
    #expect(try await setup.send(series).status == 0)
    _ = try await setup.endedJobs()
    #expect(try await setup.send(late).status == 0)
    let jobs = try await setup.endedJobs(2)
    #expect(Set(jobs.map(\.seriesInstanceUID)).count == 1)
    #expect(Set(jobs.compactMap(\.sopInstanceUID)).count == 2)
    try await setup.delivered()
    #expect(try await pacs.segmentations().count == 2)
    try await daemon.end()
  }

  @Test func aStudyIsReprocessedWithTheDaemonRunningAndWithout() async throws {
    let setup = try DaemonSetup()
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    let uids = try await makeSeries(at: series)
    #expect(try await setup.send(series).status == 0)
    _ = try await setup.endedJobs()

    let running = try await segmentd(
      "reprocess", "--config", setup.configuration, "--study", uids.study, "--force")
    #expect(running.status == 0, "\(running.output)")
    _ = try await setup.endedJobs(2)
    try await setup.delivered()
    #expect(try await daemon.end() == 0)

    let stopped = try await segmentd(
      "reprocess", "--config", setup.configuration, "--study", uids.study, "--series", uids.series,
      "--force")
    #expect(stopped.status == 0, "\(stopped.output)")
    let jobs = try await setup.endedJobs(3)
    #expect(jobs.allSatisfy { $0.state == "completed" })
    try await setup.delivered()
    #expect(try await pacs.segmentations().count == 3)

    let unknown = try await segmentd(
      "reprocess", "--config", setup.configuration, "--study", "1.2.3")
    #expect(unknown.status != 0)
    #expect(unknown.output.contains("1.2.3"))
  }

  @Test func aWatchFolderIsTakenAndLeftAsItWas() async throws {
    let watched = try TemporaryFolder()
    let setup = try DaemonSetup(assembly: "{quietSeconds: 4}", watch: watched.url)
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let daemon = try await setup.start()
    // All at once: on a busy machine a series that is being made may be quiet for that long.
    let made = setup.folder.url.appendingPathComponent("made")
    try await makeSeries(
      at: made.appendingPathComponent("über"), "--orientation", "sagittal", "--modality", "MR")
    try FileManager.default.moveItem(at: made, to: watched.url.appendingPathComponent("a folder"))
    try "not DICOM".write(
      to: watched.url.appendingPathComponent("readme.txt"), atomically: false, encoding: .utf8)
    let before = try FileManager.default.subpathsOfDirectory(atPath: watched.url.path).sorted()
    // More than one where a busy machine pauses between two files for longer than the quiet period.
    var jobs: [JobRow] = []
    try await waitUntil("a job of all files") {
      jobs = try await setup.endedJobs()
      return jobs.last?.instances == 16
    }
    let job = try #require(jobs.last)
    #expect(job.state == "completed", "\(job.reason ?? "")")
    try await waitUntil("the delivery") {
      try await setup.jobs().last?.deliveries.allSatisfy { $0.state == "delivered" } == true
    }
    let sent = try await pacs.segmentations()
    #expect(try sent.contains(#require(job.sopInstanceUID)) && sent.count <= jobs.count, "\(sent)")
    #expect(
      try FileManager.default.subpathsOfDirectory(atPath: watched.url.path).sorted() == before)
    #expect(daemon.output.contains("not a DICOM file"), "what is not DICOM is reported")
    #expect(!daemon.output.contains("readme.txt"), "a name of a file may be that of a patient")
    try await daemon.end()
  }

  @Test func withoutADestinationResultsAreKeptHere() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: series)
    #expect(try await setup.send(series).status == 0)
    let job = try #require(try await setup.endedJobs().first)
    #expect(job.state == "completed", "\(job.reason ?? "")")
    #expect(job.deliveries.isEmpty)
    #expect(try await daemon.end() == 0)
  }

  /// 0x0111, Duplicate SOP Instance: it arrived before, and the answer was lost.
  @Test func aResultThatTheDestinationHasIsDelivered() async throws {
    let setup = try DaemonSetup()
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/peers/network_peers.py")
    let pacs = try ChildProcess(
      testPython, [script.path, "receiver", "\(setup.destinationPort)", "PACS", "0111"],
      log: setup.folder.url.appendingPathComponent("pacs.log"))
    let daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: series)
    #expect(try await setup.send(series).status == 0)
    _ = try await setup.endedJobs()
    try await setup.delivered()
    let text = try await segmentd("jobs", "--config", setup.configuration, "--job", "1")
    #expect(text.output.contains("0x0111"), "\(text.output)")
    try await daemon.end()
    try await pacs.end(SIGKILL)
  }

  @Test func anUnreachableDestinationKeepsTheResultUntilItAnswers() async throws {
    let setup = try DaemonSetup()
    let daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: series)
    #expect(try await setup.send(series).status == 0)
    _ = try await setup.endedJobs()
    try await waitUntil("a failed attempt") {
      try await setup.jobs().flatMap(\.deliveries).contains { $0.attempts > 0 }
    }
    #expect(try await setup.jobs().flatMap(\.deliveries).allSatisfy { $0.state != "delivered" })
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    try await setup.delivered(within: 900)
    #expect(try await pacs.segmentations().count == 1)
    try await daemon.end()
  }
}
