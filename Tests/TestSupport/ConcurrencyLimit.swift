import Foundation
import Testing

/// Runs only a few tests of all suites that have this trait at the same time: each has daemons, peers and
/// networks of its own, and dozens of them at once would starve each other. The wait for a place would count as
/// time of a `.timeLimit`.
///
/// ```swift
/// @Suite(.serialized, .limitedConcurrency) struct StartTests { … }
/// ```
public struct ConcurrencyLimit: SuiteTrait, TestTrait, TestScoping {
  public let isRecursive = true
  private static let places = Places(3 * ProcessInfo.processInfo.activeProcessorCount)

  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    await Self.places.take()
    do {
      try await function()
    } catch {
      await Self.places.leave()
      throw error
    }
    await Self.places.leave()
  }
}

extension Trait where Self == ConcurrencyLimit {
  /// Three tests for each processor at the same time.
  public static var limitedConcurrency: Self { Self() }
}

/// Given to those that wait in the order in which they came.
private actor Places {
  private var free: Int
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(_ count: Int) { free = count }

  func take() async {
    if free > 0 {
      free -= 1
    } else {
      await withCheckedContinuation { waiting.append($0) }
    }
  }

  func leave() {
    if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
  }
}
