import Clocks
import Synchronization

/// How many requests of a costly kind each visitor may make: so many at once, and then so many a second (token bucket).
final class RequestBudget: Sendable {
  private struct Bucket {
    var tokens: Double
    var at: SteadyTime
  }

  /// Beyond so many, visitors whose bucket is full again are forgotten.
  private static let mostVisitors = 1000

  private let burst: Double
  private let perSecond: Double
  private let now: @Sendable () -> SteadyTime
  private let buckets = Mutex<[String: Bucket]>([:])

  /// - Parameters:
  ///   - burst: requests at once.
  ///   - perSecond: requests in the long run.
  ///   - now: the time.
  init(
    burst: Double, perSecond: Double, now: @escaping @Sendable () -> SteadyTime = { .now }
  ) {
    self.burst = burst
    self.perSecond = perSecond
    self.now = now
  }

  /// How many visitors are known.
  var visitors: Int { buckets.withLock(\.count) }

  /// Takes a request of a visitor, if there is one left.
  func take(_ visitor: String) -> Bool {
    let time = now()
    return buckets.withLock { buckets in
      if buckets.count > Self.mostVisitors {
        buckets = buckets.filter { tokens(of: $0.value, at: time) < burst }
      }
      let left = buckets[visitor].map { tokens(of: $0, at: time) } ?? burst
      guard left >= 1 else { return false }
      buckets[visitor] = Bucket(tokens: left - 1, at: time)
      return true
    }
  }

  private func tokens(of bucket: Bucket, at time: SteadyTime) -> Double {
    min(burst, bucket.tokens + perSecond * max(0, time.seconds - bucket.at.seconds))
  }
}

/// Keeps a second one of something from beginning while one runs.
final class OneAtATime: Sendable {
  private let isBusy = Mutex(false)

  /// - Returns: nil where one runs.
  func run<Value>(_ work: () async throws -> Value) async rethrows -> Value? {
    let isFree = isBusy.withLock { isBusy in
      defer { isBusy = true }
      return !isBusy
    }
    guard isFree else { return nil }
    defer { isBusy.withLock { $0 = false } }
    return try await work()
  }
}

extension Visitor {
  /// Whose requests are counted together: of a session or user, or of an address where nobody has logged in.
  func key(_ address: String) -> String { sessionIdentifier ?? user ?? address }
}
