import Foundation

/// When the nightly check is due.
struct NightlySchedule {
  /// Of the day.
  var hour: Int
  var calendar = Calendar.current

  /// One that was missed, as the daemon did not run, is made up for within so long.
  static let hoursToMakeUp = 6.0
  /// Between two of them there is more: an hour that the clock shows twice counts once.
  private static let hoursBetween = 12.0

  /// - Parameters:
  ///   - now: the time.
  ///   - last: when a check was due last; nil for never.
  func isDue(at now: Date, last: Date?) -> Bool {
    let time = DateComponents(hour: hour, minute: 0, second: 0)
    // Calendar searches strictly before the given time: one second later includes the hour itself.
    guard
      let begin = calendar.nextDate(
        after: now.addingTimeInterval(1), matching: time, matchingPolicy: .nextTime,
        direction: .backward)
    else { return false }
    return begin <= now && now.timeIntervalSince(begin) < Self.hoursToMakeUp * 3600
      && now.timeIntervalSince(last ?? .distantPast) > Self.hoursBetween * 3600
  }
}
