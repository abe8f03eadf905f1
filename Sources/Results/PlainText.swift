import Foundation

/// Texts of ours in the form DICOM stores them. They are ASCII, since the source's character set
/// governs the object, and without a tilde, in whose place JIS X 0201 has an overline.
enum PlainText {
  /// Printable characters without a backslash, cut so that it fits together with the suffix.
  static func limited(_ text: String, to length: Int, suffix: String = "") -> String {
    let plain = text.decomposedStringWithCanonicalMapping.unicodeScalars
      .filter { !$0.properties.isDiacritic && $0.properties.generalCategory != .nonspacingMark }
      .map { (32..<126).contains($0.value) && $0 != "\\" ? Character($0) : "?" }
    return String(plain.prefix(length - suffix.count)) + suffix
  }

  /// A decimal string of at most 16 characters (PS3.5 6.2).
  static func decimal(_ value: Double) -> String {
    let text = "\(value)"
    if text.utf8.count <= 16 { return text }
    let shorter = (1...15).reversed().lazy.map { String(format: "%.\($0)g", value) }
    return shorter.first { $0.utf8.count <= 16 } ?? "0"
  }
}
