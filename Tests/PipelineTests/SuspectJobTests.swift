import Foundation
import GeometryGate
import JobLedger
import Results
import TestSupport
import Testing

@testable import Pipeline
@testable import SeriesProcessing

/// A job whose result is held until a person has looked at it.
@Suite struct SuspectJobTests {
  /// Model and options are those of a site; only a person's word makes a difference.
  @Test func whatAPersonReleasesIsCompleted() async throws {
    let job = try await SmallJob()
    let models = job.folder.url.appendingPathComponent("models")
    let bundle = models.appendingPathComponent("untrained-tiny")
    try FileManager.default.createDirectory(at: models, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny"), to: bundle)
    let description = bundle.appendingPathComponent("model.yaml")
    // No structure is as large as that.
    let limit = "output:\n  - {label: 1, millilitres: [1000000, 2000000], largestPart: 0}\n"
    try (String(contentsOf: description, encoding: .utf8) + limit)
      .write(to: description, atomically: true, encoding: .utf8)
    var options = ResultOptions()
    options.holdsSuspect = true
    let runner = job.runner(
      LocalExecutor(
        models: ModelLibrary(directories: [models], threads: 1),
        processor: SeriesProcessor(
          geometry: GeometryRules(), installation: "TEST", memory: MemoryBudget(limit: nil),
          options: options)))
    func run() async throws -> JobSummary {
      #expect(try await runner.runNext(id: job.id) { _ in })
      return try job.ledger.job(job.id).job
    }
    var selection = JobSelection()
    selection.jobs = [job.id]

    let held = try await run()
    #expect(held.state == "held" && held.objects.isEmpty)
    #expect(held.reason?.hasPrefix("suspect: ") == true, "\(held.reason ?? "no reason")")
    _ = try job.ledger.apply(.retry, to: selection)
    #expect(try await run().state == "held")

    #expect(try job.ledger.apply(.release, to: selection).map(\.isChanged) == [true])
    let released = try await run()
    #expect(released.state == "completed" && !released.objects.isEmpty)
    #expect(released.summary?.contains("warning: ") == true, "\(released.summary ?? "")")
    // The word was for this result alone.
    #expect(try !job.ledger.apply(.release, to: selection).contains(where: \.isChanged))
  }
}
