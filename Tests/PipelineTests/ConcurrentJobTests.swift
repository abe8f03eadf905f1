import Foundation
import JobLedger
import Logging
import Segmentation
import SeriesProcessing
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import Pipeline

/// Jobs side by side.
@Suite(.timeLimit(.minutes(20))) struct ConcurrentJobTests {
  /// Lets each job wait until another one has begun.
  private final class Meeting: Sendable {
    private let present = Mutex(Set<URL>())

    func arrive(_ request: JobRequest) async throws {
      present.withLock { _ = $0.insert(request.output) }
      while present.withLock({ $0.count < 2 }) { try await Task.sleep(for: .milliseconds(5)) }
    }
  }

  private struct MeetingExecutor: WrappingExecutor {
    var inner: any JobExecutor
    var meeting: Meeting

    func execute(
      _ request: JobRequest, progress: @escaping @Sendable (SegmentationProgress) -> Void
    ) async throws -> JobOutcome {
      try await meeting.arrive(request)
      return try await inner.execute(request, progress: progress)
    }
  }

  private func hashes(_ small: SmallJob) throws -> [String?] {
    try small.ledger.jobs().map { $0.objects.first { $0.kind == .segmentation }?.sha256 }
  }

  /// Each result is, byte for byte, what it is alone.
  @Test func twoJobsRunAtTheSameTime() async throws {
    let alone = try await SmallJob()
    _ = try await alone.addJob(priority: 0)
    while try await alone.runner.runNext(progress: { _ in }) {}
    let expected = try hashes(alone)
    #expect(expected.count == 2 && expected.allSatisfy { $0 != nil })

    let small = try await SmallJob(series: alone)
    _ = try await small.addJob(priority: 0, of: alone)
    let meeting = Meeting()
    let budget = MemoryBudget(limit: nil)
    let runner = JobRunner(
      state: small.state, ledger: small.ledger,
      executors: (0..<2).map { _ in
        MeetingExecutor(inner: small.executor(memory: budget), meeting: meeting)
      }, destinations: [], logger: Logger(label: "test"))
    let group = ServiceGroup(
      configuration: .init(services: [runner], logger: Logger(label: "test")))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      try await waitUntil("both jobs", within: 900) {
        try small.ledger.jobs().allSatisfy { $0.state == "completed" }
      }
      await group.triggerGracefulShutdown()
      try await tasks.waitForAll()
    }
    #expect(try hashes(small) == expected)
  }

  /// One place alone looks each time; where one of several has found nothing, the others do not look.
  @Test func placesDoNotEachAskWhatIsDue() async throws {
    let gate = ClaimGate(pause: .seconds(36_000))
    #expect(gate.isOpen)
    gate.close()
    #expect(!gate.isOpen)
    let short = ClaimGate(pause: .milliseconds(20))
    short.close()
    try await Task.sleep(for: .milliseconds(25))
    #expect(short.isOpen)
  }
}
