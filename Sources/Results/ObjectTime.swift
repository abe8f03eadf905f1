import DICOM
import Foundation

/// The local time of this machine.
public enum LocalTime {
  /// How far local time is ahead of UTC at a moment, by the time zone of the process (`TZ`, else
  /// `/etc/localtime`).
  public static func secondsFromUTC(at moment: Date) -> Int {
    var seconds = time_t(moment.timeIntervalSince1970.rounded(.down))
    var local = tm()
    // The C library also knows the forms of TZ that name no zone, such as EST5EDT and <+0545>-5:45.
    tzset()
    guard localtime_r(&seconds, &local) != nil else { return 0 }
    return local.tm_gmtoff
  }
}

/// Timezone Offset From UTC (0008,0201): what all dates and times of a dataset refer to where it
/// is there (PS3.3 C.12.1.1.8).
struct TimezoneOffset: Equatable {
  let seconds: Int

  /// - Parameter text: `+HHMM` or `-HHMM` from -1200 to +1400; nil where it is not.
  init?(_ text: String) {
    let characters = Array(text.utf8)
    guard characters.count == 5, characters[0] == 0x2B || characters[0] == 0x2D,
      characters[1...].allSatisfy({ (0x30...0x39).contains($0) })
    else { return nil }
    let digits = characters[1...].map { Int($0) - 0x30 }
    let (hours, minutes) = (digits[0] * 10 + digits[1], digits[2] * 10 + digits[3])
    let offset = (hours * 60 + minutes) * (characters[0] == 0x2D ? -60 : 60)
    guard minutes < 60, (-12 * 3600...14 * 3600).contains(offset) else { return nil }
    seconds = offset
  }

  /// As it is written; `-0000` is not allowed.
  var text: String {
    let minutes = abs(seconds) / 60
    return (seconds < 0 ? "-" : "+") + String(format: "%02d%02d", minutes / 60, minutes % 60)
  }
}

/// The moment that a result was made, as its object states it.
///
/// The study's date and time are copied from the source, so that ours must refer to what they refer
/// to: the offset that the source states, which the object then states too, or else local time.
struct ObjectTime {
  /// DA.
  let date: String
  /// TM, whole seconds.
  let time: String
  /// Timezone Offset From UTC (0008,0201); nil where the source states none.
  let offset: TimezoneOffset?

  init(_ origin: ResultOrigin, source: Dataset) {
    offset = source.text(.timezoneOffsetFromUTC).flatMap(TimezoneOffset.init)
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = TimeZone(secondsFromGMT: 0) ?? calendar.timeZone
    let seconds = offset?.seconds ?? origin.secondsFromUTC
    let parts = calendar.dateComponents(
      [.year, .month, .day, .hour, .minute, .second],
      from: origin.date.addingTimeInterval(Double(seconds)))
    date = String(format: "%04d%02d%02d", parts.year ?? 0, parts.month ?? 0, parts.day ?? 0)
    time = String(format: "%02d%02d%02d", parts.hour ?? 0, parts.minute ?? 0, parts.second ?? 0)
  }
}
