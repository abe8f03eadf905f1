import Crypto
import Foundation

/// Unique identifiers (PS3.5 section 9).
public enum DICOMUID {
  /// A new UID under 2.25: a random UUID as a decimal number (PS3.5 B.2).
  public static func generate() -> String {
    let bytes = withUnsafeBytes(of: UUID().uuid) { Array($0) }
    return "2.25." + decimal(bytes)
  }

  /// A UID under 2.25 that belongs to another and a number: always the same for the same two.
  public static func derived(from uid: String, _ number: Int) -> String {
    var bytes = Array(SHA256.hash(data: Data("\(uid)/\(number)".utf8)).prefix(16))
    // A UUID of version 8, whose bits are the maker's own (RFC 9562).
    bytes[6] = bytes[6] & 0x0F | 0x80
    bytes[8] = bytes[8] & 0x3F | 0x80
    return "2.25." + decimal(bytes)
  }

  /// Whether a text is a UID: 1 to 64 digits and dots, components without leading zeros.
  public static func isValid(_ uid: String) -> Bool {
    guard (1...64).contains(uid.utf8.count) else { return false }
    return uid.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { component in
      !component.isEmpty && component.utf8.allSatisfy { (0x30...0x39).contains($0) }
        && (component.count == 1 || component.first != "0")
    }
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
