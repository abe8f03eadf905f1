import Foundation
import TestSupport
import Testing

/// The clock of the machine is set by an hour while a series comes: nothing waits longer or shorter for it.
@Suite(.serialized, .limitedConcurrency) struct ClockStepTests {
  private static let slices = 8

  /// The seconds by which the clock is ahead, as `clock_step.c` reads them.
  private func set(_ clock: URL, _ seconds: Int64) throws {
    let bytes = withUnsafeBytes(of: seconds) { Data($0) }
    // Another file in its place would not be seen.
    guard let file = FileHandle(forUpdatingAtPath: clock.path) else {
      return try bytes.write(to: clock)
    }
    try file.write(contentsOf: bytes)
    try file.close()
  }

  @Test(arguments: [3600, -3600])
  func aSeriesIsOneJobWithAllThatCame(step: Int64) async throws {
    let setup = try DaemonSetup(assembly: "{quietSeconds: 4}", hasDestination: false)
    let clock = setup.folder.url.appendingPathComponent("clock")
    let library = setup.folder.url.appendingPathComponent("clock_step.so")
    let source = TestFiles.package.appendingPathComponent("Scripts/test-support/clock_step.c")
    let compiled = try await runProcess(
      "/usr/bin/env", ["clang", "-shared", "-fPIC", "-o", library.path, source.path])
    #expect(compiled.status == 0, "\(compiled.output)")
    try set(clock, 0)
    let daemon = try await setup.start(environment: [
      "LD_PRELOAD": library.path, "CLOCK_STEP_FILE": clock.path,
    ])
    let folder = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: folder, "--slices", "\(Self.slices)")
    let files = try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil
    ).sorted { $0.path < $1.path }
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/peers/network_peers.py")
    let sender = Task {
      try await runProcess(
        testPython, [script.path, "slowly", "\(setup.port)", "SEGMENTD", "0.7"] + files.map(\.path))
    }
    try await waitUntil("some of the instances") { setup.spooledFiles().count >= 3 }
    try set(clock, step)

    let statuses = try await sender.value.output.split(separator: "\n")
    #expect(statuses.filter { $0 == "0x0000" }.count == Self.slices)
    // Where the quiet period ended by the clock, it would be an hour or nothing.
    let jobs = try await setup.endedJobs()
    #expect(jobs.map(\.state) == ["completed"], "\(jobs.map(\.reason))")
    #expect(jobs.map(\.instances) == [Self.slices])
    let events = try await runProcess(
      "/usr/bin/python3",
      [
        "-c",
        "import sqlite3, sys; print([m for (m,) in sqlite3.connect(sys.argv[1]).execute("
          + "\"SELECT message FROM events WHERE kind = 'clock'\")])",
        setup.state.appendingPathComponent("ledger.sqlite").path,
      ])
    let direction = step > 0 ? "forward" : "back"
    #expect(events.output.contains("was set \(direction) by 3600"), "\(events.output)")
    #expect(try await daemon.end() == 0)
  }
}
