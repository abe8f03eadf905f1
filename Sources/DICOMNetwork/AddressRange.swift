import Glibc

/// Addresses that begin with the same bits, as CIDR notation writes them (RFC 4632, RFC 4291 2.3):
/// `10.1.0.0/16`, `2001:db8::/32`, or one address alone.
///
/// An IPv4 address within IPv6 (`::ffff:10.1.2.3`) is the IPv4 address.
public struct AddressRange: Sendable, Equatable, CustomStringConvertible {
  private let bytes: [UInt8]
  private let bits: Int

  /// - Parameter text: an address, or an address with the number of its bits that count; nil where
  ///   it is neither, or where bits behind those that count are set, which would be a slip.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let (bytes, mapped) = Self.address(String(parts[0])) else { return nil }
    var bits = bytes.count * 8
    if parts.count == 2 {
      guard let given = Int(parts[1]), parts[1].allSatisfy(\.isNumber) else { return nil }
      bits = mapped ? given - 96 : given
    }
    guard (0...bytes.count * 8).contains(bits) else { return nil }
    let isClear = (bits..<bytes.count * 8).allSatisfy {
      bytes[$0 / 8] & (0x80 >> UInt8($0 % 8)) == 0
    }
    guard isClear else { return nil }
    self.bytes = bytes
    self.bits = bits
  }

  /// Whether an address in numbers is within; false where it is no address.
  public func contains(_ address: String) -> Bool {
    // A link-local address names its interface (RFC 4007 11).
    let number = address.split(separator: "%", maxSplits: 1).first.map(String.init) ?? address
    guard let (other, _) = Self.address(number), other.count == bytes.count else { return false }
    return (0..<bits).allSatisfy {
      let bit: UInt8 = 0x80 >> UInt8($0 % 8)
      return bytes[$0 / 8] & bit == other[$0 / 8] & bit
    }
  }

  /// The bytes of an address, and whether it was an IPv4 address within IPv6.
  private static func address(_ text: String) -> ([UInt8], Bool)? {
    var four = in_addr()
    if inet_pton(AF_INET, text, &four) == 1 {
      return (withUnsafeBytes(of: four) { Array($0) }, false)
    }
    var six = in6_addr()
    guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
    let bytes = withUnsafeBytes(of: six) { Array($0) }
    let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
    return isMapped ? (Array(bytes[12...]), true) : (bytes, false)
  }

  public var description: String {
    let family = bytes.count == 4 ? AF_INET : AF_INET6
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    inet_ntop(family, bytes, &text, socklen_t(text.count))
    let address = String(
      decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return bits == bytes.count * 8 ? address : "\(address)/\(bits)"
  }
}
