import Foundation

/// Texts of ours in the form DICOM stores them. They are ASCII, since the source's character set
/// governs the object.
enum PlainText {
  /// Printable ASCII without a backslash, cut so that it fits together with the suffix.
  static func limited(_ text: String, to length: Int, suffix: String = "") -> String {
    let plain = text.decomposedStringWithCanonicalMapping.unicodeScalars
      .filter { !$0.properties.isDiacritic && $0.properties.generalCategory != .nonspacingMark }
      .map { (32..<127).contains($0.value) && $0 != "\\" ? Character($0) : "?" }
    return String(plain.prefix(length - suffix.count)) + suffix
  }

  /// A decimal string of at most 16 characters (PS3.5 6.2).
  static func decimal(_ value: Double) -> String {
    let text = "\(value)"
    if text.utf8.count <= 16 { return text }
    let shorter = (1...15).reversed().lazy.map { String(format: "%.\($0)g", value) }
    return shorter.first { $0.utf8.count <= 16 } ?? "0"
  }

  /// DA and TM in UTC.
  static func dateAndTime(_ date: Date) -> (date: String, time: String) {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = TimeZone(secondsFromGMT: 0) ?? calendar.timeZone
    let parts = calendar.dateComponents(
      [.year, .month, .day, .hour, .minute, .second], from: date)
    return (
      String(format: "%04d%02d%02d", parts.year ?? 0, parts.month ?? 0, parts.day ?? 0),
      String(format: "%02d%02d%02d", parts.hour ?? 0, parts.minute ?? 0, parts.second ?? 0)
    )
  }
}
