import Glibc

/// A moment by which durations are measured: setting the clock of the machine does not change it.
///
/// It is the same in all processes of a machine until that is started again.
public struct SteadyTime: Sendable, Hashable, Comparable, Codable {
  /// Since the machine was started, in seconds; the time that it slept counts (CLOCK_BOOTTIME,
  /// clock_gettime(2)).
  public var seconds: Double

  public init(seconds: Double) { self.seconds = seconds }

  public static var now: SteadyTime {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return SteadyTime(seconds: Double(time.tv_sec) + Double(time.tv_nsec) / 1e9)
  }

  public static func - (time: SteadyTime, seconds: Double) -> SteadyTime {
    SteadyTime(seconds: time.seconds - seconds)
  }

  public static func < (one: SteadyTime, other: SteadyTime) -> Bool {
    one.seconds < other.seconds
  }
}
