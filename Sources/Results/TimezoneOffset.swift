import Foundation

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
