import DICOM
import Foundation

extension DataElement {
  /// The element with each of its numbers in 16 characters at most, as DS demands (PS3.5 6.2).
  ///
  /// Some scanners write all the digits of a binary number. A longer number is rounded to as many digits
  /// as fit; every other value, also what is no number, stays as it is stored.
  var withinDecimalStrings: DataElement {
    guard vr == .DS, case .text(let bytes) = value else { return self }
    let values = bytes.split(separator: UInt8(ascii: "\\"), omittingEmptySubsequences: false)
    guard values.contains(where: { Self.trimmed($0).count > 16 }) else { return self }
    let shortened = values.map { value -> [UInt8] in
      let text = Self.trimmed(value)
      guard text.count > 16, let number = Double(String(decoding: text, as: UTF8.self)),
        number.isFinite
      else { return Array(value) }
      return Array(PlainText.decimal(number).utf8)
    }
    return DataElement(.DS, .text(Array(shortened.joined(separator: [UInt8(ascii: "\\")]))))
  }

  /// A value of DS, also where it came as UN, as from whoever did not know the attribute's VR.
  var decimalString: DataElement {
    guard vr == .UN, case .bytes(let bytes) = value else { return withinDecimalStrings }
    return DataElement(.DS, .text(bytes)).withinDecimalStrings
  }

  private static func trimmed(_ value: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let isPadding = { (byte: UInt8) in byte == 0x20 || byte == 0 }
    let kept = value.drop { isPadding($0) }
    return kept.prefix(kept.count - kept.reversed().prefix { isPadding($0) }.count)
  }
}
