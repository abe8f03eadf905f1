import Foundation

/// Texts of ours in the form DICOM stores them.
///
/// Where the source is in UTF-8 they are in any script. Otherwise they are ASCII, since the source's
/// character set governs the object, and without a tilde, in whose place JIS X 0201 has an overline.
struct PlainText {
  let isUTF8: Bool

  /// - Parameter characterSet: Specific Character Set (0008,0005) of the object.
  init(characterSet: [String]) { isUTF8 = characterSet == ["ISO_IR 192"] }

  /// A text without control characters and backslashes, cut so that it has no more characters than
  /// admitted.
  func limited(_ text: String, to length: Int) -> String {
    guard isUTF8 else { return Self.ascii(text, to: length) }
    let scalars = text.precomposedStringWithCanonicalMapping.unicodeScalars.map { scalar in
      scalar == "\\" || scalar.properties.generalCategory == .control ? "?" : scalar
    }
    return String(String.UnicodeScalarView(scalars.prefix(length)))
  }

  /// The same in ASCII: letters without their diacritics, and question marks.
  static func ascii(_ text: String, to length: Int, suffix: String = "") -> String {
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
