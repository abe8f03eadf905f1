import CDCMTK

/// The tag of a data element: group and element number (PS3.6).
public struct Tag: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  /// group << 16 | element.
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public init(_ group: UInt16, _ element: UInt16) {
    rawValue = UInt32(group) << 16 | UInt32(element)
  }

  public var group: UInt16 { UInt16(rawValue >> 16) }
  public var element: UInt16 { UInt16(rawValue & 0xFFFF) }

  /// Whether a vendor defined the attribute (PS3.5 7.8).
  public var isPrivate: Bool { group % 2 == 1 }

  public static func < (a: Tag, b: Tag) -> Bool { a.rawValue < b.rawValue }

  /// For example `(0028,0010) Rows`.
  public var description: String {
    let digits = String(rawValue, radix: 16, uppercase: true)
    let padded = String(repeating: "0", count: 8 - digits.count) + digits
    var name = [CChar](repeating: 0, count: 128)
    cdcmtk_tag_name(rawValue, &name, name.count)
    let text = String(
      decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return "(\(padded.prefix(4)),\(padded.suffix(4))) \(text)"
  }
}

/// Value representations by their two letters (PS3.5 6.2).
// swift-format-ignore: AlwaysUseLowerCamelCase
public enum VR: String, Sendable {
  case AE, AS, AT, CS, DA, DS, DT, FD, FL, IS, LO, LT, OB, OD, OF, OL, OV, OW, PN, SH, SL, SQ, SS
  case ST, SV, TM, UC, UI, UL, UN, UR, US, UT, UV
}
