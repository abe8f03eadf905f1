import CDCMTK
import Cryptography
import Foundation

/// Unique identifiers (PS3.5 section 9).
public enum DICOMUID {
  /// A UID under 2.25 that follows from a name: a UUID of version 5 (RFC 9562, 5.5) as a decimal number
  /// (PS3.5 B.2).
  ///
  /// - Parameters:
  ///   - name: the same one always gives the same UID.
  ///   - namespace: whose names they are; ours where none is given.
  public static func named(_ name: String, in namespace: UUID = namespace) -> String {
    var hashed = withUnsafeBytes(of: namespace.uuid) { Data($0) }
    hashed.append(Data(name.utf8))
    var bytes = Array(sha1(hashed).prefix(16))
    bytes[6] = bytes[6] & 0x0F | 0x50
    bytes[8] = bytes[8] & 0x3F | 0x80
    return "2.25." + decimal(bytes)
  }

  /// Of the UIDs that segmentd derives; never changed.
  public static let namespace = UUID(
    uuid: (
      0x76, 0xDD, 0x50, 0xAA, 0xA0, 0xC1, 0x51, 0x0C,
      0xB9, 0xAF, 0x4B, 0xD9, 0x18, 0x62, 0xFD, 0x68
    ))

  /// Whether a text is taken as a UID, wherever it comes from: components of digits with dots
  /// between them, 64 characters at most.
  ///
  /// Leading zeros in a component are against PS3.5 9.1; anonymisers and phantoms have them all the
  /// same, and a UID names nothing here, so that it is taken as it is. Padding is none of it: see
  /// ``trimmed(_:)``.
  public static func isValid(_ uid: String) -> Bool {
    guard (1...64).contains(uid.utf8.count) else { return false }
    var isWithinComponent = false
    for byte in uid.utf8 {
      if byte == UInt8(ascii: "."), isWithinComponent {
        isWithinComponent = false
      } else {
        guard (0x30...0x39).contains(byte) else { return false }
        isWithinComponent = true
      }
    }
    return isWithinComponent
  }

  /// A UID without the padding around it: zero bytes (PS3.5 6.2), or spaces, as some write.
  public static func trimmed(_ uid: String) -> String {
    // Of bytes: this is done for each instance, and through views of characters it takes as long as to parse
    // its header.
    let bytes = uid.utf8
    let isKept = { (byte: UInt8) in byte != 0x20 && byte != 0 }
    guard let first = bytes.firstIndex(where: isKept), let last = bytes.lastIndex(where: isKept)
    else { return "" }
    return String(decoding: bytes[first...last], as: UTF8.self)
  }

  /// The keyword of a UID of the standard (PS3.6), such as `CTImageStorage`; nil where the dictionary
  /// has none.
  public static func keyword(of uid: String) -> String? {
    var name = [CChar](repeating: 0, count: 128)
    cdcmtk_uid_name(uid, &name, name.count)
    let bytes = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
  }

  /// A big-endian number in decimal digits, by repeated division by ten.
  static func decimal(_ bytes: [UInt8]) -> String {
    var number = bytes
    var digits: [Character] = []
    while number.contains(where: { $0 != 0 }) {
      var remainder = 0
      for index in number.indices {
        let value = remainder << 8 | Int(number[index])
        number[index] = UInt8(value / 10)
        remainder = value % 10
      }
      digits.append(Character(String(remainder)))
    }
    return digits.isEmpty ? "0" : String(digits.reversed())
  }
}
