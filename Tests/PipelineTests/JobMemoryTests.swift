import Foundation
import JobLedger
import Testing

@testable import Pipeline
@testable import SeriesProcessing

@Suite struct JobMemoryTests {
  /// A job for which there is no memory now waits, keeps its attempts, and runs once there is.
  @Test func aJobThatDoesNotFitNowWaits() async throws {
    let small = try await SmallJob()
    let system = small.folder.url.appendingPathComponent("system")
    try FileManager.default.createDirectory(
      at: system.appendingPathComponent("proc/self"), withIntermediateDirectories: true)
    func setAvailable(_ kilobytes: Int) throws {
      try "MemTotal: 9000000 kB\nMemAvailable: \(kilobytes) kB\n".write(
        to: system.appendingPathComponent("proc/meminfo"), atomically: true, encoding: .utf8)
    }
    let runner = small.runner(
      memory: MemoryBudget(limit: nil, system: SystemMemory(root: system.path + "/")))

    try setAvailable(100)
    #expect(try await runner.runNext { _ in })
    var job = try small.ledger.job(small.id).job
    #expect(job.state == "retryable")
    #expect(try #require(job.reason).contains("the machine now leaves 0.00 GB"))
    // Not due for a while.
    #expect(try await !runner.runNext { _ in })
    #expect(try small.ledger.job(job.id).attempts.map(\.outcome) == ["released"])

    try setAvailable(8_000_000)
    #expect(try await runner.runNext(id: job.id) { _ in })
    job = try small.ledger.job(small.id).job
    #expect(job.state == "completed", "\(job.reason ?? "")")
  }
}
