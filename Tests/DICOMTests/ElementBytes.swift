import DICOM
import Foundation
import TestSupport

/// Elements written by hand, in a coding that may change from one to the next.
struct ElementBytes {
  enum Coding: CaseIterable {
    case implicit, explicit, bigEndian

    var transferSyntax: String {
      switch self {
      case .implicit: "1.2.840.10008.1.2"
      case .explicit: "1.2.840.10008.1.2.1"
      case .bigEndian: "1.2.840.10008.1.2.2"
      }
    }
  }

  static let undefined = 0xFFFF_FFFF

  var coding: Coding
  var bytes: [UInt8] = []

  init(_ coding: Coding) { self.coding = coding }

  mutating func append(_ number: Int, size: Int) {
    let little = (0..<size).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    bytes += coding == .bigEndian ? little.reversed() : little
  }

  mutating func append(_ tag: Tag) {
    append(Int(tag.group), size: 2)
    append(Int(tag.element), size: 2)
  }

  mutating func append(_ tag: Tag, _ vr: String, _ value: [UInt8] = [], length: Int? = nil) {
    append(tag)
    if coding == .implicit {
      append(length ?? value.count, size: 4)
    } else {
      bytes += Array(vr.utf8)
      let isLong = ["OB", "OW", "SQ", "UN", "UT"].contains(vr)
      if isLong { append(0, size: 2) }
      append(length ?? value.count, size: isLong ? 4 : 2)
    }
    bytes += value
  }

  mutating func append(_ tag: Tag, _ vr: String, _ text: String) {
    append(tag, vr, Array((text.utf8.count % 2 == 0 ? text : text + " ").utf8))
  }

  mutating func append(_ tag: Tag, words: Int...) {
    var value = ElementBytes(coding)
    for word in words { value.append(word, size: 2) }
    append(tag, "US", value.bytes)
  }

  /// An item or delimiter.
  mutating func delimiter(_ element: UInt16, length: Int = 0) {
    append(Tag(0xFFFE, element))
    append(length, size: 4)
  }

  /// A sequence of undefined length with one item of undefined length.
  mutating func sequence(_ tag: Tag, _ vr: String, item: ElementBytes) {
    append(tag, vr, length: Self.undefined)
    bytes += Self.item(item)
  }

  /// The item of such a sequence and what ends both.
  static func item(_ item: ElementBytes) -> [UInt8] {
    var written = ElementBytes(item.coding)
    written.delimiter(0xE000, length: undefined)
    written.bytes += item.bytes
    written.delimiter(0xE00D)
    written.delimiter(0xE0DD)
    return written.bytes
  }

  /// A file that states a transfer syntax, whatever these elements are coded in.
  func file(in folder: TemporaryFolder, stating syntax: String? = nil) throws -> String {
    var raw = RawFile(transferSyntax: syntax ?? coding.transferSyntax)
    raw.bytes += bytes
    return try raw.write(in: folder)
  }
}
