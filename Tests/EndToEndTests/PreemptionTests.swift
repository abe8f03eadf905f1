import Foundation
import JobLedger
import TestSupport
import Testing

/// Jobs that are interrupted in the real daemon come to the result of `run`, byte for byte.
@Suite(.serialized, .limitedConcurrency) struct PreemptionTests {
  private func setup() throws -> DaemonSetup {
    try DaemonSetup(more: "inference: {checkpointSeconds: 0.001}", hasDestination: false)
  }

  private func makeLongSeries(_ setup: DaemonSetup, _ number: Int) async throws -> URL {
    let series = setup.folder.url.appendingPathComponent("series-\(number)")
    try await makeSeries(
      at: series, "--slices", "60", "--size", "160", "--seed", "\(number)")
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

  private func checkpoint(_ setup: DaemonSetup, _ job: Int) -> URL {
    setup.state.appendingPathComponent("checkpoints/\(job)/volume.prediction")
  }

  private func checkpointExists(_ setup: DaemonSetup, _ job: Int) -> Bool {
    access(checkpoint(setup, job).path, F_OK) == 0
  }

  /// Sends one series after the other, until something could be done to its job while that had a checkpoint: on a busy
  /// machine the job may be faster than this test.
  ///
  /// - Parameter strike: what is done; false where the job had ended before.
  /// - Returns: the series, and the number of its job.
  private func meetingJob(
    _ setup: DaemonSetup, _ strike: (_ job: Int) async throws -> Bool
  ) async throws -> (series: URL, job: Int) {
    for job in 1...20 {
      let series = try await makeLongSeries(setup, job)
      #expect(try await setup.send(series).status == 0)
      let ledger = try Ledger(reading: setup.state.appendingPathComponent("ledger.sqlite").path)
      while !checkpointExists(setup, job) {
        let present = try ledger.jobs().last
        let isOver = ["completed", "held", "cancelled"].contains(present?.state)
        if present?.id == Int64(job), isOver { break }
        try await Task.sleep(for: .milliseconds(5))
      }
      if try await strike(job) { return (series, job) }
    }
    throw NoRunningJob(description: "every job ended before anything could be done to it")
  }

  @Test(arguments: [SIGKILL, SIGTERM])
  func aJobResumesFromItsCheckpointAfterTheDaemonEnded(signal: Int32) async throws {
    let setup = try setup()
    var daemon = try await setup.start()
    let (series, number) = try await meetingJob(setup) { job in
      try await daemon.end(signal)
      let isMet = checkpointExists(setup, job)
      daemon = try await setup.start()
      return isMet
    }
    let jobs = try await setup.endedJobs(number)
    #expect(jobs.allSatisfy { $0.state == "completed" }, "\(jobs)")
    #expect(daemon.output.contains("resumes from its checkpoint"))
    #expect(try await object(setup, jobs.last) == expected(setup, series))
    try await waitUntil("the end of the checkpoint") { !checkpointExists(setup, number) }
    #expect(try await daemon.end() == 0)
  }

  @Test func aPauseHasTheRunningJobYield() async throws {
    let setup = try setup()
    let daemon = try await setup.start()
    let (series, number) = try await meetingJob(setup) { job in
      // However long the command takes to start: the job stands still meanwhile. The daemon may hold the ledger's lock
      // then, and the command says so.
      var pause: ProcessResult
      repeat {
        kill(daemon.pid, SIGSTOP)
        pause = try await segmentd("pause", "--config", setup.configuration, "--running")
        kill(daemon.pid, SIGCONT)
      } while pause.status != 0 && pause.output.contains("locked")
      #expect(pause.status == 0 && pause.output.contains("processing is paused since"))
      try await waitUntil("the job to yield") { try await setup.jobs().last?.state != "running" }
      if try await setup.jobs().last?.state == "available" { return true }
      _ = try await segmentd("resume", "--config", setup.configuration)
      return false
    }
    #expect(checkpointExists(setup, number))
    _ = try await segmentd("resume", "--config", setup.configuration)
    let jobs = try await setup.endedJobs(number)
    #expect(jobs.allSatisfy { $0.state == "completed" }, "\(jobs)")
    #expect(jobs.last?.attempts == 2)
    #expect(try await object(setup, jobs.last) == expected(setup, series))
    #expect(try await daemon.end() == 0)
  }
}
