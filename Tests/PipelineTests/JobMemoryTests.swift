import Foundation
import GeometryGate
import Ingest
import JobLedger
import Logging
import Segmentation
import TestSupport
import Testing
import Volumes

@testable import Pipeline
@testable import SeriesProcessing

@Suite struct JobMemoryTests {
  /// A job for which there is no memory now waits, keeps its attempts, and runs once there is.
  @Test func aJobThatDoesNotFitNowWaits() async throws {
    let folder = try TemporaryFolder()
    let logger = Logger(label: "test")
    let state = try StateDirectory(path: folder.url.appendingPathComponent("state").path)
    let ledger = try Ledger(path: state.ledger.path)
    let intake = Intake(state: state, ledger: ledger, logger: logger)
    for file in try await makeSeries(in: folder.url) { try intake.take(copyOf: file) }
    let due = try #require(try ledger.seriesDue(quietPeriod: 0).first)
    try ledger.assembleSeries(due, jobs: [NewJob(model: "untrained-tiny")])

    let system = folder.url.appendingPathComponent("system")
    try FileManager.default.createDirectory(
      at: system.appendingPathComponent("proc/self"), withIntermediateDirectories: true)
    func setAvailable(_ kilobytes: Int) throws {
      try "MemTotal: 9000000 kB\nMemAvailable: \(kilobytes) kB\n".write(
        to: system.appendingPathComponent("proc/meminfo"), atomically: true, encoding: .utf8)
    }
    let models = TestFiles.fixtures.appendingPathComponent("models")
    let executor = LocalExecutor(
      models: ModelLibrary(directories: [models], threads: 1),
      processor: SeriesProcessor(
        geometry: GeometryRules(), installation: "TEST",
        memory: MemoryBudget(limit: nil, system: SystemMemory(root: system.path + "/"))))
    let runner = JobRunner(
      state: state, ledger: ledger, executor: executor, destinations: [], logger: logger)

    try setAvailable(100)
    #expect(try await runner.runNext { _ in })
    var job = try #require(try ledger.jobs().first)
    #expect(job.state == "retryable")
    #expect(try #require(job.reason).contains("the machine now leaves 0.00 GB"))
    // Not due for a while.
    #expect(try await !runner.runNext { _ in })
    #expect(try ledger.job(job.id).attempts.map(\.outcome) == ["released"])

    try setAvailable(8_000_000)
    #expect(try await runner.runNext(id: job.id) { _ in })
    job = try #require(try ledger.jobs().first)
    #expect(job.state == "completed", "\(job.reason ?? "")")
  }

  private func makeSeries(in folder: URL) async throws -> [URL] {
    let series = folder.appendingPathComponent("series")
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/generators/make_series.py")
    let result = try await runProcess(
      testPython, [script.path, series.path, "--slices", "5", "--size", "32"])
    try #require(result.status == 0, "\(result.output)")
    return try FileManager.default.contentsOfDirectory(
      at: series, includingPropertiesForKeys: nil)
  }
}
