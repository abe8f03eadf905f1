import Foundation
import TestSupport
import Testing

/// `pause`, `drain` and `resume`, with the daemon up and down.
@Suite(.serialized, .limitedConcurrency) struct ProcessingTests {
  private func run(_ setup: DaemonSetup, _ command: String, _ options: String...) async throws
    -> String
  {
    let result = try await runProcess(
      segmentdBinary, [command, "--config", setup.configuration] + options)
    #expect(result.status == 0, "\(result.output)")
    return result.output
  }

  /// Received, recorded and assembled, and not begun, through a restart.
  @Test func aPauseOutlastsTheDaemon() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    var daemon = try await setup.start()
    let said = try await run(setup, "pause", "--reason", "new disk")
    #expect(said.contains("processing is paused since") && said.contains(": new disk"))
    let series = setup.folder.url.appendingPathComponent("series")
    let study = try await makeSeries(at: series).study
    #expect(try await setup.send(series).status == 0)
    try await waitUntil("the job") { try await setup.jobs().count == 1 }
    #expect(try await run(setup, "jobs").contains("processing is paused since"))
    #expect(try await run(setup, "explain", "--study", study).contains("and processing is paused"))
    let asked = try await segmentd(
      "reprocess", "--config", setup.configuration, "--study", study)
    #expect(asked.status == 0, "\(asked.output)")
    #expect(asked.output.contains("1 job waits for the same already"), "\(asked.output)")
    try await waitUntil("the log") { daemon.output.contains("processing is paused since") }
    #expect(try await daemon.end() == 0)

    daemon = try await setup.start()
    try await waitUntil("the log") { daemon.output.contains("processing is paused since") }
    #expect(try await setup.jobs().map(\.state) == ["available"])
    #expect(try await setup.jobs().map(\.attempts) == [0])
    #expect(try await run(setup, "resume").contains("processing is active"))
    #expect(try await setup.endedJobs().map(\.state) == ["completed"])
    #expect(try await daemon.end() == 0)
    #expect(try await !run(setup, "jobs").contains("processing is"))
  }

  @Test func aDrainEndsWithTheJobThatRuns() async throws {
    let setup = try DaemonSetup(more: JobGate.everyPatch, hasDestination: false)
    let gate = try await JobGate(setup)
    let daemon = try await setup.start(environment: gate.environment)
    let series = setup.folder.url.appendingPathComponent("first")
    try await makeSeries(at: series, "--slices", "60", "--size", "160")
    #expect(try await setup.send(series).status == 0)
    try await gate.job()
    async let drained = run(setup, "drain", "--wait")
    try await waitUntil("the drain") {
      try await run(setup, "jobs").contains("processing is draining since")
    }
    let other = setup.folder.url.appendingPathComponent("second")
    try await makeSeries(at: other, "--seed", "7")
    #expect(try await setup.send(other).status == 0)
    try await waitUntil("the second job") { try await setup.jobs().count == 2 }
    #expect(try await setup.jobs().map(\.state) == ["running", "available"])
    try gate.open()
    #expect(try await drained.contains("processing is drained since"))
    #expect(try await setup.jobs().map(\.state) == ["completed", "available"])
    try await waitUntil("the log") { daemon.output.contains("processing is drained") }
    #expect(try await daemon.end() == 0)

    // With no daemon nothing runs.
    #expect(try await run(setup, "drain", "--wait").contains("processing is drained"))
    #expect(try await run(setup, "resume").contains("processing is active"))
  }
}
