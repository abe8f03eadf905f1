import Foundation
import TestSupport
import Testing

/// Two echoes in one series: held with a list until a rule or a person chooses one, the same at every entrance.
@Suite(.serialized, .limitedConcurrency) struct VolumeChoiceTests {
  private let folder: TemporaryFolder
  private var series: URL { folder.url.appendingPathComponent("series") }

  init() throws { folder = try TemporaryFolder() }

  private func makeEchoes() async throws -> (study: String, series: String) {
    try await makeSeries(at: series, "--modality", "MR", "--echo-times", "20", "80")
  }

  private func run(_ name: String, _ options: String..., status: Int32 = 0) async throws
    -> (folder: URL, output: String)
  {
    let output = folder.url.appendingPathComponent(name)
    let result = try await runProcess(
      segmentdBinary,
      [
        "run", "--models", TestFiles.fixtures.appendingPathComponent("models").path, "--model",
        "untrained-tiny-mr", "--output", output.path, series.path,
      ] + options)
    #expect(result.status == status, "\(result.output)")
    return (output, result.output)
  }

  /// The echo times of the images that an object refers to.
  private func echoTimes(_ object: URL) async throws -> String {
    let script = """
      import pathlib, sys, pydicom
      d = pydicom.dcmread(sys.argv[1])
      used = {i.ReferencedSOPInstanceUID for s in d.ReferencedSeriesSequence
              for i in s.ReferencedInstanceSequence}
      images = [pydicom.dcmread(f) for f in pathlib.Path(sys.argv[2]).iterdir()]
      print(sorted({float(i.EchoTime) for i in images if i.SOPInstanceUID in used}), len(used))
      """
    let result = try await runProcess(testPython, ["-c", script, object.path, series.path])
    return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private static let list =
    "the series holds 2 volumes: 1: EchoTime=20.0, 16 slices 2.0 mm apart; 2: EchoTime=80.0, 16 slices 2.0 mm apart"

  @Test func aPersonChoosesAtEveryEntrance() async throws {
    let uids = try await makeEchoes()
    let inspected = try await segmentd("inspect", series.path)
    #expect(inspected.output.contains(Self.list), "\(inspected.output)")
    #expect(inspected.output.contains("volume 2: 48x48x16 EchoTime=80.0"), "\(inspected.output)")
    for options in [[], ["--volume", "3"]] {
      let held = try await runProcess(
        segmentdBinary,
        [
          "run", "--models", TestFiles.fixtures.appendingPathComponent("models").path, "--model",
          "untrained-tiny-mr", "--output", folder.url.appendingPathComponent("held").path,
          series.path,
        ] + options)
      #expect(held.status == 2 && held.output.contains(Self.list), "\(held.output)")
    }
    let wanted = try await run("one", "--volume", "2").folder
      .appendingPathComponent("\(uids.series)/segmentation.dcm")
    #expect(try await echoTimes(wanted) == "[80.0] 16")

    let setup = try DaemonSetup(hasDestination: false)
    var daemon = try await setup.start()
    #expect(try await setup.send(series).status == 0)
    let held = try #require(try await setup.endedJobs().first)
    #expect(held.state == "held" && held.reason?.contains(Self.list) == true, "\(held)")
    let wrong = try await segmentd(
      "jobs", "release", "--config", setup.configuration, "--series", uids.series, "--volume", "3")
    #expect(wrong.output.contains("its series has 2 volumes"), "\(wrong.output)")
    #expect(try await setup.jobs().map(\.state) == ["held"])
    let released = try await segmentd(
      "jobs", "release", "--config", setup.configuration, "--series", uids.series, "--volume", "2",
      "--reason", "the late echo")
    #expect(released.status == 0, "\(released.output)")
    #expect(released.output.contains("with volume 2 of 2 (EchoTime=80.0)"), "\(released.output)")
    try await waitUntil("the result") { try await setup.jobs().first?.state == "completed" }
    let job = try #require(try await setup.jobs().first)
    let made = setup.state.appendingPathComponent(try #require(job.segmentations.first).path)
    #expect(try Data(contentsOf: made) == Data(contentsOf: wanted))
    let story = try await segmentd(
      "explain", "--config", setup.configuration, "--study", uids.study)
    #expect(
      story.output.contains("volume 2 of 2 (EchoTime=80.0), by an administrator: the late echo"),
      "\(story.output)")
    #expect(try await daemon.end() == 0)

    // After a restart a new job takes the same volume, and so does one in a ledger that was lost.
    daemon = try await setup.start()
    let again = try await segmentd(
      "reprocess", "--config", setup.configuration, "--study", uids.study, "--wait")
    #expect(again.status == 0 && again.output.contains("volume EchoTime=80.0"), "\(again.output)")
    #expect(try await daemon.end() == 0)
    for name in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"] {
      try? FileManager.default.removeItem(at: setup.state.appendingPathComponent(name))
    }
    daemon = try await setup.start()
    let jobs = try await setup.endedJobs(2)
    #expect(jobs.allSatisfy { $0.state == "completed" }, "\(jobs)")
    let rebuilt = try await segmentd(
      "reprocess", "--config", setup.configuration, "--study", uids.study, "--dry-run")
    #expect(
      rebuilt.output.contains("the same as the result of job")
        && rebuilt.output.contains("volume EchoTime=80.0"), "\(rebuilt.output)")
    #expect(try await daemon.end() == 0)
  }

  @Test func aRuleChooses() async throws {
    let uids = try await makeEchoes()
    let setup = try DaemonSetup(
      rules: """
        rules:
          - model: untrained-tiny-mr
            require: {modality: MR}
            volume: {prefer: [{echoTime: {min: 40}}]}
        """, hasDestination: false)
    let tried = try await segmentd("rules", "test", "--config", setup.configuration, series.path)
    #expect(
      tried.output.contains("volume 2 of 2 (EchoTime=80.0): the highest score, 1"),
      "\(tried.output)")
    let daemon = try await setup.start()
    #expect(try await setup.send(series).status == 0)
    let job = try #require(try await setup.endedJobs().first)
    #expect(job.state == "completed", "\(job)")
    let made = setup.state.appendingPathComponent(try #require(job.segmentations.first).path)
    let wanted = try await run("one", "--volume", "2", "--config", setup.configuration).folder
      .appendingPathComponent("\(uids.series)/segmentation.dcm")
    #expect(try Data(contentsOf: made) == Data(contentsOf: wanted))
    #expect(try await daemon.end() == 0)

    // A person wants the other one.
    let other = try await segmentd(
      "reprocess", "--config", setup.configuration, "--series", uids.series, "--volume", "1")
    #expect(other.status == 0, "\(other.output)")
    let last = try #require(try await setup.jobs().last?.segmentations.first).path
    #expect(try await echoTimes(setup.state.appendingPathComponent(last)) == "[20.0] 16")
  }
}
