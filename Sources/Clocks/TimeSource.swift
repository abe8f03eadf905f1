import Foundation

/// The clocks of a machine.
public struct TimeSource: Sendable {
  /// What the machine's clock says, which an administrator or NTP can set forward or back.
  public var wall: @Sendable () -> Date
  /// What durations are measured by.
  public var steady: @Sendable () -> SteadyTime
  /// Names the time between two starts of the machine: steady times of another name cannot be compared.
  public var boot: String

  public init(
    wall: @escaping @Sendable () -> Date, steady: @escaping @Sendable () -> SteadyTime, boot: String
  ) {
    self.wall = wall
    self.steady = steady
    self.boot = boot
  }

  /// Those of this machine.
  public static let system = TimeSource(
    wall: { Date() }, steady: { .now },
    // Kernel documentation, sysctl/kernel.rst, "random".
    boot: (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8))?
      .trimmingCharacters(in: .whitespacesAndNewlines) ?? "")

  /// One clock that shows both, as tests set it.
  public init(_ clock: @escaping @Sendable () -> Date) {
    self.init(
      wall: clock, steady: { SteadyTime(seconds: clock().timeIntervalSince1970) }, boot: "test")
  }

  /// Both clocks at one moment, even where the process is interrupted meanwhile.
  public func reading() -> (wall: Date, steady: SteadyTime) {
    while true {
      let before = steady()
      let time = wall()
      if steady().seconds - before.seconds < 0.05 { return (time, before) }
    }
  }
}
