import Foundation

/// When something that failed is tried again.
public struct RetryPolicy: Sendable {
  /// Seconds before the second attempt; each further pause is twice as long.
  public var firstPause: TimeInterval
  public var longestPause: TimeInterval
  /// Attempts before it is given up; nil never gives up.
  public var maximumAttempts: Int?
  /// Part of a pause by which it is longer or shorter at random, so that what failed together is not
  /// tried again together.
  public var jitter = 0.0

  public init(firstPause: TimeInterval, longestPause: TimeInterval, maximumAttempts: Int?) {
    self.firstPause = firstPause
    self.longestPause = longestPause
    self.maximumAttempts = maximumAttempts
  }

  /// Segmentation: what fails three times would always fail.
  public static let jobs = jittered(first: 10, longest: 600, maximumAttempts: 3)
  /// A job for which there is no memory now.
  public static let memory = jittered(first: 10, longest: 600)
  /// A job that a fault of this machine stopped, such as a full disk: that passes, or an
  /// administrator resolves it, and the study is not affected.
  public static let machineFaults = jittered(first: 5, longest: 600)
  /// Delivery: a PACS that is away comes back, so that a result is never given up.
  public static let deliveries = jittered(first: 2, longest: 600)
  /// A destination that is asked whether it lists what it took.
  public static let queries = jittered(first: 5, longest: 3600)
  /// A destination that is asked for storage commitment: some commit overnight.
  public static let commitments = jittered(first: 60, longest: 3600)

  static func jittered(
    first: TimeInterval, longest: TimeInterval, maximumAttempts: Int? = nil
  ) -> RetryPolicy {
    var policy = RetryPolicy(
      firstPause: first, longestPause: longest, maximumAttempts: maximumAttempts)
    policy.jitter = 0.2
    return policy
  }

  /// The pause after a number of attempts, or nil when it is to be given up.
  public func pause(after attempts: Int) -> TimeInterval? {
    if let maximumAttempts, attempts >= maximumAttempts { return nil }
    let pause = min(firstPause * pow(2, Double(min(max(attempts, 1), 40) - 1)), longestPause)
    return jitter > 0 ? pause * Double.random(in: 1 - jitter...1 + jitter) : pause
  }
}
