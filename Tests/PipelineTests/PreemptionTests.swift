import Foundation
import JobLedger
import Segmentation
import SeriesProcessing
import Synchronization
import TestSupport
import Testing

@testable import Pipeline

/// Looks at each patch, on the segmenter's thread.
struct WatchedExecutor: WrappingExecutor {
  var inner: any JobExecutor
  var patchDone: @Sendable (JobRequest, SegmentationProgress) -> Void

  func execute(
    _ request: JobRequest, progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> JobOutcome {
    try await inner.execute(request) { patchDone(request, $0) }
  }
}

/// Jobs that yield and resume.
@Suite(.serialized) struct PreemptionTests {
  /// Of several patches, which overlap.
  private static let options = ["--slices", "40", "--size", "96"]

  private final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func add() { count.withLock { $0 += 1 } }
  }

  private func sha256(_ small: SmallJob, _ id: Int64) throws -> String {
    let job = try small.ledger.job(id).job
    #expect(job.state == "completed", "\(job.reason ?? "")")
    return try #require(job.objects.first { $0.kind == .segmentation }?.sha256)
  }

  /// The result without an interruption, and how many patches it takes.
  private func reference() async throws -> (sha256: String, patches: Int, job: SmallJob) {
    let small = try await SmallJob(options: Self.options)
    let counter = Counter()
    let executor = WatchedExecutor(inner: small.executor()) { _, _ in counter.add() }
    #expect(try await small.runner(executor).runNext { _ in })
    let patches = counter.value
    #expect(patches >= 4)
    return (try sha256(small, small.id), patches, small)
  }

  private func checkpoints(_ small: SmallJob) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: small.state.checkpoints.path).sorted()
  }

  /// Waits, as a patch that takes long, until the runner has noticed that the job is to yield.
  private static func waitForInterruption(_ request: JobRequest) {
    let deadline = Date(timeIntervalSinceNow: 300)
    while request.control.interruption?.isRequested != true, Date() < deadline { usleep(10_000) }
  }

  /// Runs the job up to a patch, where it comes to yield because of `cause`.
  private func interrupt(
    _ small: SmallJob, atPatch patch: Int, threads: Int = 1,
    _ cause: @escaping @Sendable () throws -> Void
  ) async throws {
    let failure = Mutex<String?>(nil)
    let executor = WatchedExecutor(inner: small.executor(threads: threads)) { request, progress in
      guard progress.patchesDone == patch else { return }
      do { try cause() } catch { failure.withLock { $0 = "\(error)" } }
      Self.waitForInterruption(request)
    }
    #expect(try await small.runner(executor).runNext { _ in })
    #expect(failure.withLock { $0 } == nil)
  }

  @Test func aJobYieldsToAnUrgentOneAndResumesBitForBit() async throws {
    let expected = try await reference()
    for (patch, threads) in [(1, 1), (2, 2), (expected.patches - 1, 1)] {
      let small = try await SmallJob(series: expected.job)
      let urgent = try await small.addJob(priority: -1)
      try await interrupt(small, atPatch: patch, threads: threads) {
        var selection = JobSelection()
        selection.jobs = [urgent]
        _ = try small.ledger.apply(.prioritize(5), to: selection)
      }
      var job = try small.ledger.job(small.id)
      #expect(job.job.state == "available" && job.attempts.map(\.outcome) == ["preempted"])
      let event = try #require(job.events.last)
      #expect(event.kind == "preempted")
      #expect(
        event.message
          == "to job \(urgent) of priority 5; \(patch) of \(expected.patches) patches are kept in a "
          + "checkpoint")
      #expect(
        try checkpoints(small) == ["\(small.id)", "\(small.id)/volume.prediction"])

      #expect(try await small.runner.runNext { _ in })
      #expect(try small.ledger.job(urgent).job.state == "completed")
      let counter = Counter()
      let executor = WatchedExecutor(inner: small.executor(threads: 3 - threads)) { _, _ in
        counter.add()
      }
      #expect(try await small.runner(executor).runNext { _ in })
      #expect(counter.value == expected.patches - patch)
      #expect(try sha256(small, small.id) == expected.sha256)
      job = try small.ledger.job(small.id)
      #expect(
        job.events.contains {
          $0.message
            == "resumes from its checkpoint, after \(patch) of \(expected.patches) patches"
        })
      #expect(try checkpoints(small) == [])
    }
  }

  @Test func aPauseHasTheJobYield() async throws {
    let expected = try await reference()
    let small = try await SmallJob(series: expected.job)
    try await interrupt(small, atPatch: 2) {
      try small.ledger.pauseProcessing(interruptsRunning: true, by: "anna", reason: "new disk")
    }
    let job = try small.ledger.job(small.id).job
    #expect(job.state == "available" && job.reason?.contains("by anna: new disk") == true)
    #expect(try await !small.runner.runNext { _ in })
    try small.ledger.resumeProcessing(by: "anna", reason: nil)
    #expect(try await small.runner.runNext { _ in })
    #expect(try sha256(small, small.id) == expected.sha256)
  }

  /// A plain pause, a drain and a job of the same priority are no reason to stop.
  @Test func aJobRunsToItsEndOtherwise() async throws {
    let small = try await SmallJob(options: Self.options)
    let other = try await small.addJob(priority: 0)
    #expect(try small.ledger.claimJob()?.id == small.id)
    #expect(try small.ledger.reasonToYield(job: small.id) == nil)
    try small.ledger.pauseProcessing(by: "anna", reason: nil)
    #expect(try small.ledger.reasonToYield(job: small.id) == nil)
    try small.ledger.resumeProcessing(by: "anna", reason: nil)
    var selection = JobSelection()
    selection.jobs = [other]
    _ = try small.ledger.apply(.prioritize(1), to: selection)
    #expect(try small.ledger.reasonToYield(job: small.id) == .urgentJob(other, priority: 1))
    try small.ledger.drainProcessing(by: "anna", reason: nil)
    #expect(try small.ledger.reasonToYield(job: small.id) == nil)
  }

  @Test func aCancelledJobStops() async throws {
    let small = try await SmallJob(options: Self.options)
    try await interrupt(small, atPatch: 1) {
      try small.ledger.cancelJob(small.id, reason: "cancelled by an administrator")
    }
    #expect(try small.ledger.job(small.id).attempts.map(\.outcome) == ["cancelled"])
    #expect(try checkpoints(small) == [])
  }

  /// As by SIGTERM.
  @Test func aJobOfAProcessThatEndsResumes() async throws {
    let expected = try await reference()
    let small = try await SmallJob(series: expected.job)
    let executor = WatchedExecutor(inner: small.executor()) { _, progress in
      if progress.patchesDone == 2 { withUnsafeCurrentTask { $0?.cancel() } }
    }
    let attempt = Task { try await small.runner(executor).runNext { _ in } }
    await #expect(throws: CancellationError.self) { try await attempt.value }
    #expect(try small.ledger.job(small.id).attempts.map(\.outcome) == ["released"])
    let counter = Counter()
    let next = WatchedExecutor(inner: small.executor()) { _, _ in counter.add() }
    #expect(try await small.runner(next).runNext { _ in })
    #expect(counter.value == expected.patches - 2)
    #expect(try sha256(small, small.id) == expected.sha256)
  }

  /// Of jobs that have ended, or that nobody knows.
  @Test func checkpointsThatNobodyNeedsAreRemoved() async throws {
    let small = try await SmallJob()
    for name in ["\(small.id)", "999", "rubbish"] {
      try FileManager.default.createDirectory(
        at: small.state.checkpoints.appendingPathComponent(name),
        withIntermediateDirectories: false)
    }
    try small.runner.checkpoints.removeOutdated()
    #expect(try checkpoints(small) == ["\(small.id)"])
    #expect(try await small.runner.runNext { _ in })
    #expect(try checkpoints(small) == [])
  }
}
