import Foundation
import TestSupport
import Testing

/// Jobs that are interrupted in the real daemon come to the result of `run`, byte for byte.
@Suite(.serialized, .limitedConcurrency) struct PreemptionTests {
  private func setup() throws -> DaemonSetup {
    try DaemonSetup(more: "inference: {checkpointSeconds: 0.001}", hasDestination: false)
  }

  private func makeLongSeries(_ setup: DaemonSetup) async throws -> URL {
    let series = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: series, "--slices", "60", "--size", "160")
    return series
  }

  /// The object that `run` makes.
  private func expected(_ setup: DaemonSetup, _ series: URL) async throws -> Data {
    let output = setup.folder.url.appendingPathComponent("run")
    let models = TestFiles.fixtures.appendingPathComponent("models").path
    let result = try await segmentd(
      "run", "--models", models, "--model", "untrained-tiny", "--threads", "1", "--output",
      output.path, series.path)
    #expect(result.status == 0, "\(result.output)")
    let made = try #require(
      try FileManager.default.contentsOfDirectory(
        at: output, includingPropertiesForKeys: nil
      ).first)
    return try Data(contentsOf: made.appendingPathComponent("segmentation.dcm"))
  }

  private func object(_ setup: DaemonSetup, _ job: JobRow?) throws -> Data {
    let path = try #require(job?.segmentations.first).path
    return try Data(contentsOf: setup.state.appendingPathComponent(path))
  }

  private func checkpoint(_ setup: DaemonSetup) -> URL {
    setup.state.appendingPathComponent("checkpoints/1/volume.prediction")
  }

  private func checkpointExists(_ setup: DaemonSetup) -> Bool {
    FileManager.default.fileExists(atPath: checkpoint(setup).path)
  }

  @Test(arguments: [SIGKILL, SIGTERM])
  func aJobResumesFromItsCheckpointAfterTheDaemonEnded(signal: Int32) async throws {
    let setup = try setup()
    let series = try await makeLongSeries(setup)
    var daemon = try await setup.start()
    #expect(try await setup.send(series).status == 0)
    try await setup.file(checkpoint(setup))
    try await daemon.end(signal)
    try #require(checkpointExists(setup), "the job ended too soon for this test to say anything")
    daemon = try await setup.start()
    let jobs = try await setup.endedJobs()
    #expect(jobs.map(\.state) == ["completed"], "\(jobs.first?.reason ?? "")")
    #expect(daemon.output.contains("resumes from its checkpoint"))
    #expect(try await object(setup, jobs.first) == expected(setup, series))
    try await waitUntil("the end of the checkpoint") { !checkpointExists(setup) }
    #expect(try await daemon.end() == 0)
  }

  @Test func aPauseHasTheRunningJobYield() async throws {
    let setup = try setup()
    let series = try await makeLongSeries(setup)
    let daemon = try await setup.start()
    #expect(try await setup.send(series).status == 0)
    try await setup.file(checkpoint(setup))
    // However long the command takes to start: the job stands still meanwhile. The daemon may hold the ledger's lock
    // then, and the command says so.
    var pause: ProcessResult
    repeat {
      kill(daemon.pid, SIGSTOP)
      pause = try await segmentd("pause", "--config", setup.configuration, "--running")
      kill(daemon.pid, SIGCONT)
    } while pause.status != 0 && pause.output.contains("locked")
    #expect(pause.status == 0 && pause.output.contains("processing is paused since"))
    try await waitUntil("the job to yield") { try await setup.jobs().first?.state != "running" }
    #expect(try await setup.jobs().map(\.state) == ["available"])
    #expect(checkpointExists(setup))
    _ = try await segmentd("resume", "--config", setup.configuration)
    let jobs = try await setup.endedJobs()
    #expect(jobs.map(\.state) == ["completed"], "\(jobs.first?.reason ?? "")")
    #expect(jobs.map(\.attempts) == [2])
    #expect(try await object(setup, jobs.first) == expected(setup, series))
    #expect(try await daemon.end() == 0)
  }
}
