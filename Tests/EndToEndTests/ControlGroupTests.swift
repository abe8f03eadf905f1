import Foundation
import JobLedger
import TestSupport
import Testing

/// Within the limit of its control group segmentd segments or says that it cannot; the kernel never has to
/// end it.
@Suite(.serialized, .limitedConcurrency) struct ControlGroupTests {
  private func report(_ result: ProcessResult) throws -> RunMemoryReport {
    let start = try #require(result.output.range(of: "[\n"), "\(result)").lowerBound
    let reports = try JSONDecoder().decode(
      [RunMemoryReport].self, from: Data(result.output[start...].utf8))
    return try #require(reports.first)
  }

  @Test(.enabled(if: ControlGroup.isAvailable, "no control group can be made on this machine"))
  func isNeverKilledForMemory() async throws {
    let folder = try TemporaryFolder()
    let series = folder.url.appendingPathComponent("series")
    try await makeSeries(
      at: series, "--spacing", "0.8", "0.6", "0.6", "--slices", "120", "--size", "256")
    let models = TestFiles.fixtures.appendingPathComponent("models").path
    let command = [
      segmentdBinary, "run", "--model", "untrained-tiny", "--models", models, "--output",
      folder.url.path + "/results", "--json", series.path,
    ]
    let free = try report(try await runProcess(command[0], Array(command.dropFirst())))
    let memory = try #require(free.memory)
    var states: [String] = []
    for share in [0.7, 0.9, 1.02, 1.3] {
      let group = try ControlGroup(limit: Int(Double(memory.predicted) * share))
      let result = try await group.run(command)
      #expect(group.kills == 0, "killed at \(share) of what was predicted: \(result)")
      guard group.kills == 0 else { continue }
      let found = try report(result)
      states.append(found.state)
      if found.state == "held" {
        #expect(found.reasons.contains { $0.contains("control group") }, "\(found.reasons)")
      }
    }
    print("control group: predicted \(memory.predicted), peak \(memory.peak), \(states)")
    #expect(states.first == "held" && states.last == "segmented", "\(states)")
  }

  /// The bytes that a job takes at its peak beyond what the process has, as `run` says where they are not there.
  private func needs(_ series: URL) async throws -> Int {
    let models = TestFiles.fixtures.appendingPathComponent("models").path
    let refused = try report(
      try await segmentd(
        "run", "--model", "untrained-tiny", "--models", models, "--output", series.path + "-run",
        "--threads", "1", "--json", "--memory-limit-gb", "0.01", series.path))
    let reason = try #require(refused.reasons.first)
    let parts = reason.components(separatedBy: "the job needs ")
    let number = try #require(parts.last?.split(separator: " ").first.flatMap { Double($0) })
    return Int(number * 1e9)
  }

  private func resident(_ process: Int32) throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
    return try #require(Int(line.split(separator: " ")[1])) * 1024
  }

  /// The daemon may run two jobs at the same time, and its group has memory for one and a half: the second waits,
  /// runs when the first has ended, and nothing is killed.
  @Test(.enabled(if: ControlGroup.isAvailable, "no control group can be made on this machine"))
  func theSecondOfTwoJobsWaitsForMemory() async throws {
    let setup = try DaemonSetup(
      more: "inference: {concurrentJobs: 2, threads: 1}", hasDestination: false)
    let series = try await setup.makeAllSeries(2, slices: 200, size: 320)
    let job = try await needs(series.folders[0])
    let group = try ControlGroup(limit: 16 << 30)
    let daemon = try await setup.start(under: group.wrapper)
    _ = try await segmentd("pause", "--config", setup.configuration)
    for folder in series.folders { #expect(try await setup.send(folder).status == 0) }
    try await waitUntil("both jobs") {
      try await setup.jobs().filter { $0.state == "available" }.count == 2
    }
    let base = try resident(daemon.pid)
    try group.setLimit(base + job * 3 / 2)
    _ = try await segmentd("resume", "--config", setup.configuration)
    let ended = try await setup.endedJobs(2)
    #expect(group.kills == 0, "\(daemon.output)")
    #expect(ended.map(\.state) == ["completed", "completed"], "\(ended.map(\.reason))")

    let ledger = try Ledger(reading: setup.state.appendingPathComponent("ledger.sqlite").path)
    let details = try ended.map { try ledger.job($0.id) }
    let postponed = details.flatMap(\.events).filter { $0.kind == "postponed" }
    #expect(
      postponed.contains { $0.message.contains("the control group") }, "\(details.map(\.events))")
    // One ran at once, the other when there was room again.
    let outcomes = details.map { $0.attempts.map { $0.outcome ?? "" } }.sorted {
      $0.count < $1.count
    }
    #expect(outcomes.first == ["completed"])
    #expect(outcomes.last?.dropLast().allSatisfy { $0 == "released" } == true, "\(outcomes)")
    print(
      "control group: a daemon of \(base) bytes, two jobs of \(job): \(postponed.count) times put off"
    )
    #expect(try await daemon.end() == 0)
  }
}
