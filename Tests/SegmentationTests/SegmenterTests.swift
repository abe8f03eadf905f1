import Dispatch
import Foundation
import Testing
import Volumes

@testable import Segmentation

@Suite struct SegmenterTests {
  private let volume = Volume(
    grid: uprightGrid(shape: [16, 32, 64], spacing: [3, 2, 2]),
    voxels: (0..<16 * 32 * 64).map { Float($0 % 700) - 100 })

  /// As many segmenters as the cooperative pool has threads wait for a task of that pool.
  @Test(.timeLimit(.minutes(20)))
  func leavesTheCooperativePoolFree() async throws {
    let bundle = try untrainedBundle()
    let volume = volume
    let width = ProcessInfo.processInfo.activeProcessorCount
    let begun = DispatchSemaphore(value: 0)
    let released = DispatchSemaphore(value: 0)
    let results = try await withThrowingTaskGroup(of: DispatchTimeoutResult?.self) { group in
      for _ in 0..<width {
        group.addTask {
          let segmenter = try Segmenter(bundle: bundle, threads: 1)
          let outcome = Outcome()
          _ = try await segmenter.segment([volume]) { _ in
            begun.signal()
            outcome.record(released.wait(timeout: .now() + 600))
          }
          return outcome.value
        }
      }
      group.addTask {
        for _ in 0..<width {
          while begun.wait(timeout: .now()) == .timedOut {
            try await Task.sleep(for: .milliseconds(5))
          }
        }
        for _ in 0..<width { released.signal() }
        return nil
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(results.compactMap { $0 }.allSatisfy { $0 == .success })
    #expect(results.compactMap { $0 }.count == width)
  }

  @Test func cancellationReachesTheSegmenter() async throws {
    let segmenter = try Segmenter(bundle: untrainedBundle(), threads: 1)
    let volume = volume
    let task = Task {
      try await segmenter.segment([volume]) { _ in withUnsafeCurrentTask { $0?.cancel() } }
    }
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func isDeterministicOverThreads() async throws {
    let bundle = try untrainedBundle()
    let one = try await Segmenter(bundle: bundle, threads: 1).segment([volume])
    let two = try await Segmenter(bundle: bundle, threads: 2).segment([volume])
    #expect(one == two)
    #expect(Set(one.labels).count > 1)
  }
}

/// Written on the segmenter's thread, read after it is done.
private final class Outcome: @unchecked Sendable {
  // Safe: the lock guards the only stored value.
  private let lock = NSLock()
  private var stored: DispatchTimeoutResult?

  func record(_ result: DispatchTimeoutResult) { lock.withLock { stored = result } }
  var value: DispatchTimeoutResult? { lock.withLock { stored } }
}
